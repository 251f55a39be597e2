"""What a bound can tell with more queries, and the smallest loss that it tells with those
that there are.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from .bisection import bisect
from .student import student_quantile

POWER = 0.8
"""The power at which the smallest detectable loss and missing queries are stated."""
POWER_DEVIATE = NormalDist().inv_cdf(POWER)
"""How many standard errors the truth must lie beyond a bound's end to be told with it."""
_STEPS = 50
"""Of a bisection, and towards a fixed point that is within 1e-4 after ten."""
_NEAR = 1e-3
"""How exactly a number of queries is found: it is about as many."""


@lru_cache(maxsize=4096)
def queries_until_told(
    queries: int,
    distance: float,
    error: float,
    confidence: float,
    df: float,
    error_of_bound: float | None = None,
) -> int | None:
    """How many more queries until a bound clears a limit with a probability of `POWER`,
    if the truth is what was observed, and patients are like those that there are.

    A bound that clears a limit in expectation does so in half of the samples. So the
    truth must lie further beyond: by the deviate of the power too.

    Args:
        queries: Those that were measured.
        distance: From the limit to what was observed.
        error: The standard error of what was observed.
        confidence: Of the bound, one-sided.
        df: Degrees of freedom of the error, which grow with the patients.
        error_of_bound: The standard error that the bound takes: that at the limit where
            it is one of a score test, else `error`.

    Returns:
        None where no number of queries would do, or nothing is known of the error.
    """
    if abs(distance) < 1e-12 or not math.isfinite(error) or not df > 0:
        return None

    of_bound = error if error_of_bound is None else error_of_bound

    def needed(growth: float) -> float:
        away = student_quantile(confidence, df * growth) * of_bound
        return ((away + POWER_DEVIATE * error) / distance) ** 2

    growth = needed(1.0)
    # More patients have more degrees of freedom, and need fewer queries than that.
    if not math.isinf(df) and growth > 1:
        _, growth = bisect(
            lambda times: needed(times) <= times, 1.0, growth, _STEPS, _NEAR
        )
    return max(1, math.ceil(queries * (growth - 1)))


def error_of_hits(share: float, queries: float) -> float:
    """The standard error of a share of hits among so many independent queries."""
    return math.sqrt(max(0.0, share * (1 - share)) / queries)


@lru_cache(maxsize=4096)
def detectable_loss_of_share(
    beyond: float, deviates: float, error: float, share: float, n: int
) -> float:
    """The loss that leads `beyond` a limit and so many standard errors further, from a
    share of `n` queries.

    The error grows on the way to a half as that of a share of hits does: what has lost
    hits varies more.

    >>> round(detectable_loss_of_share(0.02, 3.7, 0.01, 0.5, 1000), 3)
    0.057
    >>> round(detectable_loss_of_share(0.02, 3.7, 0.01, 0.9, 1000), 3)
    0.066
    """
    # As if one more query were hit and one more missed: where all are hit, nothing would vary.
    smoothed = (share * n + 1) / (n + 2)
    loss = beyond + deviates * error
    # The error depends on the loss, and the loss on the error: a fixed point.
    for _ in range(_STEPS):
        left = max(smoothed - loss, 0.0)
        growth = max(1.0, left * (1 - left) / (smoothed * (1 - smoothed)))
        next_loss = beyond + deviates * error * math.sqrt(growth)
        if next_loss == loss:
            break
        loss = next_loss
    return loss


@lru_cache(maxsize=4096)
def detectable_loss_of_hits(
    share: float, floor: float, queries: float, deviates: float
) -> float:
    """The smallest loss, from a share of hits, at which its score interval lies below a
    floor with a probability of `POWER`.

    The interval takes the error that hits have at the floor, and what is observed has
    that of the share that is left.

    Args:
        share: Of the hits.
        floor: What the share must reach.
        queries: How many independent ones it is a share of.
        deviates: How many standard errors away the bound lies; 0 where the share decides.

    Returns:
        Inf where even the loss of every hit would not be told.

    >>> round(detectable_loss_of_hits(0.9, 0.85, 1000, 0.0), 3)
    0.06
    >>> round(detectable_loss_of_hits(0.9, 0.85, 1000, 1.645), 3)
    0.079
    """
    told_below = floor - deviates * error_of_hits(floor, queries)
    if told_below < 0:
        return math.inf

    # What is left, and how far it may lie above itself by chance, fall with the loss.
    def is_told(loss: float) -> bool:
        left = share - loss
        return left + POWER_DEVIATE * error_of_hits(left, queries) <= told_below

    _, loss = bisect(is_told, 0.0, share, _STEPS)
    return loss
