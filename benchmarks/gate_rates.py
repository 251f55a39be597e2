"""How often the release gate is wrong, on pairs of models whose truth is known: `python
-m benchmarks.gate_rates`.

Each pair is drawn anew: true recall that falls over the levels, how alike the two
models are, how alike a patient's studies are. Their hits are then judged as a saved
run's are, by the package's own code. What is printed are shares of the pairs with
Wilson's intervals; the exit code is 1 where one of them is outside of what is promised
by more than the number of pairs explains. 1,000 pairs take a quarter of an hour on one
core, `--quick` a tenth of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.core.cases import Case, Direction, Plan
from pytest_retrieval_robust.core.outcomes import Outcome, Scores, Timing
from pytest_retrieval_robust.core.verdict import Metric, Over
from pytest_retrieval_robust.gate.comparison import Comparison, Run
from pytest_retrieval_robust.gate.difference import (
    Difference,
    Errors,
    NotComparable,
    non_inferior,
)
from pytest_retrieval_robust.gate.evidence import Evidence
from pytest_retrieval_robust.gate.judge import Judge
from pytest_retrieval_robust.gate.limits import BaselineLimit
from pytest_retrieval_robust.gate.measurements import Identity, Measurements, Scope
from pytest_retrieval_robust.gate.pairing import Pairing
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.rules import Rule
from pytest_retrieval_robust.retrieval.curve import (
    Curve,
    area_under_curve,
    half_level,
    least_squares_slope,
    retention,
)
from pytest_retrieval_robust.retrieval.intervals import (
    POWER,
    normal_quantile,
    wilson_interval,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
OCCLUDERS, GATES, K, ALPHA, MARGIN = 4, 24, 10, 0.05, 0.02
"""Four occluders at six levels are the 24 gates that a policy over cells plans."""
SINGLE = 3
"""The cell that speaks for the single gates: the first occluder at level 0.3."""
MODEL, DATASET = "model", "simulated"
DIRECTION: Direction = "image-to-report"
CERTAIN = 0.999
"""A rate is outside of what is promised where its interval at this confidence is."""
COVERED, NEAR = (0.93, 0.97), 0.03
MARGINS = (0.02, 0.03, 0.05)


@dataclass(frozen=True)
class World:
    """What is true of a pair of models and of the patients that they are measured on.

    Whether a query is hit is whether a normal variable is below the threshold of its
    recall. The variable of a model is a part that both models share and one of its own;
    of either, a share is the patient's, and a share the query's at all levels and
    occluders.
    """

    baseline: Floats
    """(C,) true recall in each cell."""
    candidate: Floats
    alike: float
    """Correlation of the two models' variables."""
    patient: float
    """Share of the variance that a patient's queries have in common, at all levels."""
    query: float
    """Share that a query has in common over the cells, beyond its patient's."""
    sizes: Ints
    """Queries of each patient."""

    @cached_property
    def patients(self) -> Ints:
        """(N,) the patient of each query."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def worse_by(self, loss: float) -> World:
        """The same patients, with a candidate that loses so much in every cell."""
        return replace(self, candidate=self.baseline - loss)

    def drawn(self, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """(N, C) ranks of the candidate and of the baseline: 1 where a query is hit."""
        shared, mine, theirs = (self._part(rng) for _ in range(3))
        common, own = np.sqrt(self.alike) * shared, np.sqrt(1 - self.alike)
        return _ranks(common + own * mine, self.candidate), _ranks(
            common + own * theirs, self.baseline
        )

    def _part(self, rng: np.random.Generator) -> Floats:
        queries, cells = len(self.patients), len(self.baseline)
        found: Floats = np.sqrt(1 - self.patient - self.query) * rng.standard_normal(
            (queries, cells)
        )
        found += np.sqrt(self.query) * rng.standard_normal((queries, 1))
        found += (
            np.sqrt(self.patient)
            * rng.standard_normal((len(self.sizes), 1))[self.patients]
        )
        return found

    def error(self, cells: Sequence[int]) -> float:
        """The true standard error of the mean difference over the cells, patients and all."""
        places = list(cells)
        recalls = np.concatenate([self.candidate[places], self.baseline[places]])
        weights = np.repeat([1 / len(places), -1 / len(places)], len(places))
        models = np.repeat(
            np.repeat([[1.0, self.alike], [self.alike, 1.0]], len(places), 0),
            len(places),
            1,
        )
        levels = np.full((len(places), len(places)), self.patient + self.query)
        np.fill_diagonal(levels, 1.0)
        apart = np.outer(recalls, recalls)
        one = (
            weights
            @ (_both_below(recalls, models * np.tile(levels, (2, 2))) - apart)
            @ weights
        )
        two = weights @ (_both_below(recalls, models * self.patient) - apart) @ weights
        queries = float(self.sizes.sum())
        pairs = float((self.sizes * (self.sizes - 1)).sum())
        return float(np.sqrt(queries * one + pairs * two) / queries)


def _ranks(variables: Floats, recalls: Floats) -> Ints:
    thresholds = np.array([normal_quantile(recall) for recall in recalls])
    return np.where(variables < thresholds, 1, 1000)


def _both_below(shares: Floats, correlations: Floats) -> Floats:
    """(A, A) P(X < a, Y < b) of normal variables, a and b the quantiles of `shares`; by
    Gauss and Legendre.

    The density integrated over the correlation (Z. Drezner and G. O. Wesolowsky, 1990),
    in its angle.
    """
    quantiles = np.array([normal_quantile(share) for share in shares])
    a, b = quantiles[:, None, None], quantiles[None, :, None]
    nodes, weights = np.polynomial.legendre.leggauss(64)
    reach = np.arcsin(np.minimum(correlations, 1 - 1e-12))[:, :, None]
    angles = reach * (nodes + 1) / 2
    density = np.exp(
        -(a * a + b * b - 2 * a * b * np.sin(angles)) / (2 * np.cos(angles) ** 2)
    )
    found: Floats = np.outer(shares, shares) + (density @ weights) * reach[:, :, 0] / (
        4 * np.pi
    )
    found[correlations >= 1 - 1e-12] = np.minimum.outer(shares, shares)[
        correlations >= 1 - 1e-12
    ]
    return found


@dataclass(frozen=True)
class Setting:
    """What a simulation's pairs have in common."""

    queries: int
    studies: float = 1.0
    """The mean number of a patient."""
    agreement: float | None = None
    """Correlation of the hits of the two models where recall is a half; None: from 0.5
    to 0.85, at random.
    """
    occluders: int = 1
    clean: tuple[float, float] = (0.8, 0.95)
    """Between what the recall at level 0 lies."""
    last: tuple[float, float] = (0.3, 0.5)
    """Between what the recall at the last level lies."""

    def world(self, rng: np.random.Generator) -> World:
        """A pair of equal models, whose recall falls straight or bent."""
        clean, last, bend = (
            rng.uniform(*self.clean),
            rng.uniform(*self.last),
            rng.uniform(0.7, 1.6),
        )
        falling = clean - (clean - last) * (np.array(LEVELS) / LEVELS[-1]) ** bend
        agreement = rng.uniform(0.5, 0.85) if self.agreement is None else self.agreement
        patient, query = rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.4)
        recalls: Floats = np.tile(falling, self.occluders)
        alike, sizes = (
            float(np.sin(np.pi / 2 * agreement)),
            _sizes(self.queries, self.studies, rng),
        )
        return World(recalls, recalls, alike, patient, query, sizes)

    def __str__(self) -> str:
        patients = (
            f" of {self.queries / self.studies:,.0f} patients"
            if self.studies > 1
            else ""
        )
        return f"{self.queries:,} queries{patients}"


