"""The intervals of curves that reports show, from resampled patients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from ..core.cases import DIRECTIONS, Case, Direction
from ..retrieval.curve import Curve
from .evidence import Evidence, Floats, Statistic, statistic, tail

_TAIL = 0.025
"""What lies beyond each end of a two-sided 95 % interval."""


@dataclass(frozen=True)
class Interval:
    """A two-sided 95 % interval; inf above where a half level may lie beyond what was measured."""

    low: float
    high: float


@dataclass(frozen=True)
class CurveIntervals:
    """The intervals of a curve at one k."""

    retention: Mapping[float, Interval]
    auc: Interval
    half_level: Interval
    slope: Interval


CurveKey: TypeAlias = tuple[Case, Direction, int]
"""The clean case of a curve, a direction and a k."""


def curve_intervals(
    curves: Iterable[Curve], evidence: Evidence
) -> Iterator[tuple[CurveKey, CurveIntervals]]:
    """The intervals of every curve of two levels or more whose ranks are known."""
    for curve, direction in product(curves, DIRECTIONS):
        if len(curve.outcomes) == 1:
            continue
        ks = sorted(curve.clean.scores(direction).recall)
        samples = evidence.samples(curve.outcomes, direction, ks)
        if samples is None:
            continue
        for index, k in enumerate(ks):
            # The samples of one k lie apart in memory: a copy makes them one block.
            of_k = samples[:, :, index].copy()
            key = (curve.clean.case, direction, k)
            yield key, _intervals(curve.levels, of_k)


def _intervals(levels: tuple[float, ...], samples: Floats) -> CurveIntervals:
    retention = {}
    for count, level in enumerate(levels[1:], start=2):
        # Retention is that of the last level, so that each level ends a shorter curve.
        values = statistic(Statistic.RETENTION, levels[:count], samples[:, :count])
        retention[level] = _interval(values)
    return CurveIntervals(
        retention,
        auc=_interval(statistic(Statistic.AUC, levels, samples)),
        half_level=_interval(statistic(Statistic.HALF_LEVEL, levels, samples)),
        slope=_interval(statistic(Statistic.SLOPE, levels, samples)),
    )


def _interval(values: Floats) -> Interval:
    return Interval(tail(values, _TAIL), -tail(-values, _TAIL))
