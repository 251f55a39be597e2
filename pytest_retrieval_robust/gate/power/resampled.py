"""What a bootstrap over patients makes of a number, before there is a sample: how far its
bounds lie from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...retrieval.intervals import normal_quantile
from .normal import mean_below
from .sampling import Sample


@dataclass(frozen=True)
class Spread:
    """How far the resamples of a number lie from it, in the mean over samples."""

    shift: float
    """How far their middle lies from it: two patients are added to each resample."""
    error: float
    """Their standard deviation."""
    true_error: float
    """Standard deviation of the number itself, from sample to sample."""


def is_above(
    sample: Sample, distance: float, spread: Spread, probability: float
) -> float:
    """How likely a bound is above a limit that lies `distance` below the true number.

    The bound is the lower one where its `probability` of lying below the truth is above
    0.5, the upper one where it is below, and the number itself at 0.5.
    """
    if spread.true_error <= 0:
        return float(distance >= 0)
    if probability == 0.5:
        return mean_below(np.array([distance / spread.true_error]))
    # How many standard deviations of the resamples the bound lies away from their middle.
    share = sample.sizes.tail_share(min(probability, 1 - probability))
    deviate = math.copysign(normal_quantile(share), probability - 0.5)
    reach = deviate * spread.error * sample.error_ratios
    return mean_below((distance + spread.shift - reach) / spread.true_error)
