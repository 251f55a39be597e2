"""The series of a run: its outcomes by model, data set, occluder, direction and k."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from ..core.cases import DIRECTIONS, FAMILIES, Case, Direction, Family
from ..core.outcomes import Outcome
from ..core.verdict import GateKey, GateKind, VerdictName
from ..gate.curve_intervals import CurveIntervals, CurveKey
from ..gate.record import RunRecord
from ..retrieval.curve import (
    area_under_curve,
    half_level,
    least_squares_slope,
    retention,
    retrieves,
)
from ._text import known
from .series import Point, Series

_WORST_FIRST: tuple[VerdictName, ...] = ("fail", "inconclusive", "pass", "ungated")
_TWO_SIDED = 1.959964
"""Standard errors on either side of a 95 % interval."""
_Cell = tuple[Case, str, int]
"""Case, direction, k."""
_Subject = tuple[str, str, Family, str]
"""Model, data set, family, perturbation."""
_Mean = tuple[_Subject, float, str, int]
"""Subject, level, direction, k."""


def series_of(run: RunRecord) -> list[Series]:
    """Every series of the run, in the order of its models, data sets, families,
    perturbations, directions and k.
    """
    tables = _Tables(
        run.intervals,
        _cell_verdicts(run),
        _mean_intervals(run),
        {facts["name"]: facts.get("ceiling") or {} for facts in run.datasets},
        {family: _levels_of(run, family) for family in FAMILIES},
    )
    series = []
    for outcomes in _grouped(run):
        ks = sorted(outcomes[0].image_to_report.recall)
        for direction, k in product(DIRECTIONS, ks):
            series.append(_Line(tables, outcomes, direction, k).series())
    return series


def _levels_of(run: RunRecord, family: Family) -> tuple[float, ...]:
    """The levels of the plan; where some tests were left out, those that any of the
    others measured.
    """
    if run.scope.partial is None:
        return run.plan.levels_of(family)
    cases = [outcome.case for outcome in run.outcomes]
    return tuple(sorted({case.level for case in cases if case.family == family}))


def _grouped(run: RunRecord) -> Iterator[list[Outcome]]:
    """The outcomes of each model, data set and perturbation, in the order of the plan."""
    groups: dict[_Subject, list[Outcome]] = {}
    for outcome in run.outcomes:
        groups.setdefault(_subject(outcome.case), []).append(outcome)
    models = list(dict.fromkeys(model for model, *_ in groups))

    def order(subject: _Subject) -> tuple[int, ...]:
        model, dataset, family, name = subject
        return (
            _place(model, models),
            _place(dataset, run.plan.datasets),
            FAMILIES.index(family),
            _place(name, run.plan.names_of(family)),
        )

    for key in sorted(groups, key=order):
        yield groups[key]


def _subject(case: Case) -> _Subject:
    return case.model, case.dataset, case.family, case.occluder


def _place(name: str, order: Sequence[str]) -> int:
    """Behind all others where the plan lacks it, as a test of one's own may."""
    return order.index(name) if name in order else len(order)


@dataclass(frozen=True)
class _Tables:
    """What is looked up for every series of a run."""

    intervals: Mapping[CurveKey, CurveIntervals]
    verdicts: Mapping[_Cell, VerdictName]
    means: Mapping[_Mean, tuple[float, float]]
    """The intervals of means over mask layouts."""
    ceilings: Mapping[str, Mapping[str, float]]
    """Data set -> k as text -> Recall@k of a perfect model."""
    levels: Mapping[Family, tuple[float, ...]]
    """Those at which each family was to be measured."""

    def ceiling(self, dataset: str, direction: Direction, k: int) -> float | None:
        # Known for the direction from image to report alone.
        if direction != DIRECTIONS[0]:
            return None
        return known(self.ceilings.get(dataset, {}).get(str(k)))


