"""The difference between a candidate and a baseline in the group that loses most."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .difference import Difference

if TYPE_CHECKING:
    from .grouping import Group, Grouping


@dataclass(frozen=True)
class GroupDifference(Difference):
    """That of the group that loses most, with bounds that hold for every group."""

    group: Group = field(kw_only=True)
    grouping: Grouping = field(kw_only=True)
