"""The intervals of curves that reports show, from resampled patients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np

from ..core.cases import DIRECTIONS, Case, Direction
from ..retrieval.curve import Curve
from .curve_statistics import Floats, Statistic, retention_of, statistic, tails
from .evidence import Evidence
from .hit_samples import HitColumn, HitSamples

_TAIL = 0.025
"""What lies beyond each end of a two-sided 95 % interval."""
_COLUMNS = 128
"""Levels and k that are resampled together, of several curves: they take 10 MB."""


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
    several = [curve for curve in curves if len(curve.outcomes) > 1]
    for (_, ks_of_directions), group in groupby(several, key=_dataset_and_ks):
        for batch in _batches(list(group)):
            samples = [
                _shares_of_curves(batch, direction, ks, evidence)
                for direction, ks in zip(DIRECTIONS, ks_of_directions, strict=True)
            ]
            for number, curve in enumerate(batch):
                for direction, of_curves in zip(DIRECTIONS, samples, strict=True):
                    of_curve = None if of_curves is None else of_curves[number]
                    yield from _of_curve(curve, direction, evidence, of_curve)


def _dataset_and_ks(curve: Curve) -> tuple[str, tuple[list[int], ...]]:
    ks = tuple(sorted(curve.clean.scores(direction).recall) for direction in DIRECTIONS)
    return curve.clean.case.dataset, ks


def _batches(curves: Sequence[Curve]) -> Iterator[Sequence[Curve]]:
    """Curves that are resampled together: one look at the draws does for all."""
    columns = max(len(curve.outcomes) * len(curve.ks) for curve in curves)
    together = max(1, _COLUMNS // max(1, columns))
    for start in range(0, len(curves), together):
        yield curves[start : start + together]


def _shares_of_curves(
    curves: Sequence[Curve], direction: Direction, ks: Sequence[int], evidence: Evidence
) -> list[Floats] | None:
    """(K, L, B) Recall@k of each curve of one data set in resamples of the patients;
    None where ranks are missing, or no whole numbers can be counted.
    """
    columns: list[HitColumn] = []
    for curve in curves:
        of_curve = evidence.columns(curve.outcomes, direction, ks)
        if of_curve is None:
            return None
        columns += of_curve
    queries = len(columns[0].hits)
    if any(len(column.hits) != queries for column in columns):
        return None
    dataset = curves[0].clean.case.dataset
    clusters = evidence.clusters(dataset, direction, queries)
    # A collector of its own: nothing of it is asked for again.
    shares = HitSamples().shares(columns, dataset, clusters)
    if shares is None:
        return None
    arrays = []
    start = 0
    for curve in curves:
        stop = start + len(curve.outcomes) * len(ks)
        # Each level has its k side by side.
        of_ks = [shares[start + index : stop : len(ks)] for index in range(len(ks))]
        arrays.append(np.array(of_ks))
        start = stop
    return arrays


def _of_curve(
    curve: Curve, direction: Direction, evidence: Evidence, shares: Floats | None
) -> Iterator[tuple[CurveKey, CurveIntervals]]:
    """The intervals of a curve at each k, from (K, L, B) shares of hits if they are given."""
    ks = sorted(curve.clean.scores(direction).recall)
    if shares is None:
        samples = evidence.samples(curve.outcomes, direction, ks)
        if samples is None:
            return
        shares = samples.transpose(2, 1, 0)
    clean = curve.clean
    queries = clean.scores(direction).queries
    patients = evidence.clusters(clean.case.dataset, direction, queries)
    tail_share = patients.patient_sizes.tail_share(_TAIL)
    for index, k in enumerate(ks):
        key = (curve.clean.case, direction, k)
        of_k = np.ascontiguousarray(shares[index])
        yield key, _intervals(curve.levels, of_k, tail_share)


def _intervals(
    levels: tuple[float, ...], shares: Floats, tail_share: float
) -> CurveIntervals:
    """The intervals of (L, B) recalls."""

    def interval(values: Floats) -> Interval:
        return Interval(*tails(values, tail_share))

    retention = {}
    for level, hidden in zip(levels[1:], shares[1:], strict=True):
        # Retention is that of the last level, so that each level ends a shorter curve.
        retention[level] = interval(retention_of(shares[0], hidden))
    # The numbers of one sample side by side, as products with weights sum them.
    samples = np.ascontiguousarray(shares.T)
    return CurveIntervals(
        retention,
        auc=interval(statistic(Statistic.AUC, levels, samples)),
        half_level=interval(statistic(Statistic.HALF_LEVEL, levels, shares.T)),
        slope=interval(statistic(Statistic.SLOPE, levels, samples)),
    )