@dataclass(frozen=True)
class _Line:
    """The outcomes that become one series."""

    tables: _Tables
    outcomes: Sequence[Outcome]
    direction: Direction
    k: int

    def series(self) -> Series:
        outcomes, has_common_seeds = _of_common_seeds(self.outcomes)
        case = outcomes[0].case
        scores = outcomes[0].scores(self.direction)
        seeds = tuple(sorted({outcome.case.seed for outcome in outcomes}))
        by_level = _by_level(outcomes)
        recall = tuple(self._point(group) for group in by_level.values())
        measured = [point for point in recall if point.value is not None]
        levels = [point.level for point in measured]
        values = [point.value for point in measured if point.value is not None]
        # A curve needs every level of the same layouts. Retention also needs a recall with
        # nothing hidden that is above chance: what is divided by it says nothing otherwise.
        is_complete = 0.0 in by_level and len(measured) == len(recall)
        retrieves_clean = (
            is_complete and values[0] > 0 and self._retrieves(by_level[0.0])
        )
        has_retention = retrieves_clean and has_common_seeds
        is_curve = has_common_seeds and len(measured) > 1
        intervals = self._intervals(case, seeds) if has_retention else None
        return Series(
            model=case.model,
            dataset=case.dataset,
            occluder=case.occluder,
            direction=self.direction,
            k=self.k,
            seeds=seeds,
            recall=recall,
            retention=_retention(levels, values, intervals) if has_retention else (),
            achieved=tuple(map(_achieved, by_level.values())),
            verdicts=tuple(map(self._worst_verdict, by_level.values())),
            queries=scores.queries,
            gallery=scores.gallery,
            chance=known(scores.chance.get(self.k)),
            ceiling=self.tables.ceiling(case.dataset, self.direction, self.k),
            auc=area_under_curve(levels, values) if is_curve else None,
            half_level=half_level(levels, values) if has_retention else None,
            half_interval=_half_interval(intervals),
            slope=least_squares_slope(levels, values) if is_curve else None,
            is_at_chance=is_complete and not retrieves_clean,
            family=case.family,
            missing=tuple(
                level
                for level in self.tables.levels[case.family]
                if level not in by_level
            ),
            altered=tuple(map(_altered, by_level.values())),
        )

    def _retrieves(self, clean: Sequence[Outcome]) -> bool:
        return retrieves(clean[0].scores(self.direction))

    def _intervals(self, case: Case, seeds: tuple[int, ...]) -> CurveIntervals | None:
        # Those of a curve are of one mask layout.
        if len(seeds) > 1:
            return None
        return self.tables.intervals.get((case.clean(), self.direction, self.k))

    def _point(self, outcomes: Sequence[Outcome]) -> Point:
        """The mean over the seeds at one level."""
        case = outcomes[0].case
        recalls = [
            known(outcome.recall(self.k, self.direction)) for outcome in outcomes
        ]
        measured = [recall for recall in recalls if recall is not None]
        if len(measured) < len(recalls):
            return Point(case.level, None)
        # One seed, or several that agree, as they do with nothing hidden.
        if len(set(measured)) == 1:
            intervals = outcomes[0].scores(self.direction).recall_interval
            low, high = intervals.get(self.k, (math.nan, math.nan))
            return Point(case.level, measured[0], known(low), known(high))
        key = (_subject(case), case.level, self.direction, self.k)
        bounds = self.tables.means.get(key)
        low_mean, high_mean = bounds or (None, None)
        return Point(case.level, fmean(measured), low_mean, high_mean)

    def _worst_verdict(self, outcomes: Sequence[Outcome]) -> VerdictName:
        verdicts = [
            self.tables.verdicts.get((outcome.case, self.direction, self.k), "ungated")
            for outcome in outcomes
        ]
        return min(verdicts, key=_WORST_FIRST.index)


def _of_common_seeds(outcomes: Sequence[Outcome]) -> tuple[Sequence[Outcome], bool]:
    """The outcomes of the mask layouts that every level has.

    All of them, and False, where the levels have none in common.
    """
    seeds_at: dict[float, set[int]] = {}
    for outcome in outcomes:
        seeds_at.setdefault(outcome.case.level, set()).add(outcome.case.seed)
    common = set.intersection(*seeds_at.values())
    if not common:
        return outcomes, False
    return [outcome for outcome in outcomes if outcome.case.seed in common], True


def _by_level(outcomes: Iterable[Outcome]) -> dict[float, list[Outcome]]:
    """Rising in level."""
    by_level: dict[float, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.case.level):
        by_level.setdefault(outcome.case.level, []).append(outcome)
    return by_level


def _achieved(outcomes: Sequence[Outcome]) -> float:
    return fmean(outcome.achieved_level for outcome in outcomes)


def _altered(outcomes: Sequence[Outcome]) -> float | None:
    """The least share of the seeds; None where one of them has none."""
    shares = [outcome.altered for outcome in outcomes if outcome.altered is not None]
    return min(shares) if len(shares) == len(outcomes) else None


def _retention(
    levels: Sequence[float], values: Sequence[float], intervals: CurveIntervals | None
) -> tuple[Point, ...]:
    bounds = {} if intervals is None else intervals.retention
    points = []
    for level, value in zip(levels, retention(values), strict=True):
        if level in bounds:
            interval = bounds[level]
            points.append(
                Point(level, value, known(interval.low), known(interval.high))
            )
        else:
            points.append(Point(level, value))
    return tuple(points)


def _half_interval(
    intervals: CurveIntervals | None,
) -> tuple[float, float | None] | None:
    if intervals is None or not math.isfinite(intervals.half_level.low):
        return None
    return intervals.half_level.low, known(intervals.half_level.high)


def _mean_intervals(run: RunRecord) -> dict[_Mean, tuple[float, float]]:
    """The interval of each mean over mask layouts.

    It holds the error by queries and that by layouts.
    """
    intervals: dict[_Mean, tuple[float, float]] = {}
    for layout in run.layouts:
        variance = layout.queries**2 + layout.layouts**2 / layout.seeds
        reach = _TWO_SIDED * math.sqrt(variance)
        low = max(0.0, layout.mean - reach)
        high = min(1.0, layout.mean + reach)
        subject = (layout.model, layout.dataset, layout.family, layout.occluder)
        key = (subject, layout.level, layout.direction, layout.k)
        intervals[key] = (low, high)
    return intervals


def _cell_verdicts(run: RunRecord) -> dict[_Cell, VerdictName]:
    """The worst verdict of the gates on recall and retention, and of the check against chance."""
    worst: dict[_Cell, VerdictName] = {}
    for verdict in run.verdicts:
        for direction, k in _marked(verdict.gate, run.plan.ks):
            cell = (verdict.case, direction, k)
            earlier = worst.get(cell, "ungated")
            worst[cell] = min(earlier, verdict.verdict, key=_WORST_FIRST.index)
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
