"""The normal distribution of many numbers at a time."""

from __future__ import annotations

import math

import numpy as np

from ..curve_statistics import Floats


def mean_below(deviates: Floats) -> float:
    """The mean over `deviates` of the chance that a standard normal variable is below."""
    scaled = np.asarray(deviates, dtype=np.float64).ravel() / math.sqrt(2)
    return math.fsum(math.erfc(-x) for x in scaled.tolist()) / (2 * scaled.size)