def _sizes(queries: int, studies: float, rng: np.random.Generator) -> Ints:
    """Studies of each patient, together `queries`: one and a geometric number more."""
    found = rng.geometric(1 / studies, size=queries).astype(np.int64)
    found = found[: int(np.searchsorted(np.cumsum(found), queries)) + 1]
    found[-1] -= found.sum() - queries
    return found


@dataclass(frozen=True)
class Held:
    """A run's ranks and patients, in memory."""

    ranks: Mapping[str, Ints]
    patients: Ints

    def of_case(self, ranks_key: str) -> Mapping[str, Ints] | None:
        ranks = self.ranks.get(ranks_key)
        return None if ranks is None else {"image_ranks": ranks, "report_ranks": ranks}

    def of_dataset(self, name: str) -> Mapping[str, Ints] | None:
        keys = np.arange(len(self.patients))
        found = {"image_query_key": keys, "report_query_key": keys}
        return (
            {**found, "cluster": self.patients, "report_cluster": self.patients}
            if name == DATASET
            else None
        )


def run_of(name: str, ranks: Ints, patients: Ints) -> Run:
    """A run of one model whose cells are the columns of `ranks`, an occluder's levels
    after another's.
    """
    outcomes = tuple(_outcome(number, column) for number, column in enumerate(ranks.T))
    occluders = tuple(dict.fromkeys(outcome.case.occluder for outcome in outcomes))
    measured = Measurements(
        identity=Identity(name, "2026-01-01T00:00:00+00:00", "0"),
        scope=Scope(None, "pytest"),
        limit=None,
        plan=Plan((MODEL,), (DATASET,), occluders, LEVELS, (0,), (K,)),
        outcomes=outcomes,
        costs=(),
        breaking=(),
        models=(),
        datasets=({"name": DATASET},),
        broken=(),
        broken_tests=0,
        notes=(),
    )
    held = {
        str(outcome.case): column
        for outcome, column in zip(outcomes, ranks.T, strict=True)
    }
    return Run(measured, Evidence(Held(held, patients)))


