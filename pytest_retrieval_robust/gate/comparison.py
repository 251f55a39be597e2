"""A candidate's run against a baseline's: the same queries, paired, and what in the two
must be the same.

Non-inferiority: a release needs every gate non-inferior, so an error in one of them
does not release (no correction where a gate passes), but an error in any of them blocks
(the bound that fails a gate is at the error divided by the number of gates).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..core.cases import DIRECTIONS, Case, Direction, Json
from ..core.outcomes import Outcome
from ..retrieval.bootstrap import Clusters, design_effect, resampled_means
from ..retrieval.curve import Curve
from ..retrieval.intervals import (
    POWER,
    detectable_loss_of_share,
    mcnemar_exact,
    normal_quantile,
    paired_score_bounds,
    paired_score_p,
)
from .evidence import Evidence, Floats, hits_of, statistic, tail
from .measurements import Measurements
from .policy import BaselineLimit

_FACTS = {
    "split": "split",
    "text": "text policy",
    "relevance": "relevance rule",
    "fingerprint": "data (ids, texts, filters)",
    "pixel_digest": "pixels",
}
"""What of a data set must be the same, in the order in which a difference is told: the
cause before its effect.
"""


_OTHER_RANKS = (
    "the ranks of both runs do not belong to the same queries: make the baseline again"
)


@dataclass(frozen=True, repr=False)
class Run:
    """A run and its evidence."""

    measured: Measurements
    evidence: Evidence


@dataclass(frozen=True)
class Difference:
    """Candidate minus baseline."""

    candidate: float
    baseline: float
    passes_at: float
    """Lower bound at the error that a release may have."""
    fails_at: float
    """Upper bound at that error divided by the number of gates."""
    error: float
    """Standard error of the difference."""
    queries: int

    @property
    def value(self) -> float:
        return self.candidate - self.baseline

    def detectable_loss(
        self, margin: float, alpha: float, gates: int, *, is_share: bool
    ) -> float:
        """The smallest loss that would fail with a power of 0.8."""
        deviates = normal_quantile(1 - alpha / gates) + normal_quantile(POWER)
        if is_share:
            return detectable_loss_of_share(
                margin, deviates, self.error, self.baseline, self.queries
            )
        return margin + deviates * self.error


@dataclass(frozen=True)
class CellDifference:
    """Recall@k of one cell in both runs."""

    case: Case
    direction: Direction
    k: int
    candidate: float
    baseline: float
    low: float
    high: float
    """Two-sided 95 % interval of candidate - baseline."""
    wins: int
    losses: int
    """Queries that the candidate alone, and the baseline alone, hit."""
    p: float
    """Two-sided: exact McNemar; where patients repeat, the score test with their design effect."""

    @property
    def value(self) -> float:
        return self.candidate - self.baseline

    def as_json(self) -> Json:
        return {
            "case": self.case.as_json(),
            "direction": self.direction,
            "k": self.k,
            "candidate": self.candidate,
            "baseline": self.baseline,
            "difference": self.value,
            "interval": [self.low, self.high],
            "wins": self.wins,
            "losses": self.losses,
            "p": self.p,
        }


class Comparison:
    """Two runs side by side: why they cannot be compared, and where they can, what differs."""

    def __init__(self, candidate: Run, baseline: Run) -> None:
        self.candidate, self.baseline = candidate, baseline
        self._order: dict[tuple[str, Direction], NDArray[np.int64] | None] = {}

    @cached_property
    def obstacles(self) -> tuple[str, ...]:
        """Why the two runs cannot be compared: the wrong baseline, or other data."""
        return tuple(self._obstacles())

    @cached_property
    def vanished(self) -> tuple[str, ...]:
        """What the baseline has, and the candidate, although whole, lacks."""
        return (
            ()
            if self.obstacles or self.candidate.measured.scope.partial
            else tuple(self._vanished())
        )

    def _obstacles(self) -> Iterator[str]:
        new, old = self.candidate.measured, self.baseline.measured
        if new.identity.id == old.identity.id:
            yield (
                "Expected a baseline of another run, got the run itself (id"
                f" {new.identity.id}). Compare with an earlier run."
            )
            return
        for what, reason in (
            ("limited", old.limit and f"--robust-limit {old.limit}"),
            ("partial", old.scope.partial),
        ):
            if reason:
                yield (
                    f"Expected a whole run as baseline, got a {what} one ({reason})."
                    " Make it again without that."
                )
        if new.limit is not None and new.limit != old.limit:
            yield (
                "Expected a whole run to compare with the baseline, got one of the"
                f" first {new.limit} pairs. Leave --robust-limit out."
            )
            return
        yield from self._other_data()
        yield from self._other_precision()

    def _other_data(self) -> Iterator[str]:
        theirs = {
            dataset["name"]: dataset for dataset in self.baseline.measured.datasets
        }
        for dataset in self.candidate.measured.datasets:
            other = theirs.get(dataset["name"])
            if other is None or None in (
                dataset.get("pixel_digest", ""),
                other.get("pixel_digest", ""),
            ):
                continue  # nothing to set side by side: one of them was not swept
            fact = next(
                (fact for fact in _FACTS if dataset.get(fact) != other.get(fact)), None
            )
            if fact is not None:
                yield (
                    f"Expected the same {_FACTS[fact]} of {dataset['name']} in both"
                    f" runs, got {fact}={_short(dataset.get(fact))} and in the baseline"
                    f" {fact}={_short(other.get(fact))}. Measure the baseline again on"
                    " this data."
                )
            elif any(
                self.order(dataset["name"], direction) is None
                for direction in DIRECTIONS
            ):
                yield self._other_queries(dataset["name"])

    def _other_queries(self, dataset: str) -> str:
        mine, theirs = (
            run.evidence.query_keys(dataset, DIRECTIONS[0])
            for run in (self.candidate, self.baseline)
        )
        if mine is None or theirs is None:
            got = "a run whose ranks.npz holds no query keys"
        else:
            shared = len(np.intersect1d(mine, theirs))
            got = (
                f"{len(mine)} images and in the baseline {len(theirs)}, {shared} of"
                " them the same"
            )
        return (
            f"Expected the same queries of {dataset} in both runs, got {got}. Measure"
            " the baseline again on this data."
        )

    def _other_precision(self) -> Iterator[str]:
        theirs = self.baseline.measured.by_case
        other = {
            (outcome.timing.precision, theirs[outcome.case].timing.precision)
            for outcome in self.candidate.measured.outcomes
            if outcome.case in theirs
        }
        for mine, its in sorted(pair for pair in other if pair[0] != pair[1]):
            yield (
                f"Expected the same precision in both runs, got precision={mine} and in"
                f" the baseline precision={its}. Run one of them again with"
                " --robust-precision."
            )

    def _vanished(self) -> Iterator[str]:
        here = self.candidate.measured.by_case
        gone: dict[str, list[Case]] = {}
        for outcome in self.baseline.measured.outcomes:
            if outcome.case not in here:
                gone.setdefault(outcome.case.model, []).append(outcome.case)
        for model, cases in gone.items():
            if model not in self.candidate.measured.measured_models:
                yield (
                    f"Expected all models of the baseline, got none of the {len(cases)}"
                    f" cells of {model}{self._renamed(model)}. Test it too, or make a"
                    " baseline without it."
                )
            else:
                more = "" if len(cases) == 1 else f" and {len(cases) - 1} more"
                yield (
                    f"Expected all cells of the baseline, got no {cases[0]}{more}."
                    " Measure what it measured."
                )

    def _renamed(self, model: str) -> str:
        """Whether another name has the same weights now."""
        hashes = {
            record.name: record.card.get("sha256")
            for record in self.baseline.measured.models
        }
        for record in self.candidate.measured.models:
            if record.card.get("sha256") is not None and record.card.get(
                "sha256"
            ) == hashes.get(model):
                return f" (the weights of {record.name} are the same: was it renamed?)"
        return ""

    def order(self, dataset: str, direction: Direction) -> NDArray[np.int64] | None:
        """(N,) the places of the candidate's queries in the baseline's; None where they
        are not the same ones.
        """
        if (dataset, direction) not in self._order:
            mine = self.candidate.evidence.query_keys(dataset, direction)
            theirs = self.baseline.evidence.query_keys(dataset, direction)
            self._order[dataset, direction] = (
                None if mine is None or theirs is None else _matched(mine, theirs)
            )
        return self._order[dataset, direction]

    def cells(self, ks: Sequence[int] | None = None) -> Iterator[CellDifference]:
        """Every cell that both runs have, in both directions and at every k of the
        candidate; a level 0 is one cell, whatever the occluder and seed.
        """
        theirs, clean = self.baseline.measured.by_case, set()
        for outcome in self.candidate.measured.outcomes:
            other, case = theirs.get(outcome.case), outcome.case
            if other is None or (
                case.level == 0 and (case.model, case.dataset) in clean
            ):
                continue
            if case.level == 0:
                clean.add((case.model, case.dataset))
            for direction, k in product(
                DIRECTIONS, ks or sorted(outcome.image_to_report.recall)
            ):
                found = self._cell(outcome, other, direction, k)
                if found is not None:
                    yield found

    def _cell(
        self, outcome: Outcome, other: Outcome, direction: Direction, k: int
    ) -> CellDifference | None:
        pair = self._pair([outcome], [other], direction, k)
        if pair is None:
            return None
        counts, means = (
            pair.counts(),
            (float(pair.mine.mean()), float(pair.theirs.mean())),
        )
        return CellDifference(
            outcome.case,
            direction,
            k,
            *means,
            *counts.bounds(0.025),
            counts.wins,
            counts.losses,
            counts.p,
        )

    def _pair(
        self,
        mine: Sequence[Outcome],
        theirs: Sequence[Outcome],
        direction: Direction,
        k: int,
    ) -> _Pair | None:
        dataset = mine[0].case.dataset
        order = self.order(dataset, direction)
        new = [self.candidate.evidence.ranks(outcome, direction) for outcome in mine]
        old = [self.baseline.evidence.ranks(outcome, direction) for outcome in theirs]
        if order is None or any(
            ranks is None or len(ranks) != len(order) for ranks in (*new, *old)
        ):
            return None
        clusters = self.candidate.evidence.clusters(dataset, direction, len(order))
        hits = hits_of([ranks for ranks in new if ranks is not None], [k])
        return _Pair(
            hits,
            hits_of([ranks[order] for ranks in old if ranks is not None], [k]),
            clusters,
        )

    def difference(
        self,
        curves: Sequence[Curve],
        direction: Direction,
        limit: BaselineLimit,
        alpha: float,
        gates: int,
    ) -> Difference | str:
        """Candidate minus baseline over the levels of the curves of one model, data set
        and occluder, a curve a seed; a sentence where the baseline has not the same.
        """
        theirs = self.baseline.measured.by_case
        missing = [
            o.case for curve in curves for o in curve.outcomes if o.case not in theirs
        ]
        if missing:
            return (
                f"the baseline has no {missing[0]}: measure it with these models,"
                " occluders, levels and seeds"
            )
        levels = curves[0].levels
        if len(levels) == 1 and limit.metric != "recall":
            return (
                f"{limit.metric.replace('_', ' ')} takes two levels or more: add some"
                " to --robust-levels"
            )
        pairs = [
            self._pair(
                curve.outcomes,
                [theirs[o.case] for o in curve.outcomes],
                direction,
                limit.k,
            )
            for curve in curves
        ]
        known = [pair for pair in pairs if pair is not None]
        if len(known) < len(pairs):
            return _OTHER_RANKS
        new, old = (
            np.mean([getattr(one, side) for one in known], axis=0)
            for side in ("mine", "theirs")
        )
        pair = _Pair(new, old, known[0].clusters)
        return pair.over_levels(limit.metric, levels, alpha, gates)

    def cell_difference(
        self,
        clean: Outcome,
        outcome: Outcome,
        direction: Direction,
        limit: BaselineLimit,
        alpha: float,
        gates: int,
    ) -> Difference | str:
        """Candidate minus baseline of one cell."""
        theirs = self.baseline.measured.by_case
        if outcome.case not in theirs or clean.case not in theirs:
            return f"the baseline has no {outcome.case}: measure it there too"
        mine = [outcome] if limit.metric == "recall" else [clean, outcome]
        pair = self._pair(mine, [theirs[one.case] for one in mine], direction, limit.k)
        if pair is None:
            return _OTHER_RANKS
        if limit.metric == "recall":
            return pair.of_recall(alpha, gates)
        return pair.over_levels(
            limit.metric, (clean.case.level, outcome.case.level), alpha, gates
        )

    def clean_of(self, clean: Outcome) -> Outcome | None:
        """The baseline's outcome with nothing hidden."""
        return self.baseline.measured.by_case.get(clean.case)


