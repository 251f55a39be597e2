"""What differs between a candidate's run and a baseline's, on the same queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..core.cases import DIRECTIONS, Case, Direction, Family, Json
from ..core.outcomes import Outcome
from ..retrieval.curve import Curve
from .baseline import BaselineLimit
from .comparability import obstacles
from .difference import Difference, Errors, NotComparable
from .error_ratios import PairedErrors
from .evidence import hits_of
from .number_words import number_name, takes_two_levels
from .paired_hits import PairedHits
from .pairing import Orders, Pairing
from .pairing import Run as Run  # whoever compares runs finds them here too
from .perturbed import Perturbed, hidden_outcomes

_OTHER_RANKS = NotComparable(
    "the ranks of both runs do not belong to the same queries: make the baseline again"
)


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


def compare(
    candidate: Run, baseline: Run, orders: Orders | None = None
) -> Comparison | NotComparable:
    """The comparison of two runs, or the first reason why there is none.

    `orders` are what earlier comparisons of the same two runs found out of their queries.
    """
    pairing = Pairing(candidate, baseline, orders)
    reasons = obstacles(pairing)
    return NotComparable(reasons[0]) if reasons else Comparison(pairing)


class Comparison:
    """What differs between two runs that may be compared."""

    def __init__(self, pairing: Pairing) -> None:
        self.pairing = pairing
        self.candidate = pairing.candidate
        self.baseline = pairing.baseline

    def baseline_of(self, outcome: Outcome) -> Outcome | None:
        """What the baseline measured of the same case."""
        return self.baseline.measured.by_case.get(outcome.case)

    def cells(self, ks: Sequence[int] | None = None) -> Iterator[CellDifference]:
        """Every cell that both runs have, in both directions and at every k of the
        candidate.
        """
        for outcome in self._shared_outcomes():
            measured_ks = ks or sorted(outcome.image_to_report.recall)
            for direction, k in product(DIRECTIONS, measured_ks):
                hits = self._paired_hits([outcome], direction, k)
                if hits is not None:
                    yield _cell_difference(outcome.case, direction, k, hits)

    def of_levels(
        self,
        curves: Sequence[Curve],
        direction: Direction,
        limit: BaselineLimit,
        errors: Errors,
    ) -> Difference | NotComparable:
        """Candidate minus baseline over the levels of the curves of one model, data set
        and occluder: one curve per seed.
        """
        levels = curves[0].levels
        if len(levels) == 1 and limit.metric != "recall":
            family = curves[0].clean.case.family
            name = number_name(limit.metric, family)
            return NotComparable(f"{name} {takes_two_levels(family)}")
        pooled = self.hits_of_curves(curves, direction, limit.k)
        if isinstance(pooled, NotComparable):
            return pooled
        return pooled.over_levels(limit.metric, levels, errors)

    def hits_of_curves(
        self, curves: Sequence[Curve], direction: Direction, k: int
    ) -> PairedHits | NotComparable:
        """The hits at every level of the curves of one model, data set and occluder, in
        the mean over the seeds: one curve per seed.
        """
        for outcome in (each for curve in curves for each in curve.outcomes):
            if self.baseline_of(outcome) is None:
                return NotComparable(
                    f"the baseline has no {outcome.case}: measure it with these models,"
                    f" {_asked_words(outcome.case.family)} and seeds"
                )
        seeds: list[PairedHits] = []
        for curve in curves:
            hits = self._paired_hits(curve.outcomes, direction, k)
            if hits is None:
                return _OTHER_RANKS
            seeds.append(hits)
        # A query that is hit with half of the mask layouts is half a hit.
        return PairedHits(
            np.mean([hits.candidate for hits in seeds], axis=0),
            np.mean([hits.baseline for hits in seeds], axis=0),
            seeds[0].clusters,
        )

    def errors(
        self, perturbed: Perturbed, direction: Direction, k: int
    ) -> PairedErrors | NotComparable:
        """The errors of both runs at k, with nothing done and under each perturbation."""
        clean = next(iter(perturbed.values()))[0].clean
        together = [[clean], *map(hidden_outcomes, perturbed.values())]
        every: list[PairedHits] = []
        for outcomes in together:
            for outcome in outcomes:
                if self.baseline_of(outcome) is None:
                    return NotComparable(
                        f"the baseline has no {outcome.case}: measure it with the same"
                        " perturbations, levels and seeds"
                    )
            hits = self._paired_hits(outcomes, direction, k)
            if hits is None:
                return _OTHER_RANKS
            every.append(hits)
        return PairedErrors.of(every[0], every[1:])

    def of_cell(
        self, curve: Curve, direction: Direction, limit: BaselineLimit, errors: Errors
    ) -> Difference | NotComparable:
        """Candidate minus baseline of one cell, given as the curve from level 0 to it."""
        outcome = curve.outcomes[-1]
        if any(self.baseline_of(each) is None for each in (curve.clean, outcome)):
            return NotComparable(
                f"the baseline has no {outcome.case}: measure it there too"
            )
        outcomes = [outcome] if limit.metric == "recall" else curve.outcomes
        hits = self._paired_hits(outcomes, direction, limit.k)
        if hits is None:
            return _OTHER_RANKS
        if limit.metric == "recall":
            return hits.of_recall(errors)
        return hits.over_levels(limit.metric, curve.levels, errors)

    def _shared_outcomes(self) -> Iterator[Outcome]:
        """The candidate's outcomes that the baseline has too. Level 0 is one cell,
        whatever the occluder and seed.
        """
        clean: set[tuple[str, str]] = set()
        for outcome in self.candidate.measured.outcomes:
            if self.baseline_of(outcome) is None:
                continue
            if outcome.case.level == 0:
                subject = (outcome.case.model, outcome.case.dataset)
                if subject in clean:
                    continue
                clean.add(subject)
            yield outcome

    def _paired_hits(
        self, outcomes: Sequence[Outcome], direction: Direction, k: int
    ) -> PairedHits | None:
        """The hits of outcomes that both runs have; None where their ranks are missing
        or belong to other queries.
        """
        dataset = outcomes[0].case.dataset
        order = self.pairing.order(dataset, direction)
        if order is None:
            return None
        candidate_ranks = []
        baseline_ranks = []
        for outcome in outcomes:
            reference = self.baseline_of(outcome)
            if reference is None:
                return None
            ranks = self.candidate.evidence.ranks(outcome, direction)
            reference_ranks = self.baseline.evidence.ranks(reference, direction)
            if ranks is None or reference_ranks is None:
                return None
            if not len(ranks) == len(reference_ranks) == len(order):
                return None
            candidate_ranks.append(ranks)
            # The baseline's ranks, in the order of the candidate's queries.
            baseline_ranks.append(reference_ranks[order])
        return PairedHits(
            hits_of(candidate_ranks, [k]),
            hits_of(baseline_ranks, [k]),
            self.candidate.evidence.clusters(dataset, direction, len(order)),
        )


def _asked_words(family: Family) -> str:
    if family == "occlusion":
        return "occluders, levels"
    return "corruptions, severities" if family == "corruption" else "noise, severities"


def _cell_difference(
    case: Case, direction: Direction, k: int, hits: PairedHits
) -> CellDifference:
    counts = hits.discordant()
    low, high = counts.bounds(0.025)
    return CellDifference(
        case,
        direction,
        k,
        candidate=float(hits.candidate.mean()),
        baseline=float(hits.baseline.mean()),
        low=low,
        high=high,
        wins=int(counts.wins),
        losses=int(counts.losses),
        p=counts.p,
    )
