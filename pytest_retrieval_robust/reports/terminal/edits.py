"""What was measured with edited reports, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from ...core.counterfactual_outcomes import CounterfactualOutcome
from ...core.words import counted
from .._text import percent, plain, short
from ..edit_tables import (
    EditTable,
    cell_name,
    edit_tables,
    interval_text,
    recall_text,
)
from .lines import Line, Span

_WIDTH = 80
_NAME_WIDTH = 18
_KIND_WIDTH = 10
_KINDS_PER_BLOCK = 6
"""Columns that fit into a line."""
_RECALL_WIDTH = 15


def edit_lines(
    outcomes: Sequence[CounterfactualOutcome], verbosity: int
) -> Iterator[Line]:
    """A line per model: win shares by kind with their intervals, and recall among edits.

    With `-v` every cell has its lines, else the clean images alone; with `-q` the win
    shares without the notes around them and without recall.
    """
    for table in edit_tables(outcomes):
        shown = table.outcomes if verbosity > 0 else table.clean or table.outcomes
        yield [Span(table.title, "bold")]
        if verbosity < 0:
            yield from _win_shares(table, shown)
            yield []
            continue
        for line in wrap(table.note, _WIDTH, break_long_words=False):
            yield [Span(line)]
        yield from _win_shares(table, shown)
        yield from _recalls(table, shown)
        hidden = len(table.outcomes) - len(shown)
        if hidden:
            yield [Span(f"{counted(hidden, 'more cell')}: see -v")]
        yield []


def _win_shares(
    table: EditTable, shown: Sequence[CounterfactualOutcome]
) -> Iterator[Line]:
    for start in range(0, len(table.kinds), _KINDS_PER_BLOCK):
        part = slice(start, start + _KINDS_PER_BLOCK)
        heads = "".join(f"{_column(kind)}" for kind in table.kinds[part])
        yield [Span(f"{'':{_NAME_WIDTH}}{heads}")]
        for outcome in shown:
            shares = table.shares(outcome)[part]
            values = [percent(None if s is None else s.share) for s in shares]
            bounds = ["" if s is None else interval_text(s.interval) for s in shares]
            yield from _named(outcome, "".join(map(_column, values)))
            yield [Span(f"{'':{_NAME_WIDTH}}{''.join(map(_column, bounds))}".rstrip())]


def _recalls(
    table: EditTable, shown: Sequence[CounterfactualOutcome]
) -> Iterator[Line]:
    distractors = shown[0].with_distractors.distractors
    added = counted(distractors, "edit")
    yield [Span(f"Recall@k in %: among the reports > with {added} beside them")]
    heads = "".join(f"{f'R@{k}':>{_RECALL_WIDTH}}" for k in table.ks)
    yield [Span(f"{'':{_NAME_WIDTH}}{heads}")]
    for outcome in shown:
        recall = outcome.with_distractors
        values = [f"{recall_text(recall, k):>{_RECALL_WIDTH}}" for k in table.ks]
        yield from _named(outcome, "".join(values))


def _named(outcome: CounterfactualOutcome, values: str) -> Iterator[Line]:
    """A row under its model's name; a longer name, or a cell's, has a line of its own."""
    name = short(outcome.case.model)
    if outcome.case.level > 0:
        name = f"{name}, {cell_name(outcome.case)}"
    if len(name) >= _NAME_WIDTH:
        yield [Span(name)]
        name = ""
    yield [Span(f"{name:{_NAME_WIDTH}}{values}")]


def _column(text: str) -> str:
    """A value, or a kind of which the end is cut where a user's table has long words."""
    shown = plain(text)
    if len(shown) >= _KIND_WIDTH:
        shown = shown[: _KIND_WIDTH - 2] + "."
    return f"{shown:>{_KIND_WIDTH}}"
