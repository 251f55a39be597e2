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
from ..retrieval.student import student_quantile
from .grouping import Group


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


def lowest(recalls: GroupRecalls, groups: Sequence[Group], alpha: float) -> Extreme:
    """The worst group: its bounds are the lowest ones of any group."""
    passing = recalls.bounds(alpha)
    failing = recalls.bounds(alpha / len(groups))
    place = int(recalls.values.argmin())
    low, high = passing[place]
    df = groups[place].members.degrees_of_freedom
    value = float(recalls.values[place])
    return Extreme(
        value,
        min(low for low, _ in passing),
        min(high for _, high in failing),
        (high - low) / (2 * student_quantile(1 - alpha, df)),
        df,
        (groups[place],),
        (value,),
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
    df = min(groups[place].members.degrees_of_freedom for place in (worst, best))
    width = float(high[best, worst] - low[best, worst])
    return Extreme(
        float(recalls.gaps()[best, worst]),
        float(shared_low[is_pair].max()),
        float(high[is_pair].max()),
        width / (2 * student_quantile(1 - alpha, df)),
        df,
        (groups[worst], groups[best]),
        (float(recalls.values[worst]), float(recalls.values[best])),
    )
