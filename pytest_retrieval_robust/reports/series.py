"""The run as lines to draw or tabulate: Recall@k and what is kept of it, over the
level, with bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from ..core.cases import DIRECTIONS, Case, Direction
from ..core.errors import ConfigError
from ..core.names import parse_call
from ..core.outcomes import Outcome
from ..core.verdict import GateKey, GateKind, VerdictName
from ..gate.curve_intervals import CurveIntervals
from ..gate.record import RunRecord
from ..retrieval.curve import (
    area_under_curve,
    half_level,
    least_squares_slope,
    retention,
)
from ..retrieval.curve import retrieves as above_chance
from ._text import known, level_text, percent, short

_SEVERITY: tuple[VerdictName, ...] = ("fail", "inconclusive", "pass", "ungated")
_TWO_SIDED = 1.959964
_ANOTHER_SHARE = 0.05
EXACT = 0.01
"""By so much of the image a share may differ from its level and be called by it."""


@dataclass(frozen=True)
class Point:
    """A number at one level, with its 95 % interval; None where it is not known."""

    level: float
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """One model on a data set under an occluder in one direction at one k: over the
    levels, and over the seeds.
    """

    model: str
    dataset: str
    occluder: str
    direction: Direction
    k: int
    seeds: tuple[int, ...]
    recall: tuple[Point, ...]
    """Rising in level. The mean over the seeds, where there are several."""
    kept: tuple[Point, ...]
    """Recall@k divided by that at level 0; empty where that is not above chance or was
    not measured.
    """
    achieved: tuple[float, ...]
    """What share of the image was hidden at each level."""
    verdicts: tuple[VerdictName, ...]
    """The worst that a gate on recall or retention says of each level."""
    queries: int
    gallery: int
    chance: float | None
    ceiling: float | None
    auc: float | None
    half_level: float | None
    half_interval: tuple[float, float | None] | None
    """(lower, upper) with None above where it may lie beyond what was measured; None
    where nothing is known.
    """
    slope: float | None
    is_at_chance: bool
    """Whether there was nothing to lose: with nothing hidden it retrieves no better than chance."""

    @property
    def last_kept(self) -> float | None:
        """What is left at the highest level."""
        return self.kept[-1].value if len(self.kept) > 1 else None

    @property
    def is_severity(self) -> bool:
        """Whether the levels are severities, which hide another share of the image than
        their number.
        """
        least = max(_ANOTHER_SHARE, _cell_share(self.occluder))
        return any(
            abs(point.level - share) > least
            for point, share in zip(self.recall, self.achieved, strict=True)
        )

    def level_words(self, place: int) -> str:
        """What the level at that place is: `nothing hidden`, `30 % hidden`, `severity
        30 % (1.5 % hidden)`.

        With large cells the share is another one than was asked for.
        """
        level, achieved = self.recall[place].level, self.achieved[place]
        if level == 0:
            return "nothing hidden"
        if self.is_severity:
            return f"severity {level_text(level)} ({percent(achieved)} % hidden)"
        exact = abs(level - achieved) <= EXACT
        return (
            f"{level_text(level)} hidden"
            if exact
            else f"{percent(achieved)} % hidden (asked: {level_text(level)})"
        )

    @property
    def is_coarse(self) -> bool:
        """Whether the cells are too large for the shares that the levels ask for."""
        pairs = zip(self.recall, self.achieved, strict=True)
        return not self.is_severity and any(
            abs(point.level - share) > EXACT for point, share in pairs
        )


def what_is_hidden(series: Iterable[Series]) -> Iterator[str]:
    """Where levels are not the shares that are hidden, what is: a sentence for each
    such occluder.
    """
    for name, one in {
        one.occluder: one for one in series if one.is_severity or one.is_coarse
    }.items():
        if one.is_severity:
            yield (
                f"At its highest severity {short(name)} hides"
                f" {percent(max(one.achieved))} % of the image."
            )
        else:
            yield (
                f"The cells of {short(name)} are large: it hides"
                f" {', '.join(map(percent, one.achieved))} %."
            )


def _cell_share(occluder: str) -> float:
    """What share of the image one cell of its grid is, as far as its name says: shares
    come in whole cells.
    """
    try:
        grid = parse_call(occluder)[1].get("grid", "")
    except ConfigError:
        return 0.0
    return 1 / int(grid) ** 2 if grid.isdecimal() and int(grid) > 0 else 0.0


def series_of(run: RunRecord) -> list[Series]:
    """Every series of the run, in the order of its models, data sets, occluders,
    directions and k.
    """
    return list(_all_series(run))


def _all_series(run: RunRecord) -> Iterator[Series]:
    grouped: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in run.outcomes:
        grouped.setdefault(
            (outcome.case.model, outcome.case.dataset, outcome.case.occluder), []
        ).append(outcome)
    judged, spreads = _cell_verdicts(run), _spreads(run)
    ceilings = {facts["name"]: facts.get("ceiling") or {} for facts in run.datasets}
    models, plan = list(dict.fromkeys(model for model, _, _ in grouped)), run.plan

    def place(key: tuple[str, str, str]) -> tuple[int, ...]:
        orders = models, plan.datasets, plan.occluders
        return tuple(
            order.index(name) if name in order else len(order)
            for name, order in zip(key, orders, strict=True)
        )

    for outcomes in (grouped[key] for key in sorted(grouped, key=place)):
        for direction, k in product(
            DIRECTIONS, sorted(outcomes[0].image_to_report.recall)
        ):
            ceiling = (
                ceilings.get(outcomes[0].case.dataset, {}).get(str(k))
                if direction == DIRECTIONS[0]
                else None
            )
            yield _series(run, outcomes, direction, k, judged, spreads, ceiling)


def _series(
    run: RunRecord,
    outcomes: Sequence[Outcome],
    direction: Direction,
    k: int,
    judged: Mapping[_Cell, VerdictName],
    spreads: Mapping[_Spread, tuple[float, float]],
    ceiling: float | None,
) -> Series:
    outcomes, is_whole = _of_common_seeds(outcomes)
    case, seeds = (
        outcomes[0].case,
        tuple(sorted({outcome.case.seed for outcome in outcomes})),
    )
    at_level: dict[float, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda one: one.case.level):
        at_level.setdefault(outcome.case.level, []).append(outcome)
    points = tuple(
        _point(level, found, direction, k, spreads) for level, found in at_level.items()
    )
    whole = [(point.level, point.value) for point in points if point.value is not None]
    levels, values = [level for level, _ in whole], [value for _, value in whole]
    clean = at_level.get(0.0, [])
    is_known = bool(clean) and len(whole) == len(points)
    finds = is_known and values[0] > 0 and above_chance(clean[0].scores(direction))
    keeps = finds and is_whole
    intervals = (
        run.intervals.get((case.clean(), direction, k)) if len(seeds) == 1 else None
    )
    scores = outcomes[0].scores(direction)
    several = is_whole and len(whole) > 1
    return Series(
        model=case.model,
        dataset=case.dataset,
        occluder=case.occluder,
        direction=direction,
        k=k,
        seeds=seeds,
        recall=points,
        kept=_kept(levels, values, intervals) if keeps else (),
        achieved=tuple(
            fmean(outcome.achieved_level for outcome in found)
            for found in at_level.values()
        ),
        verdicts=tuple(
            _worst(judged, found, direction, k) for found in at_level.values()
        ),
        queries=scores.queries,
        gallery=scores.gallery,
        chance=known(scores.chance.get(k)),
        ceiling=known(ceiling),
        auc=area_under_curve(levels, values) if several else None,
        half_level=half_level(levels, values) if keeps else None,
        half_interval=_ends(intervals) if keeps and intervals is not None else None,
        slope=least_squares_slope(levels, values) if several else None,
        is_at_chance=is_known and not finds,
    )


def _of_common_seeds(outcomes: Sequence[Outcome]) -> tuple[Sequence[Outcome], bool]:
    """The outcomes of the mask layouts that every level has; all, and False, where the
    levels have none in common.
    """
    at_level: dict[float, set[int]] = {}
    for outcome in outcomes:
        at_level.setdefault(outcome.case.level, set()).add(outcome.case.seed)
    common = set.intersection(*at_level.values())
    return (
        ([one for one in outcomes if one.case.seed in common], True)
        if common
        else (outcomes, False)
    )


def _point(
    level: float,
    outcomes: Sequence[Outcome],
    direction: Direction,
    k: int,
    spreads: Mapping[_Spread, tuple[float, float]],
) -> Point:
    values = [known(outcome.recall(k, direction)) for outcome in outcomes]
    measured = [value for value in values if value is not None]
    if len(measured) < len(values):
        return Point(level, None)
    if len(set(values)) == 1:
        low, high = (
            outcomes[0].scores(direction).recall_interval.get(k, (math.nan, math.nan))
        )
        return Point(level, measured[0], known(low), known(high))
    case = outcomes[0].case
    spread = spreads.get((case.model, case.dataset, case.occluder, level, direction, k))
    return Point(level, fmean(measured), *((None, None) if spread is None else spread))


def _kept(
    levels: Sequence[float], values: Sequence[float], intervals: CurveIntervals | None
) -> tuple[Point, ...]:
    found = {} if intervals is None else intervals.retention
    return tuple(
        (
            Point(level, value, known(found[level].low), known(found[level].high))
            if level in found
            else Point(level, value)
        )
        for level, value in zip(levels, retention(values), strict=True)
    )


def _ends(intervals: CurveIntervals) -> tuple[float, float | None] | None:
    half = intervals.half_level
    return (half.low, known(half.high)) if math.isfinite(half.low) else None


_Spread = tuple[str, str, str, float, str, int]


def _spreads(run: RunRecord) -> dict[_Spread, tuple[float, float]]:
    """The interval of each mean over mask layouts, from the error by queries and that
    by layouts.
    """
    found: dict[_Spread, tuple[float, float]] = {}
    for one in run.layouts:
        reach = _TWO_SIDED * math.sqrt(one.queries**2 + one.layouts**2 / one.seeds)
        key = (one.model, one.dataset, one.occluder, one.level, one.direction, one.k)
        found[key] = max(0.0, one.mean - reach), min(1.0, one.mean + reach)
    return found


_Cell = tuple[Case, str, int]


def _cell_verdicts(run: RunRecord) -> dict[_Cell, VerdictName]:
    """The worst verdict of the gates on recall and retention, and of the check against chance."""
    worst: dict[_Cell, VerdictName] = {}
    for verdict in run.verdicts:
        for direction, k in _marked(verdict.gate, run.plan.ks):
            cell = (verdict.case, direction, k)
            earlier = worst.get(cell, "ungated")
            worst[cell] = min(earlier, verdict.verdict, key=_SEVERITY.index)
    return worst


def _marked(gate: GateKey, ks: Sequence[int]) -> Iterable[tuple[Direction, int]]:
    """The (direction, k) of its cell that a gate marks; none where it judges more than
    one cell.
    """
    if gate.kind is GateKind.ABOVE_CHANCE:
        return product(DIRECTIONS, ks)
    if gate.is_of_a_cell and gate.direction is not None and gate.k is not None:
        return [(gate.direction, gate.k)]
    return []


def _worst(
    judged: Mapping[_Cell, VerdictName],
    outcomes: Sequence[Outcome],
    direction: Direction,
    k: int,
) -> VerdictName:
    found = [
        judged.get((outcome.case, direction, k), "ungated") for outcome in outcomes
    ]
    return min(found, key=_SEVERITY.index)
