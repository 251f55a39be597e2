"""Is confidence a warning? Areas under risk-coverage curves.

A system that may decline answers the queries of which it is most confident. Coverage is
the share that it answers, risk is the share of wrong ones among these. Y. Geifman and
R. El-Yaniv, "Selective Classification for Deep Neural Networks" (NeurIPS 2017); the
excess over the best order of the same answers is that of Y. Geifman, G. Uziel and R.
El-Yaniv (ICLR 2019), here exact for a finite sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def risk_coverage_area(
    confidence: NDArray[np.float64], is_wrong: NDArray[np.bool_]
) -> float:
    """The mean risk over all coverages 1/N, 2/N, ..., 1; in [0, 1], and lower is better.

    Where confidence tells nothing it is the share of wrong answers. Queries of equal
    confidence have no order: each counts as the mean of them, which is what a random
    order gives on average.

    >>> risk_coverage_area(np.array([0.9, 0.5]), np.array([False, True]))
    0.25
    >>> risk_coverage_area(np.array([0.5, 0.9]), np.array([False, True]))
    0.75

    Args:
        confidence: (N,), N from 1.
        is_wrong: (N,)
    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    losses = is_wrong[order].astype(np.float64)
    # Blocks of equal confidence, by their first places.
    starts = np.flatnonzero(np.append(True, falling[1:] != falling[:-1]))
    sizes = np.diff(np.append(starts, len(falling)))
    losses = np.repeat(np.add.reduceat(losses, starts) / sizes, sizes)
    answered = np.arange(1, len(losses) + 1)
    area = float((np.cumsum(losses) / answered).mean())
    # Where all are wrong, rounding must not lead above 1.
    return min(1.0, area)


def least_risk_coverage_area(wrong: int, queries: int) -> float:
    """The least area that any confidence could reach: every right answer comes first.

    >>> least_risk_coverage_area(1, 2)
    0.25
    """
    answered = np.arange(1, queries + 1)
    wrong_answered = np.maximum(answered - (queries - wrong), 0)
    return float((wrong_answered / answered).mean())
