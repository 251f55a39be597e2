"""How a cell of a table shows what the gates say of it."""

from __future__ import annotations

from ...core.cases import Case
from ...core.verdict import VerdictName
from ...gate.record import RunRecord

MARKS: dict[VerdictName, str] = {
    "pass": " ",
    "fail": "!",
    "inconclusive": "?",
    "ungated": "~",
}
"""A log has no colours, so that each verdict needs a sign too."""
COLOURS: dict[VerdictName, str] = {
    "pass": "green",
    "fail": "red",
    "inconclusive": "yellow",
    "ungated": "",
}
_WORST_FIRST: tuple[VerdictName, ...] = ("fail", "inconclusive", "pass", "ungated")


def cell_verdict(run: RunRecord, case: Case) -> VerdictName:
    """The worst verdict that the recall and retention gates gave a case."""
    verdicts = run.cell_verdicts.get(case, ())
    for verdict in _WORST_FIRST:
        if verdict in verdicts:
            return verdict
    return "ungated"