def _outcome(number: int, ranks: Ints) -> Outcome:
    occluder, level = divmod(number, len(LEVELS))
    case = Case(MODEL, DATASET, f"occluder-{occluder}", LEVELS[level], 0)
    recall, queries = float((ranks <= K).mean()), len(ranks)
    scores = Scores(
        queries, queries, {K: K / queries}, {K: recall}, {K: (0.0, 1.0)}, 1.0, recall
    )
    return Outcome(
        case,
        case.level,
        case.level,
        scores,
        scores,
        Timing(1.0, 1.0, 0.0, "cpu", "fp32"),
        str(case),
    )


@dataclass(frozen=True)
class Measured:
    """Two runs that were drawn from a world, side by side."""

    comparison: Comparison

    @classmethod
    def drawn(
        cls, world: World, rng: np.random.Generator, *, heeds_patients: bool = True
    ) -> Measured:
        mine, theirs = world.drawn(rng)
        patients = world.patients if heeds_patients else np.arange(len(mine))
        candidate = run_of("candidate", mine, patients)
        baseline = run_of("baseline", theirs, patients)
        return cls(Comparison(Pairing(candidate, baseline)))

    @property
    def cells(self) -> Sequence[Outcome]:
        return self.comparison.candidate.measured.outcomes

    @property
    def curve(self) -> Curve:
        """That of the first occluder."""
        return Curve(tuple(self.cells[: len(LEVELS)]))

    def pooled(
        self, gates: int = 1, metric: Metric = "recall", alpha: float = ALPHA
    ) -> Difference:
        """The first curve's difference, over its levels."""
        limit = BaselineLimit(K, MARGIN, "levels", metric)
        errors = Errors(alpha, gates)
        return _known(self.comparison.of_levels([self.curve], DIRECTION, limit, errors))

    def single(
        self, cell: int = SINGLE, gates: int = 1, alpha: float = ALPHA
    ) -> Difference:
        """The difference in one cell."""
        limit = BaselineLimit(K, MARGIN, "cells")
        curve = Curve((self.cells[0], self.cells[cell]))
        errors = Errors(alpha, gates)
        return _known(self.comparison.of_cell(curve, DIRECTION, limit, errors))

    def stated_loss(self, over: Over, gates: int, cell: int = SINGLE) -> float:
        """The smallest detectable loss that the verdict states."""
        limit = BaselineLimit(K, MARGIN, over)
        policy = Policy((Rule("simulated", limits=(limit,)),))
        judge = Judge(policy, comparison=self.comparison, gates_of=lambda _: gates)
        verdicts = (
            judge.baseline([self.curve])
            if over == "levels"
            else judge.cell(self.cells[cell], self.cells[0])
        )
        (loss,) = [
            verdict.detectable_loss
            for verdict in verdicts
            if verdict.detectable_loss is not None
        ]
        return loss


def _known(difference: Difference | NotComparable) -> Difference:
    if isinstance(difference, NotComparable):
        raise ValueError(difference.reason)
    return difference


