"""Recall by group, as text, Markdown and HTML show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..core.cases import DIRECTIONS, Case, clean_words
from ..core.words import counted
from ..gate.group_numbers import CellGroups, Ends, GroupRecall, k_of_groups
from ..gate.grouping import SMALL
from ._text import percent, plain, points, points_between, short
from .edit_tables import cell_name
from .terminal.lines import Line, Span

if TYPE_CHECKING:
    from ..gate.record import RunRecord

HEADS = ("queries", "patients", "recall %", "95 %", "kept", "change", "95 %")
"""The numbers of a group, after its names."""
GROUP_COLUMNS = (
    "model",
    "data set",
    "perturbation",
    "level",
    "seed",
    "direction",
    "k",
    "stratum",
    "group",
    "kind",
    "queries",
    "patients",
    "recall",
    "recall low",
    "recall high",
    "retention",
    "retention low",
    "retention high",
    "difference",
    "difference low",
    "difference high",
    "family",
)
NOTE = (
    "Intervals hold 95 % for all groups of a stratum together; –: the group is too small"
    f" to be judged ({SMALL})"
)
_DASH = "–"
_MOST_SMALL = 3
"""Groups that are named because they are too small; the rest are counted."""


def shown_cells(run: RunRecord, *, both: bool = False) -> list[CellGroups]:
    """The cells at the k that reports show: from image to report, or in `both` directions."""
    k = k_of_groups(run.verdicts, run.plan.ks)
    ways = DIRECTIONS if both else DIRECTIONS[:1]
    return [each for each in run.groups if each.k == k and each.direction in ways]


def numbers_of(group: GroupRecall) -> list[str]:
    """The numbers under `HEADS`, in %; dashes of a group that is too small."""
    change = _DASH
    if group.difference is not None:
        change = points(group.difference)
    return [
        str(group.queries),
        str(group.patients),
        percent(group.recall),
        ends(group.recall_interval),
        percent(group.retention),
        change,
        ends(group.difference_interval, signed=True),
    ]


def ends(interval: Ends | None, *, signed: bool = False) -> str:
    """`88.1 to 97.0`, in %."""
    if interval is None:
        return _DASH
    low, high = interval
    if signed and low is not None and high is not None:
        return points_between(low, high)
    return f"{percent(low)} to {percent(high)}"


# The summary


def group_lines(run: RunRecord, verbosity: int) -> Iterator[Line]:
    """One sentence per model and data set: its worst group, clean and where groups differ
    most. With `-v` every group of every cell too.
    """
    from .terminal.lines import sentence_lines

    yield from sentence_lines("groups:", list(group_sentences(run)))
    if verbosity > 0 and run.groups:
        yield [Span(NOTE)]
        for cell in shown_cells(run, both=True):
            yield from _cell_lines(cell)
        yield []


def group_sentences(run: RunRecord) -> Iterator[str]:
    """What the summary says of each model on each data set with strata."""
    cells = shown_cells(run)
    for (model, dataset), group in groupby(sorted(cells, key=_subject), key=_subject):
        own = list(group)
        clean = _lowest(cell for cell in own if cell.case.level == 0)
        widest = _widest(cell for cell in own if cell.case.level > 0)
        said = [_said(cell) for cell in (clean, widest) if cell is not None]
        small = list(dict.fromkeys(_small(own)))
        if small:
            named = ", ".join(small[:_MOST_SMALL])
            more = len(small) - _MOST_SMALL
            rest = f" and {more} more" if more > 0 else ""
            said.append(f"too small to be judged: {named}{rest}")
        if said:
            yield (
                f"{short(model)} on {short(dataset)}, {DIRECTIONS[0]} Recall@{own[0].k}:"
                f" {'; '.join(said)}"
            )


def _subject(cell: CellGroups) -> tuple[str, str]:
    return cell.case.model, cell.case.dataset


def _lowest(cells: Iterable[CellGroups]) -> CellGroups | None:
    """The cell and stratum whose worst group has the lowest recall."""
    known = [(cell.worst.recall, cell) for cell in cells if cell.worst is not None]
    lowest = min(known, key=lambda pair: pair[0] or 0.0, default=None)
    return None if lowest is None else lowest[1]


def _widest(cells: Iterable[CellGroups]) -> CellGroups | None:
    """The cell and stratum in which groups differ most."""
    known = [cell for cell in cells if cell.gap is not None]
    return max(known, key=lambda cell: cell.gap or 0.0, default=None)


def _said(cell: CellGroups) -> str:
    """`worst group with nothing hidden is AP of view, 93.4 % (88.1 to 97.0), ...`."""
    worst = cell.worst
    assert worst is not None
    place = _place(cell.case)
    gap = ""
    if cell.gap == 0:
        return (
            f"all groups of {short(cell.stratum)} are alike {place},"
            f" {percent(worst.recall)} %"
        )
    if cell.gap is not None:
        gap = f", {100 * cell.gap:.1f} points below the best"
    return (
        f"the worst group {place} is {short(worst.name)} of {short(cell.stratum)},"
        f" {percent(worst.recall)} % ({ends(worst.recall_interval)}){gap}"
    )


def _place(case: Case) -> str:
    if case.level == 0:
        return clean_words(case.family)
    return f"under {cell_name(case)}"


def _small(cells: Sequence[CellGroups]) -> Iterator[str]:
    for cell in cells:
        for group in cell.groups:
            if group.kind == "too small":
                yield f"merged groups of {short(cell.stratum)}"
            elif group.recall is None:
                yield f"{short(group.name)} of {short(cell.stratum)}"


def _cell_lines(cell: CellGroups) -> Iterator[Line]:
    case = cell.case
    yield [
        Span(
            f"{short(case.model)} on {short(case.dataset)}, {cell_name(case)},"
            f" {cell.direction} R@{cell.k}, by {short(cell.stratum)}"
        )
    ]
    for group in cell.groups:
        size = counted(group.queries, "query", "queries")
        size += f", {counted(group.patients, 'patient')}"
        line = f"  {short(group.name):<18} {percent(group.recall):>6}"
        line += f" ({ends(group.recall_interval)}), {size}"
        if group.difference is not None:
            line += f", {points(group.difference)}"
        yield [Span(line)]


def difference_lines(run: RunRecord, shown: int | None = None) -> Iterator[Line]:
    """The groups beside the baseline's, the greatest loss first; none without strata."""
    pairs = [
        (cell, group)
        for cell in shown_cells(run, both=shown is None)
        for group in cell.groups
        if group.difference is not None
    ]
    if not pairs:
        return
    pairs.sort(key=lambda pair: (pair[1].difference or 0.0, pair[0].case))
    yield [
        Span(
            f"by group, Recall@{pairs[0][0].k} in %: intervals of 95 % hold for all groups"
            " of a stratum together"
        )
    ]
    for cell, group in pairs[:shown]:
        size = counted(group.queries, "query", "queries")
        change = points(group.difference or 0.0)
        interval = ends(group.difference_interval, signed=True)
        yield [
            Span(
                f"{short(cell.case.model)} on {short(cell.case.dataset)},"
                f" {cell_name(cell.case)}, {cell.direction}, {short(group.name)} of"
                f" {short(cell.stratum)} ({size})"
            )
        ]
        yield [Span(f"    {percent(group.recall):>6}{change:>8}  {interval}")]
    if shown is not None and len(pairs) > shown:
        more = counted(len(pairs) - shown, "more group")
        yield [Span(f"... and {more} (`-v` shows them all)")]


