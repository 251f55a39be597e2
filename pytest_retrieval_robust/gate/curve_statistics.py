"""The numbers that are made of recalls at several levels, of many resamples at once, and the
bounds that these give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.string_enum import StrEnum
from ..core.words import known_word
from ..retrieval.intervals import Estimate, normal_quantile
from ..retrieval.patients import PatientSizes

Floats: TypeAlias = NDArray[np.float64]


class Statistic(StrEnum):
    """A number that is made of the recalls at several levels."""

    RECALL = "recall"
    """Their mean."""
    RETENTION = "retention"
    """The last level's share of level 0; inf where a sample has no recall to lose."""
    MEAN_RETENTION = "mean_retention"
    """The mean share of level 0 over the hidden levels."""
    AUC = "auc"
    HALF_LEVEL = "half_level"
    """Inf where recall is not halved."""
    SLOPE = "slope"


STATISTICS = tuple(name.value for name in Statistic)
_FEWEST_IN_A_TAIL = 10
"""Resamples beyond a quantile without which it is taken from the normal distribution instead."""
_LOOKED_AT_FIRST = 1000
_NO_RECALL = 1e-12
"""Stands for a clean recall of 0, which nothing can be divided by."""


def estimate_of(
    value: float, samples: Floats, patients: PatientSizes, confidence: float
) -> Estimate:
    """A number with the bounds that its bootstrap samples of the patients give, each held
    with `confidence`.
    """
    low, high = tails(samples, patients.tail_share(1 - confidence))
    error = math.inf
    if np.isfinite(samples).all():
        error = float(samples.std()) * patients.expansion
    return Estimate(
        value, low, high, error, patients.queries, patients.degrees_of_freedom
    )


def tail(samples: Floats, share: float) -> float:
    """The value that a `share` of the samples lies below; from the normal distribution
    where that is too few to say.
    """
    return tails(samples, share)[0]


def tails(samples: Floats, share: float) -> tuple[float, float]:
    """The values that a `share` of the samples lies below, and above: see `tail`."""
    is_finite = bool(np.isfinite(samples).all())
    if not is_finite and np.isnan(samples).any():
        return math.nan, math.nan
    if share * len(samples) < _FEWEST_IN_A_TAIL and is_finite:
        middle = float(samples.mean())
        reach = float(normal_quantile(share) * samples.std())
        return middle + reach, middle - reach
    # The quantiles of numpy's method "lower".
    below = math.floor((len(samples) - 1) * share)
    return _nth_smallest(samples, below), -_nth_smallest(-samples, below)


def _nth_smallest(samples: Floats, number: int) -> float:
    """The value with `number` smaller or equal ones before it: that of a partition, in
    less than half of the time, because a partition branches at each value.
    """
    # A few samples say below which value to look.
    few = samples[:_LOOKED_AT_FIRST]
    place = min(2 * number * len(few) // len(samples) + 1, len(few) - 1)
    bound = np.partition(few, place)[place]
    low = samples[samples <= bound]
    if len(low) <= number:
        low = samples
    return float(np.partition(low, number)[number])


def statistic(name: str, levels: Sequence[float], recalls: Floats) -> Floats:
    """(B,) numbers: a statistic of each of (B, L) recalls, as `curve` computes it of one
    curve.

    Raises:
        ArgumentError: `name` is none of `STATISTICS`.
    """
    chosen = Statistic(known_word("statistic", name, STATISTICS))
    if chosen is Statistic.RECALL:
        mean: Floats = recalls.mean(axis=1)
        return mean
    if chosen is Statistic.AUC:
        area: Floats = recalls @ area_weights(levels)
        return area
    if chosen is Statistic.SLOPE:
        slope: Floats = recalls @ _slope_weights(levels)
        return slope
    if chosen is Statistic.HALF_LEVEL:
        return _half_levels(levels, recalls)
    if chosen is Statistic.RETENTION:
        return retention_of(recalls[:, 0], recalls[:, -1])
    clean = np.maximum(recalls[:, 0], _NO_RECALL)
    # Mean retention stays finite, because those of two runs are subtracted.
    mean_retention: Floats = recalls[:, 1:].mean(axis=1) / clean
    return mean_retention


def retention_of(clean: Floats, hidden: Floats) -> Floats:
    """(B,) the share of each clean recall that is left; inf where there is none."""
    has_recall = clean > 0
    if has_recall.all():
        kept: Floats = hidden / np.maximum(clean, _NO_RECALL)
        return kept
    left: Floats = np.where(has_recall, hidden / np.maximum(clean, _NO_RECALL), np.inf)
    return left


def area_weights(levels: Sequence[float]) -> Floats:
    """(L,) what the area under a curve weighs each level by; two levels or more."""
    weights = np.zeros(len(levels))
    for index, (low, high) in enumerate(pairwise(levels)):
        weights[index : index + 2] += (high - low) / 2
    return weights / (levels[-1] - levels[0])


def _slope_weights(levels: Sequence[float]) -> Floats:
    centred = np.array(levels) - np.mean(levels)
    weights: Floats = centred / (centred @ centred)
    return weights


def _half_levels(levels: Sequence[float], recalls: Floats) -> Floats:
    """(B,) where the first segment crosses half of the clean recall, or inf."""
    # Level by level, because each is one block of memory.
    by_level = np.ascontiguousarray(recalls.T)
    half = by_level[0] / 2
    is_above = np.ones(len(half), dtype=np.bool_)
    segments = np.zeros(len(half), dtype=np.int64)
    for hidden in by_level[1:]:
        is_above &= ~(hidden <= half)
        segments += is_above
    crossings = np.full(len(half), np.inf)
    rows = np.flatnonzero(~is_above & (half > 0))
    if len(rows) == 0:
        return crossings
    segment = segments[rows]
    places = segment * len(half) + rows
    above = by_level.ravel()[places]
    below = by_level.ravel()[places + len(half)]
    # Where a curve does not fall there is nothing to interpolate; 1 avoids 0 / 0.
    fall = np.where(above > below, above - below, 1.0)
    low = np.array(levels)[segment]
    high = np.array(levels)[segment + 1]
    share = np.clip((above - half[rows]) / fall, 0.0, 1.0)
    crossings[rows] = low + (high - low) * share
    return crossings