@dataclass(frozen=True)
class Rate:
    """A share of pairs, and between what it is promised to be."""

    hits: int
    of: int
    promised: tuple[float, float] | None = None

    @property
    def kept(self) -> bool:
        if self.promised is None:
            return True
        low, high = wilson_interval(self.hits, self.of, CERTAIN)
        return low <= self.promised[1] and high >= self.promised[0]

    def __str__(self) -> str:
        low, high = wilson_interval(self.hits, self.of)
        share = f"{100 * self.hits / self.of:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        return share if self.kept else f"**{share}**"


@dataclass
class Tally:
    """What happened in each pair, and what theory says of it."""

    events: dict[str, list[bool]] = field(default_factory=dict)
    theories: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, happened: bool, theory: float = 0.0) -> None:
        self.events.setdefault(what, []).append(bool(happened))
        self.theories.setdefault(what, []).append(theory)

    def rate(self, what: str, promised: tuple[float, float] | None = None) -> Rate:
        return Rate(sum(self.events[what]), len(self.events[what]), promised)

    def theory(self, what: str) -> float:
        return sum(self.theories[what]) / len(self.theories[what])

    def beside_theory(self, what: str) -> tuple[Rate, str]:
        """A rate that is promised to be near theory, and theory."""
        theory = self.theory(what)
        return self.rate(what, (theory - NEAR, theory + NEAR)), f"{100 * theory:.1f}"


Row = tuple[Rate | str, ...]


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def outside(self) -> int:
        """How many rates are outside of what is promised."""
        return sum(
            not cell.kept for row in self.rows for cell in row if isinstance(cell, Rate)
        )

    def __str__(self) -> str:
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        return "\n".join(
            [
                f"{self.title}\n",
                *(f"| {' | '.join(map(str, line))} |" for line in lines),
            ]
        )


STUDIES = 2.5
SMALL, ALONE, REPEATED = Setting(500, STUDIES), Setting(1000), Setting(1000, STUDIES)
FEW = Setting(500, 10)
"""Too few patients for what is asymptotic: reported, and nothing promised."""
SINGLES = (SINGLE, 0)


