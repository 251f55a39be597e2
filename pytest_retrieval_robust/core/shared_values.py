"""Equal numbers of many cells as one object.

A run keeps every cell to its end, and a recall of N queries has N + 1 values at most.
"""

from __future__ import annotations

from functools import lru_cache

_MOST_SHARED = 1 << 12
"""Numbers that are kept to be shared, and pairs of them: together they take 1.5 MB."""


@lru_cache(maxsize=_MOST_SHARED)
def shared_number(value: float) -> float:
    """The first number that was equal to `value`, as long as it is kept."""
    return value


@lru_cache(maxsize=_MOST_SHARED)
def shared_interval(low: float, high: float) -> tuple[float, float]:
    """The first pair of numbers that was equal to (`low`, `high`), as long as it is kept."""
    return low, high
