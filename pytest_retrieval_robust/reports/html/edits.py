"""The page's tables of edited reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...core.counterfactual_outcomes import CounterfactualOutcome, WinShare
from ...gate.record import RunRecord
from .._text import percent, short
from ..edit_tables import EditTable, cell_name, edit_tables


@dataclass(frozen=True)
class EditRow:
    """One model in one cell."""

    number: int
    """The model's place, which decides its colour."""
    model: str
    cell: str
    shares: tuple[tuple[str, str], ...]
    """(share, interval) by kind, in %."""
    recalls: tuple[tuple[str, str, str], ...]
    """(with edits, interval, without edits) by k, in %."""


@dataclass(frozen=True)
class EditSection:
    """The table of one data set."""

    title: str
    note: str
    kinds: tuple[str, ...]
    ks: tuple[int, ...]
    distractors: int
    rows: tuple[EditRow, ...]


def edit_sections(run: RunRecord, numbers: Mapping[str, int]) -> Iterator[EditSection]:
    """A table per data set and source of edits."""
    for table in edit_tables(run.counterfactuals):
        yield EditSection(
            table.title,
            f"{table.note}.",
            table.kinds,
            table.ks,
            table.outcomes[0].with_distractors.distractors,
            tuple(
                _row(table, outcome, numbers[outcome.case.model])
                for outcome in table.outcomes
            ),
        )


def _row(
    table: EditTable, outcome: CounterfactualOutcome, model_number: int
) -> EditRow:
    recall = outcome.with_distractors
    recalls = [
        (
            percent(recall.recall.get(k)),
            _interval(recall.recall_interval.get(k)),
            percent(recall.without_edits.get(k)),
        )
        for k in table.ks
    ]
    return EditRow(
        model_number,
        short(outcome.case.model),
        cell_name(outcome.case),
        tuple(map(_share, table.shares(outcome))),
        tuple(recalls),
    )


def _share(share: WinShare | None) -> tuple[str, str]:
    if share is None:
        return percent(None), ""
    return percent(share.share), _interval(share.interval)


def _interval(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    low, high = interval
    return f"{percent(low, 0)}–{percent(high, 0)}"