def false_releases(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """A candidate that is worse by exactly the margin in every cell: whether it is released."""
    promised = (0.0, ALPHA)
    rows: list[Row] = [
        (str(setting), *_released(setting, pairs, rng, promised))
        for setting in (ALONE, REPEATED, SMALL)
    ]
    yield Table(
        "False releases, % of pairs: a candidate worse by exactly the margin of"
        f" {MARGIN:g} passes (at most 5)",
        (
            "",
            "pooled over 6 levels",
            *(f"single cell, level {LEVELS[cell]:g}" for cell in SINGLES),
        ),
        (
            *rows,
            (f"few patients: {FEW}", *_released(FEW, pairs, rng)),
            (
                f"patients ignored: {REPEATED}",
                *_released(REPEATED, pairs, rng, heeds_patients=False),
            ),
        ),
    )


def _released(
    setting: Setting,
    pairs: int,
    rng: np.random.Generator,
    promised: tuple[float, float] | None = None,
    *,
    heeds_patients: bool = True,
) -> list[Rate | str]:
    tally = Tally()
    for _ in range(pairs):
        measured = Measured.drawn(
            setting.world(rng).worse_by(MARGIN), rng, heeds_patients=heeds_patients
        )
        tally.add("pooled", non_inferior(measured.pooled(GATES), MARGIN) == "pass")
        for cell in SINGLES:
            tally.add(
                str(cell), non_inferior(measured.single(cell, GATES), MARGIN) == "pass"
            )
    return [tally.rate(what, promised) for what in ("pooled", *map(str, SINGLES))]


def false_blocks(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """Equal models: whether any of 24 gates fails, at the margin and, where it is most
    likely, at a margin of 0.
    """
    apart, together, pooled = Tally(), Tally(), Tally()
    wide = replace(REPEATED, occluders=OCCLUDERS)
    for _ in range(pairs):
        # With nothing in common between its cells, a run is 24 independent ones.
        world = replace(
            replace(ALONE, occluders=OCCLUDERS).world(rng), patient=0.0, query=0.0
        )
        _block(apart, _singles(Measured.drawn(world, rng)))
        _block(together, _singles(Measured.drawn(wide.world(rng), rng)))
    for _ in range(max(2, pairs // 4)):
        drawn = [Measured.drawn(SMALL.world(rng), rng) for _ in range(GATES)]
        _block(
            pooled, [(measured.pooled(), measured.pooled(GATES)) for measured in drawn]
        )
    whole, shared = 1 - (1 - ALPHA) ** GATES, 1 - (1 - ALPHA / GATES) ** GATES
    rows: list[Row] = [
        (what, *(tally.rate(which, promised) for which, promised in BLOCKED.items()))
        for what, tally in (
            (f"independent single gates, {ALONE} each", apart),
            (f"single gates of one run, 4 occluders at 6 levels, {REPEATED}", together),
            (f"independent pooled gates, {SMALL} each", pooled),
        )
    ]
    theory = (
        "independent gates, in theory",
        "",
        f"{100 * shared:.1f}",
        f"{100 * whole:.1f}",
        f"{100 * ALPHA:.1f}",
    )
    yield Table(
        f"False blocks, % of equal pairs: any of {GATES} gates fails (at most 5)",
        ("", *BLOCKED),
        (*rows, theory),
    )


BLOCKED: Mapping[str, tuple[float, float] | None] = {
    f"margin {MARGIN:g}": (0.0, ALPHA),
    "margin 0": (0.0, ALPHA),
    f"margin 0, each of the {GATES} at the whole error": None,
    "one gate alone, margin 0": (0.0, ALPHA),
}


def _singles(measured: Measured) -> list[tuple[Difference, Difference]]:
    """Each cell's gate, were it the only one, and as one of 24."""
    return [
        (measured.single(cell), measured.single(cell, GATES)) for cell in range(GATES)
    ]


def _block(tally: Tally, gates: Sequence[tuple[Difference, Difference]]) -> None:
    at_margin, at_zero, uncorrected, _ = BLOCKED
    tally.add(
        at_margin, any(non_inferior(shared, MARGIN) == "fail" for _, shared in gates)
    )
    tally.add(at_zero, any(non_inferior(shared, 0.0) == "fail" for _, shared in gates))
    tally.add(
        uncorrected, any(non_inferior(whole, 0.0) == "fail" for whole, _ in gates)
    )
    for whole, _ in gates[:1]:
        tally.add("one gate alone, margin 0", non_inferior(whole, 0.0) == "fail")


EQUAL = tuple(
    Setting(queries, studies, 0.7, OCCLUDERS)
    for queries in (500, 1000, 3000)
    for studies in (1, STUDIES)
)


def equal_pairs(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """Equal models: how often they are released, beside theory, and how often that is left open."""
    power: list[Row] = []
    left_open: list[Row] = []
    for setting in EQUAL:
        tally = Tally()
        for _ in range(pairs):
            _judge_equal(tally, setting.world(rng), rng)
        for margin in MARGINS:
            cells = [
                cell
                for over in ("pooled", "single")
                for cell in tally.beside_theory(f"{over} {margin}")
            ]
            power.append((str(setting), f"{margin:g}", *cells))
            shares = (
                tally.rate(f"{over} {margin} open")
                for over in ("pooled", "single", "any")
            )
            left_open.append((str(setting), f"{margin:g}", *shares))
    yield Table(
        "Power, % of equal pairs that pass (within 3 points of theory)",
        (
            "",
            "margin",
            "pooled over 6 levels",
            "theory",
            f"single cell, level {LEVELS[SINGLE]:g}",
            "theory",
        ),
        tuple(power),
    )
    yield Table(
        "Left open, % of equal pairs",
        (
            "",
            "margin",
            "pooled over 6 levels",
            f"single cell, level {LEVELS[SINGLE]:g}",
            f"any of {GATES} single cells",
        ),
        tuple(left_open),
    )


def _judge_equal(tally: Tally, world: World, rng: np.random.Generator) -> None:
    measured = Measured.drawn(world, rng)
    pooled, singles = (
        measured.pooled(GATES),
        [measured.single(cell, GATES) for cell in range(GATES)],
    )
    for margin in MARGINS:
        for over, found, cells in (
            ("pooled", pooled, range(len(LEVELS))),
            ("single", singles[SINGLE], [SINGLE]),
        ):
            verdict, theory = (
                non_inferior(found, margin),
                _passing(margin, world.error(cells)),
            )
            tally.add(f"{over} {margin}", verdict == "pass", theory)
            tally.add(f"{over} {margin} open", verdict == "inconclusive")
        tally.add(
            f"any {margin} open",
            any(non_inferior(one, margin) == "inconclusive" for one in singles),
        )


def _passing(margin: float, error: float) -> float:
    """The chance that an equal model's lower bound clears the margin, for a difference
    that is normal.
    """
    return NormalDist().cdf(margin / error - normal_quantile(1 - ALPHA))


def detected_losses(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """A candidate that is worse by the smallest detectable loss that another run's
    verdict states: whether it fails.
    """
    rows: list[Row] = []
    for setting in (ALONE, REPEATED, SMALL):
        tally = Tally()
        for _ in range(pairs):
            world = setting.world(rng)
            _detect(tally, world, Measured.drawn(world, rng), rng)
        rows.append(
            (str(setting), *(tally.rate(what, SEEN[what]) for what in tally.events))
        )
    yield Table(
        f"Losses seen, % of pairs: a candidate worse by the loss that {GATES} planned"
        f" gates say they see fails (within 3 points of {100 * POWER:g}; at level 0"
        " from 77 to 90)",
        (
            "",
            "pooled over 6 levels",
            *(f"single cell, level {LEVELS[cell]:g}" for cell in SINGLES),
        ),
        tuple(rows),
    )


SEEN = {
    "pooled": (POWER - NEAR, POWER + NEAR),
    str(SINGLE): (POWER - NEAR, POWER + NEAR),
    "0": (POWER - NEAR, 0.9),
}
"""Near a recall of 1 the loss is stated a little too large: as if the hits of the
baseline, which loses none, came to vary more too.
"""


def _detect(
    tally: Tally, world: World, equal: Measured, rng: np.random.Generator
) -> None:
    worse = Measured.drawn(world.worse_by(equal.stated_loss("levels", GATES)), rng)
    tally.add("pooled", non_inferior(worse.pooled(GATES), MARGIN) == "fail")
    for cell in SINGLES:
        worse = Measured.drawn(
            world.worse_by(equal.stated_loss("cells", GATES, cell)), rng
        )
        tally.add(str(cell), non_inferior(worse.single(cell, GATES), MARGIN) == "fail")


COVERAGE = tuple(
    Setting(queries, studies, clean=(0.75, 0.95), last=(0.25, 0.5))
    for queries in (500, 1000)
    for studies in (1, STUDIES)
)
CORNERS = (
    *(
        Setting(200, studies, clean=(0.99, 0.99), last=(0.9, 0.97))
        for studies in (1, STUDIES)
    ),
    FEW,
)
INTERVAL = 0.025
"""The error of each end of a 95 % interval."""


def coverage(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """Whether intervals of 95 % hold what is true."""
    yield _coverage(
        "Coverage of 95 % intervals, % of pairs (93 to 97)",
        COVERAGE,
        COVERED,
        pairs,
        rng,
    )
    yield _coverage(
        "The same in hard corners: recall of 0.99 that falls to 0.9 to 0.97; few"
        " patients",
        CORNERS,
        None,
        pairs,
        rng,
    )


def _coverage(
    title: str,
    settings: Sequence[Setting],
    promised: tuple[float, float] | None,
    pairs: int,
    rng: np.random.Generator,
) -> Table:
    tallies = [_covered(setting, pairs, rng) for setting in settings]
    names = dict.fromkeys(name for tally in tallies for name in tally.events)
    rows = (
        (
            name,
            *(
                (
                    tally.rate(name, None if name == BEYOND else promised)
                    if len(tally.events.get(name, ())) >= FEWEST
                    else ""
                )
                for tally in tallies
            ),
        )
        for name in names
    )
    return Table(title, ("", *map(str, settings)), tuple(rows))


CURVE = {
    "retention": "retention",
    "auc": "area",
    "half_level": "half level",
    "slope": "slope",
}
BEYOND = "half level, near the last level or beyond"
"""What is cut off there is not covered by 95 %, but by more."""
FEWEST = 20
"""Pairs without which a rate is not worth a cell."""


def _covered(setting: Setting, pairs: int, rng: np.random.Generator) -> Tally:
    tally = Tally()
    for _ in range(pairs):
        world = setting.world(rng)
        world = world.worse_by(rng.uniform(0.0, 0.05))
        measured = Measured.drawn(world, rng)
        _cover_levels(tally, world, measured)
        _cover_curve(tally, world, measured)
        _cover_differences(tally, world, measured)
    return tally


def _cover_levels(tally: Tally, world: World, measured: Measured) -> None:
    evidence = measured.comparison.candidate.evidence
    for cell in (0, SINGLE, len(LEVELS) - 1):
        recall = evidence.recall(measured.cells[cell], DIRECTION, K, 1 - INTERVAL)
        tally.add(
            f"Recall@k, level {LEVELS[cell]:g}",
            recall.low <= world.candidate[cell] <= recall.high,
        )
    for cell in (0, SINGLE, len(LEVELS) - 1):
        apart = measured.single(cell, alpha=INTERVAL)
        truth = world.candidate[cell] - world.baseline[cell]
        tally.add(
            f"paired difference, level {LEVELS[cell]:g}",
            apart.passes_at <= truth <= apart.fails_at,
        )


def _cover_curve(tally: Tally, world: World, measured: Measured) -> None:
    evidence = measured.comparison.candidate.evidence
    for name, truth in true_statistics(world.candidate).items():
        found = evidence.of_curve(measured.curve, DIRECTION, K, name, 1 - INTERVAL)
        assert found is not None
        beyond = name == "half_level" and truth > 0.9 * LEVELS[-1]
        tally.add(BEYOND if beyond else CURVE[name], found.low <= truth <= found.high)


def true_statistics(recalls: Floats) -> dict[str, float]:
    """What the curve's own code says of true recalls; inf for a half level that is not reached."""
    values = recalls.tolist()
    half = half_level(LEVELS, values)
    return {
        "retention": retention(values)[-1],
        "auc": area_under_curve(LEVELS, values),
        "half_level": np.inf if half is None else half,
        "slope": least_squares_slope(LEVELS, values),
    }


def _cover_differences(tally: Tally, world: World, measured: Measured) -> None:
    names: dict[Metric, str] = {
        "recall": "mean recall",
        "retention": "mean retention",
        "auc": "area",
    }
    for metric, what in names.items():
        apart = measured.pooled(metric=metric, alpha=INTERVAL)
        truth = _true_metric(metric, world.candidate) - _true_metric(
            metric, world.baseline
        )
        tally.add(f"difference of {what}", apart.passes_at <= truth <= apart.fails_at)
    halves = [
        true_statistics(recalls)["half_level"]
        for recalls in (world.candidate, world.baseline)
    ]
    if max(halves) <= 0.9 * LEVELS[-1]:
        apart = measured.pooled(metric="half_level", alpha=INTERVAL)
        tally.add(
            "difference of half level",
            apart.passes_at <= halves[0] - halves[1] <= apart.fails_at,
        )


def _true_metric(metric: str, recalls: Floats) -> float:
    mean = float(np.mean(recalls if metric == "recall" else recalls[1:] / recalls[0]))
    return true_statistics(recalls)["auc"] if metric == "auc" else mean


SECTIONS = (false_releases, false_blocks, equal_pairs, detected_losses, coverage)


def tables(pairs: int, seed: int, sections: Iterable[str]) -> Iterator[Table]:
    """Those of each section, whose pairs depend on its name and the seed alone."""
    for number, section in enumerate(SECTIONS):
        if section.__name__ in sections:
            yield from section(pairs, np.random.default_rng([seed, number]))


def main() -> int:
    """Print every table; 1 where something is outside of what is promised."""
    names = [section.__name__ for section in SECTIONS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="100 pairs")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, help="some of the tables"
    )
    chosen = parser.parse_args()
    pairs, outside, start = (
        100 if chosen.quick else chosen.pairs,
        0,
        time.perf_counter(),
    )
    print(
        f"{pairs:,} pairs of models, seed {chosen.seed}; shares with Wilson's intervals"
        " of 95 %.",
        flush=True,
    )
    for table in tables(pairs, chosen.seed, chosen.only):
        print(f"\n{table}", flush=True)
        outside += table.outside
    print(
        f"\n{outside} outside of what is promised (in bold);"
        f" {time.perf_counter() - start:.0f} s"
    )
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
