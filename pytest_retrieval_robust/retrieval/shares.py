"""A share of hits, with bounds over the patients whose queries they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Clusters, design_effect
from .intervals import Estimate, proportion


def share_of(
    values: NDArray[np.bool_] | NDArray[np.float64],
    patients: Clusters | None,
    confidence: float,
) -> Estimate:
    """The mean of (N,) hits, or of shares from 0 to 1, with bounds held with `confidence`
    each.

    They are Wilson's, of the effective sample size n / design effect, as far out as the
    degrees of freedom of the patients ask. A mean of shares varies less than that of
    hits, so that its bounds hold at least as much. Without `patients` each query has one
    of its own.
    """
    floats = values.astype(np.float64)
    mean = float(values.mean())
    if patients is None:
        return proportion(mean, len(values), confidence)
    return proportion(
        mean,
        len(values),
        confidence,
        design_effect(floats, patients),
        patients.patient_sizes.degrees_of_freedom,
    )
