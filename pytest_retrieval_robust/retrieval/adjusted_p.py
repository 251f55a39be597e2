"""P values of several tests, adjusted for their number. Pure Python."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that the chance of any false alarm stays at its level (S.
    Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    count = len(p_values)
    rising = sorted(range(count), key=p_values.__getitem__)
    adjusted = [0.0] * count
    # An adjusted value is never below that of a smaller p.
    largest = 0.0
    for rank, number in enumerate(rising):
        largest = max(largest, min(1.0, p_values[number] * (count - rank)))
        adjusted[number] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that the share of false alarms among the alarms stays at its
    level (1995).

    >>> benjamini_hochberg([0.01, 0.04, 0.02])
    [0.03, 0.04, 0.03]
    """
    count = len(p_values)
    falling = sorted(range(count), key=p_values.__getitem__, reverse=True)
    adjusted = [0.0] * count
    # An adjusted value is never above that of a larger p.
    least = 1.0
    for rank, number in enumerate(falling):
        least = min(least, p_values[number] * count / (count - rank))
        adjusted[number] = least
    return adjusted