@dataclass(frozen=True)
class _Counts:
    """Discordant pairs: queries, of `n`, that the candidate alone, or the baseline alone, hits."""

    wins: int
    losses: int
    n: int
    effect: float
    """The design effect of their difference: 1 where no patient repeats."""

    def bounds(self, alpha: float) -> tuple[float, float]:
        """One-sided bounds of the difference, each at the error `alpha`, as of that
        many independent queries.
        """
        return paired_score_bounds(
            self.wins / self.effect,
            self.losses / self.effect,
            self.n / self.effect,
            alpha,
        )

    @property
    def p(self) -> float:
        if self.effect == 1:
            return mcnemar_exact(self.wins, self.losses)
        return paired_score_p(self.wins / self.effect, self.losses / self.effect)


@dataclass(frozen=True)
class _Pair:
    """(N, L) hits of the same queries in the same cells of two runs."""

    mine: Floats
    theirs: Floats
    clusters: Clusters

    def counts(self) -> _Counts:
        apart = self.mine[:, 0] - self.theirs[:, 0]
        effect = design_effect(apart, self.clusters)
        return _Counts(
            int((apart > 0).sum()), int((apart < 0).sum()), len(apart), effect
        )

    def of_recall(self, alpha: float, gates: int) -> Difference:
        counts = self.counts()
        (low, high), (_, failing) = counts.bounds(alpha), counts.bounds(alpha / gates)
        error = (high - low) / (2 * normal_quantile(1 - alpha))
        return Difference(
            float(self.mine.mean()),
            float(self.theirs.mean()),
            low,
            failing,
            error,
            len(self.mine),
        )

    def two_more(self) -> Floats:
        """(2, 2 L) values of a patient more who gains and of one who loses, at all
        levels, as much as those usually do in whom the runs differ, and the more of all
        the fewer those are: the bounds keep a width where none differs, and hardly
        widen where many do.
        """
        apart = self.mine - self.theirs
        usual = len(apart) / self.clusters.count
        sums = self.clusters.sums(
            np.column_stack([apart.mean(axis=1), np.abs(apart).sum(axis=1)])
        )
        differing = int((sums[:, 1] > 0).sum())
        gain = min(
            1.0,
            float(
                np.sqrt((1 + (sums[:, 0] @ sums[:, 0]) / usual**2) / (1 + differing))
            ),
        )
        new, old = self.mine.mean(axis=0), self.theirs.mean(axis=0)
        return np.stack(
            [
                np.append(new + gain / 2, old - gain / 2),
                np.append(new - gain / 2, old + gain / 2),
            ]
        )

    def over_levels(
        self, metric: str, levels: Sequence[float], alpha: float, gates: int
    ) -> Difference:
        """The paired bootstrap over patients, and two more of them."""
        name, count = "mean_retention" if metric == "retention" else metric, len(levels)
        means = resampled_means(
            np.hstack([self.mine, self.theirs]), self.clusters, pseudo=self.two_more()
        )
        samples = _capped(name, levels, means[:, :count]) - _capped(
            name, levels, means[:, count:]
        )
        values = [
            float(_capped(name, levels, hits.mean(axis=0)[None])[0])
            for hits in (self.mine, self.theirs)
        ]
        passing, failing = tail(samples, alpha), -tail(-samples, alpha / gates)
        return Difference(
            values[0], values[1], passing, failing, float(samples.std()), len(self.mine)
        )


def _capped(name: str, levels: Sequence[float], recalls: Floats) -> Floats:
    """A half level that is not reached counts as the highest level that was measured."""
    return np.minimum(
        statistic(name, levels, recalls), levels[-1] if name == "half_level" else np.inf
    )


def _matched(
    mine: NDArray[np.int64], theirs: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """The places of `mine` in `theirs`; texts that occur more than once are matched in
    their order.
    """
    if len(mine) != len(theirs):
        return None
    here, there = np.argsort(mine, kind="stable"), np.argsort(theirs, kind="stable")
    if not np.array_equal(mine[here], theirs[there]):
        return None
    order = np.empty(len(mine), dtype=np.int64)
    order[here] = there
    return order


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:16]}...'"
