"""How many reports the rules edit, and why they leave the others alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEFT_ALONE = (
    "empty",
    "one word",
    "another language",
    "no finding",
    "nothing to edit",
)
"""Why a report has no edit.

`no finding`: it names no finding and no device that the rules know. `nothing to edit`: it
does, but in doubt, in words that the rules do not read, or in several places that would
contradict each other.
"""


@dataclass(frozen=True)
class Coverage:
    """What the rules did with the reports of a data set. It holds numbers alone.

    A report that is left alone is counted here and nowhere else: it says nothing about a
    model.
    """

    reports: int
    """All reports, at least 0."""
    edited: int
    """Those that have at least one edit."""
    edits: Mapping[str, int]
    """Kind -> number of edits, for all of `EDIT_KINDS`."""
    edited_by_kind: Mapping[str, int]
    """Kind -> number of reports that have an edit of that kind."""
    left_alone: Mapping[str, int]
    """Reason -> number of reports, for all of `LEFT_ALONE`."""

    @property
    def share(self) -> float | None:
        """The share of reports that have an edit, from 0 to 1; None without reports."""
        return self.edited / self.reports if self.reports else None
