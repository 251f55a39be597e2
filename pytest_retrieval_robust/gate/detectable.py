"""The smallest loss that a gate on a number of one run would tell."""

from __future__ import annotations

import math

from ..core.outcomes import finite
from ..retrieval.intervals import Estimate
from ..retrieval.power import (
    POWER_DEVIATE,
    detectable_loss_of_hits,
    detectable_loss_of_share,
)


def detectable_loss(
    estimate: Estimate, floor: float, deviates: float, *, is_share: bool = False
) -> float | None:
    """The loss from the observed value at which a gate fails with a probability of 0.8;
    None where nothing is known of the error, and inf where no loss would do.

    Args:
        estimate: The number.
        floor: What it must reach.
        deviates: How many standard errors away the bound lies that decides; 0 where the
            number itself does.
        is_share: Whether it is a mean of shares of hits, which vary more once some are
            lost.
    """
    if not math.isfinite(estimate.error):
        return None
    if estimate.effective is not None:
        return detectable_loss_of_hits(
            estimate.value, floor, estimate.effective, deviates
        )
    room = max(0.0, estimate.value - floor)
    away = deviates + POWER_DEVIATE
    if not is_share:
        return room + away * estimate.error
    return detectable_loss_of_share(
        room, away, estimate.error, estimate.value, estimate.queries
    )


def stated(loss: float | None) -> float | None:
    """The loss as a verdict states it: none where no loss would do."""
    return None if loss is None else finite(loss)
