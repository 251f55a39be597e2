"""The run beside its baseline: what changed, with its interval, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from ...core.cases import DIRECTIONS
from ...core.words import counted
from ...gate.cell_difference import CellDifference
from ...gate.record import BaselineRecord
from ...retrieval.adjusted_p import benjamini_hochberg, holm
from .._text import points, points_between
from .lines import Line, Span

_ALPHA = 0.05
_SHOWN = 10
_INDENT = 26
_HEADS = f"{'in %':<{_INDENT}}   before    now  change  95 % interval     Holm    BH"
_LEGEND = "Holm, BH: p adjusted for all cells (any false alarm, share of false alarms)"


def baseline_lines(baseline: BaselineRecord | None, verbosity: int) -> Iterator[Line]:
    """The greatest changes of Recall@k at the largest k; with `-v` every cell, direction and k."""
    if baseline is None or not baseline.cells:
        return
    cells = list(baseline.cells)
    shown = None
    if verbosity <= 0:
        k = max(cell.k for cell in cells)
        cells = [
            cell for cell in cells if (cell.direction, cell.k) == (DIRECTIONS[0], k)
        ]
        shown = _SHOWN
    title = f"against the baseline of {baseline.started} (id {baseline.id})"
    yield [Span(title, "bold")]
    yield from difference_lines(cells, shown)
    yield []


def difference_lines(
    cells: Sequence[CellDifference], shown: int | None = None
) -> Iterator[Line]:
    """A table of differences, the greatest loss first.

    P values are adjusted for the number of cells.
    """
    p_values = [cell.p for cell in cells]
    adjusted = zip(holm(p_values), benjamini_hochberg(p_values), strict=True)
    rows = list(zip(cells, adjusted, strict=True))
    rows.sort(key=lambda row: (row[0].value, row[0].case))
    yield [Span(_HEADS)]
    for cell, (p_holm, p_bh) in rows[:shown]:
        name = f"{cell.case}, {cell.direction} R@{cell.k}"
        for part in wrap(name, 80, subsequent_indent="  "):
            yield [Span(part)]
        adjusted_p = f"{p_holm:>8.3f}{p_bh:>6.3f}"
        yield [Span(_numbers(cell) + adjusted_p, _colour(cell, p_holm))]
    yield [Span(_LEGEND)]
    if shown is not None and len(rows) > shown:
        more = counted(len(rows) - shown, "more cell")
        yield [Span(f"... and {more} (`-v` shows them all)")]


def _numbers(cell: CellDifference) -> str:
    interval = points_between(cell.low, cell.high)
    recalls = f"{100 * cell.baseline:>9.1f}{100 * cell.candidate:>7.1f}"
    return f"{'':{_INDENT}}{recalls}{points(cell.value):>8}{interval:>16}"


def _colour(cell: CellDifference, p_holm: float) -> str:
    if p_holm >= _ALPHA:
        return ""
    return "red" if cell.value < 0 else "green"


def significant_losses(cells: Sequence[CellDifference]) -> list[CellDifference]:
    """The cells that lost, by Holm's adjusted p below 0.05."""
    adjusted = holm([cell.p for cell in cells])
    return [
        cell
        for cell, p in zip(cells, adjusted, strict=True)
        if p < _ALPHA and cell.value < 0
    ]
