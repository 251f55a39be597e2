"""The difference between a candidate and a baseline in the group that loses most."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .difference import Difference, Errors

if TYPE_CHECKING:
    from .grouping import Group, Grouping


@dataclass(frozen=True)
class GroupDifference(Difference):
    """That of the group that loses most, with bounds that hold for every group."""

    group: Group = field(kw_only=True)
    grouping: Grouping = field(kw_only=True)
    every: tuple[Difference, ...] = field(kw_only=True)
    """Of each judged group, in their order."""

    def detectable_loss(self, margin: float, errors: Errors) -> float:
        """The smallest loss of that group that would fail with a power of 0.8."""
        return super().detectable_loss(margin, self._shared(errors))

    def queries_until_decided(self, margin: float, errors: Errors) -> int | None:
        """How many more queries of a group until the gate is decided: of this one if it
        lost more than the margin, else of the open one that takes most of them.
        """
        shared = self._shared(errors)
        if self.value < -margin:
            return super().queries_until_decided(margin, shared)
        needed = [
            each.queries_until_decided(margin, shared)
            for each in self.every
            if each.passes_at < -margin
        ]
        known = [number for number in needed if number is not None]
        return max(known, default=None) if len(known) == len(needed) else None

    def _shared(self, errors: Errors) -> Errors:
        """The groups share the error of the bound that fails a gate."""
        return replace(errors, gates=errors.gates * len(self.every))