# Files


def group_blocks(run: RunRecord) -> Iterator[str]:
    """The Markdown report's part: clean cells, and the others folded."""
    from .markdown.dialect import folded, table, text

    cells = shown_cells(run)
    if not cells:
        return
    yield "### By group"
    yield f"Recall@{cells[0].k}, image to report. {text(NOTE)}."
    heads = ("model", "data set", "images", "stratum", "group", *HEADS)
    for title, chosen in (
        (None, [cell for cell in cells if cell.case.level == 0]),
        ("By group in other cells", [cell for cell in cells if cell.case.level > 0]),
    ):
        rows = [row for cell in chosen for row in _markdown_rows(cell)]
        if not rows:
            continue
        made = table(heads, rows, 5)
        yield made if title is None else folded(title, made)


def _markdown_rows(cell: CellGroups) -> Iterator[list[str]]:
    from .markdown.dialect import code, text

    case = cell.case
    for group in cell.groups:
        yield [
            code(case.model),
            code(case.dataset),
            text(cell_name(case)),
            text(short(cell.stratum)),
            text(short(group.name)),
            *numbers_of(group),
        ]


def group_csv(groups: Sequence[CellGroups]) -> list[list[object]]:
    """One row per group and cell, under `GROUP_COLUMNS`."""
    rows: list[list[object]] = []
    for cell in groups:
        case = cell.case
        for group in cell.groups:
            rows.append(
                [
                    plain(case.model),
                    plain(case.dataset),
                    plain(case.occluder),
                    case.level,
                    case.seed,
                    cell.direction,
                    cell.k,
                    plain(cell.stratum),
                    plain(group.name),
                    group.kind,
                    group.queries,
                    group.patients,
                    group.recall,
                    *(group.recall_interval or (None, None)),
                    group.retention,
                    *(group.retention_interval or (None, None)),
                    group.difference,
                    *(group.difference_interval or (None, None)),
                    case.family,
                ]
            )
    return rows
