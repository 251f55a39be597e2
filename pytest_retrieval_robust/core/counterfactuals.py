"""Counterfactual reports: a report with one thing in it changed, so that it is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

EDIT_KINDS = (
    "negation",
    "side",
    "severity",
    "size",
    "zone",
    "device",
    "finding",
    "change",
)
"""The kinds of edits that this package makes. Tables of users may have others."""

RULES = "rules"
"""What a data set's option `counterfactuals` says to have its reports edited by rules."""


@dataclass(frozen=True, repr=False)
class ReportEdit:
    """One edit of one report. Its repr shows no text, which may be a patient's."""

    report: int
    """The number of the report in the data set's `reports`."""
    kind: str
    """One of `EDIT_KINDS`, or a word of a user's table."""
    action: str
    """What was done: `added`, `removed`, `inserted`, `moved`, `swapped`, `changed`."""
    text: str
    """The whole report with that one thing changed."""

    def __repr__(self) -> str:
        return f"<ReportEdit {self.kind} {self.action} of report {self.report}>"


@dataclass(frozen=True, repr=False)
class EditedReports:
    """The edits of a data set's reports, and what could not be edited."""

    edits: Sequence[ReportEdit]
    reports: int
    """How many reports there were."""
    source: str
    """`exact` (made from the findings), `rules`, or `table`."""

    @property
    def edited(self) -> int:
        """How many reports have an edit at all. The others count nowhere."""
        return len({edit.report for edit in self.edits})

    def __repr__(self) -> str:
        return (
            f"<EditedReports {len(self.edits)} edits of {self.edited} of"
            f" {self.reports} reports, {self.source}>"
        )


class KnowsEdits(Protocol):
    """A data set that has edits of its own reports."""

    def edited_reports(self) -> EditedReports: ...


def in_order_of_kinds(kinds: Iterable[str]) -> list[str]:
    """Each kind once: those of this package in their order, then others by the alphabet."""
    present = set(kinds)
    others = sorted(present.difference(EDIT_KINDS))
    return [kind for kind in EDIT_KINDS if kind in present] + others
