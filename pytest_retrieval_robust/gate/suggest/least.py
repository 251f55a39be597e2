"""The least that a number is expected to be in another sample of as many queries, and the
floor that a gate on it meets there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from statistics import NormalDist

import numpy as np

from ...core.verdict import DecidedBy
from ...retrieval.curve import half_level
from ...retrieval.intervals import (
    Estimate,
    deviates,
    proportion,
)
from ...retrieval.patients import PatientSizes
from ...retrieval.power import detectable_loss_of_share
from ...retrieval.prediction import effective_queries, least_predicted_share
from ..curve_statistics import Floats
from .numbers import above_half, refined

_FEWEST_DIGITS = 2
_MOST_DIGITS = 3
_OF_THE_REACH = 0.25
"""How much of the way to a limit its rounding may add."""


def confidence_at(deviate: float) -> float:
    """That of a one-sided bound so many standard errors away."""
    return NormalDist().cdf(deviate)


def floor_of_share(
    estimate: Estimate, deviate: float, decide: DecidedBy, confidence: float
) -> float | None:
    """The floor of a share of hits: what another sample reaches, or, by bound, what the
    lower bound of such a sample reaches.

    `estimate` has its bounds at `confidence_at(deviate)`. None where no query is hit.
    """
    queries = effective_queries(estimate, deviate)
    if queries is None:
        return None
    least = least_predicted_share(estimate.value, queries, deviate)
    if decide == "bound":
        df = estimate.degrees_of_freedom
        effect = estimate.queries / (estimate.effective or queries)
        least = proportion(least, estimate.queries, confidence, effect, df).low
    return rounded_down(least, estimate.value - least)


def floor_of_curve(
    far: Estimate, near: Estimate, decide: DecidedBy, confidence: float
) -> float | None:
    """The floor of a number of a curve, whose bounds come from resampled patients.

    `far` has its bounds at the deviate of the prediction, `near` at the confidence of the
    gate. None where they are unknown.
    """
    if not (math.isfinite(far.low) and math.isfinite(far.high)):
        return None
    # The difference of two samples is symmetric, whatever the skew of one.
    loss = math.sqrt(2) * (far.high - far.low) / 2
    if decide == "bound":
        # A sample that has lost hits varies more, so that its bound is further away.
        away = near.deviates(confidence)
        error = max(0.0, far.value - near.low) / away
        share = min(far.value, 1.0)
        loss = detectable_loss_of_share(loss, away, error, share, far.queries)
    return rounded_down(max(0.0, far.value - loss), loss)


def floor_of_half_level(
    levels: Sequence[float],
    values: Floats,
    recalls: Floats,
    patients: PatientSizes,
    deviate: float,
    decide: DecidedBy,
    confidence: float,
) -> float | None:
    """The floor of the half level: where a curve as low as another sample may have it
    comes down to half of its recall at level 0; the last level where it does not.

    `values` are the (1, L) recalls of the curve, `recalls` those of (B, L) resamples.
    None where nothing is hit at level 0, or there is a single patient.
    """
    df = patients.degrees_of_freedom
    away = math.sqrt(2) * deviates(confidence_at(deviate), df)
    if decide == "bound":
        away += deviates(confidence, df)
    if not math.isfinite(away):
        return None
    spread = above_half(levels, recalls).std(axis=0) * patients.expansion
    lowered = above_half(levels, values)[0] - away * spread
    if lowered[0] <= 0:
        return None
    grid, _ = refined(levels)
    floor = levels[-1]
    below = np.flatnonzero(lowered <= 0)
    if len(below):
        floor = _crossing(grid, lowered, int(below[0]))
    observed = half_level(levels, values[0].tolist()) or levels[-1]
    return rounded_down(floor, observed - floor)


def _crossing(levels: Floats, values: Floats, below: int) -> float:
    """Where values come down to 0, of which the first that is not above it is known."""
    before = values[below - 1]
    share = before / (before - values[below])
    return float(levels[below - 1] + share * (levels[below] - levels[below - 1]))


def rounded_down(limit: float, reach: float) -> float:
    """A floor with as few digits as leave it near, `reach` below what was observed.

    >>> rounded_down(0.4389, 0.1), rounded_down(0.4389, 0.03)
    (0.43, 0.438)
    """
    return float(_quantized(limit, reach, ROUND_FLOOR))


def rounded_up(limit: float, reach: float) -> float:
    """A margin, likewise.

    >>> rounded_up(0.0412, 0.0412)
    0.05
    """
    return float(_quantized(limit, reach, ROUND_CEILING))


def _quantized(limit: float, reach: float, rounding: str) -> Decimal:
    digits = _MOST_DIGITS
    if reach > 10**-_MOST_DIGITS:
        wanted = math.ceil(-math.log10(_OF_THE_REACH * reach))
        digits = min(_MOST_DIGITS, max(_FEWEST_DIGITS, wanted))
    return Decimal(repr(float(limit))).quantize(Decimal(1).scaleb(-digits), rounding)
