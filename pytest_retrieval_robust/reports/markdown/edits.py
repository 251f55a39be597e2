"""What was measured with edited reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.counterfactual_outcomes import CounterfactualOutcome, WinShare
from ...gate.record import RunRecord
from .._text import percent
from ..edit_tables import (
    EditTable,
    cell_name,
    edit_tables,
    interval_text,
    recall_text,
)
from .dialect import code, folded, table, text


def edit_blocks(run: RunRecord) -> Iterator[str]:
    """A table per data set; cells in which something is done to images are folded."""
    for each in edit_tables(run.counterfactuals):
        yield f"### {text(each.title)}\n\n{text(each.note)}.\n\n{_table(each, each.clean)}"
        others = [one for one in each.outcomes if one.case.level > 0]
        if others:
            yield folded("Edited reports in other cells", _table(each, others))


def _table(each: EditTable, outcomes: Sequence[CounterfactualOutcome]) -> str:
    kinds = [text(kind) for kind in each.kinds]
    recalls = [f"R@{k} > with edits" for k in each.ks]
    rows = []
    for outcome in outcomes:
        subject = [code(outcome.case.model), text(cell_name(outcome.case))]
        shares = map(_share, each.shares(outcome))
        recall = outcome.with_distractors
        found = [text(recall_text(recall, k)) for k in each.ks]
        rows.append([*subject, *shares, *found])
    return table(("model", "images", *kinds, *recalls), rows, 2)


def _share(share: WinShare | None) -> str:
    if share is None:
        return percent(None)
    return f"{percent(share.share)} ({interval_text(share.interval)})"
