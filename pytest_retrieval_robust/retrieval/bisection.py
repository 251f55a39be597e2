"""Where a condition begins to hold, by halving the range in which it does. Pure Python."""

from __future__ import annotations

from collections.abc import Callable


def bisect(
    holds: Callable[[float], bool],
    low: float,
    high: float,
    steps: int,
    near: float = 0.0,
) -> tuple[float, float]:
    """The range in which a condition begins to hold that holds at `high` and not at `low`.

    Args:
        holds: The condition; from where it holds on it goes on to hold.
        low: The lower end of the range, where the condition is taken not to hold.
        high: The upper end, where it is taken to hold.
        steps: How often the range is halved at most.
        near: The width, as a share of the upper end, that is narrow enough.

    >>> low, high = bisect(lambda x: x * x >= 2, 0.0, 2.0, steps=40)
    >>> round(low, 9), round(high, 9)
    (1.414213562, 1.414213562)
    """
    for _ in range(steps):
        if high - low <= near * high:
            break
        middle = (low + high) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return low, high
