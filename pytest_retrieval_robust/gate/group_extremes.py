"""The worst group of a stratum, and the greatest gap between two, with bounds that hold
over all groups.

A release needs every group, or every pair of groups, within the limit: so each bound that
passes a gate is at the whole error, as an error in one of them releases nothing
(intersection-union: R. L. Berger, Technometrics 24, 1982). Any one of them can block, so
that they share the error of the bound that fails a gate (C. E. Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..retrieval.group_bounds import GroupRecalls
from ..retrieval.power import queries_until_told
from ..retrieval.student import student_quantile
from .grouping import Group


@dataclass(frozen=True)
class Bounded:
    """The number of one group or pair, as far as it may keep a gate open."""

    value: float
    passes_at: float
    """The bound that must be within the limit."""
    error: float
    """Standard error."""
    degrees_of_freedom: float
    group: Group
    """The one that more queries are needed of: of a pair the lower one."""

    def queries_until_told(self, limit: float, confidence: float) -> int | None:
        """How many more of the group would decide it, should the number stay."""
        return queries_until_told(
            self.group.members.queries,
            self.value - limit,
            self.error,
            confidence,
            self.degrees_of_freedom,
        )


@dataclass(frozen=True)
class Extreme:
    """A number of the worst group or the widest pair, and whose it is."""

    value: float
    low: float
    """Lower bound over all groups: that which passes a floor, and fails a ceiling."""
    high: float
    error: float
    """Standard error of the number, of the group or pair that has it."""
    degrees_of_freedom: float
    """Of that error."""
    groups: tuple[Group, ...]
    """The worst group, or the lowest and the highest of a gap."""
    recalls: tuple[float, ...]
    every: tuple[Bounded, ...]
    """Of each group, or each ordered pair with a gap."""
    is_floor: bool
    """Whether the number must reach a limit, rather than stay within it."""

    def more_queries(self, limit: float, confidence: float) -> tuple[int, Group] | None:
        """How many more queries would decide an open gate, should all numbers stay, and
        of which group; None where no number would do.

        One group that is beyond the limit fails it. Else all that are open must pass, so
        that the one that takes most of them counts.
        """
        away = self._within(limit, self.value)
        own = next(each for each in self.every if each.value == self.value)
        is_open = [
            each for each in self.every if self._within(limit, each.passes_at) < 0
        ]
        asked = [own] if away < 0 else is_open
        needed: list[tuple[int, Group]] = []
        for each in asked:
            number = each.queries_until_told(limit, confidence)
            if number is None:
                return None
            needed.append((number, each.group))
        return max(needed, key=lambda each: each[0], default=None)

    def _within(self, limit: float, value: float) -> float:
        """How far a value is on the right side of the limit."""
        return value - limit if self.is_floor else limit - value


def lowest(recalls: GroupRecalls, groups: Sequence[Group], alpha: float) -> Extreme:
    """The worst group: its bounds are the lowest ones of any group."""
    passing = recalls.bounds(alpha)
    failing = recalls.bounds(alpha / len(groups))
    place = int(recalls.values.argmin())
    every = tuple(
        _bounded(value, low, high - low, (group, group), alpha)
        for value, (low, high), group in zip(
            recalls.values.tolist(), passing, groups, strict=True
        )
    )
    worst = every[place]
    return Extreme(
        worst.value,
        min(low for low, _ in passing),
        min(high for _, high in failing),
        worst.error,
        worst.degrees_of_freedom,
        (groups[place],),
        (worst.value,),
        every,
        is_floor=True,
    )


def widest(recalls: GroupRecalls, groups: Sequence[Group], alpha: float) -> Extreme:
    """The greatest gap: its bounds are the greatest ones of any ordered pair."""
    pairs = len(groups) * (len(groups) - 1)
    low, high = recalls.gap_bounds(alpha)
    shared_low, _ = recalls.gap_bounds(alpha / pairs)
    is_pair = ~np.eye(len(groups), dtype=bool)
    best, worst = divmod(int(recalls.gaps().argmax()), len(groups))
    if best == worst:
        # All are alike: any two of them stand for the rest.
        best, worst = 1, 0
    gaps = recalls.gaps()

    def of_pair(above: int, below: int) -> Bounded:
        return _bounded(
            float(gaps[above, below]),
            float(high[above, below]),
            float(high[above, below] - low[above, below]),
            (groups[below], groups[above]),
            alpha,
        )

    widest_pair = of_pair(best, worst)
    return Extreme(
        widest_pair.value,
        float(shared_low[is_pair].max()),
        float(high[is_pair].max()),
        widest_pair.error,
        widest_pair.degrees_of_freedom,
        (groups[worst], groups[best]),
        (float(recalls.values[worst]), float(recalls.values[best])),
        (widest_pair, *(of_pair(*pair) for pair in np.argwhere(is_pair).tolist())),
        is_floor=False,
    )


def _bounded(
    value: float,
    passes_at: float,
    width: float,
    groups: tuple[Group, Group],
    alpha: float,
) -> Bounded:
    """`groups` are that of a number twice, or the lower and the higher one of a gap."""
    df = min(group.members.degrees_of_freedom for group in groups)
    error = width / (2 * student_quantile(1 - alpha, df))
    return Bounded(value, passes_at, error, df, groups[0])
