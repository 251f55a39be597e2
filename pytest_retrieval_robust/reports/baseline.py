"""The run beside its baseline, as text: what changed, with its interval, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from ..core.cases import DIRECTIONS
from ..gate.comparison import CellDifference
from ..gate.record import BaselineRecord
from ..retrieval.intervals import benjamini_hochberg, holm
from .lines import Line, Span

_ALPHA = 0.05
_SHOWN = 10


def baseline_lines(baseline: BaselineRecord | None, verbosity: int) -> Iterable[Line]:
    """The greatest changes of Recall@k at the largest k; with `-v` every cell, direction and k."""
    if baseline is None or not baseline.cells:
        return
    cells = list(baseline.cells)
    if verbosity <= 0:
        most = max(cell.k for cell in cells)
        cells = [
            cell for cell in cells if cell.k == most and cell.direction == DIRECTIONS[0]
        ]
    yield [
        Span(f"against the baseline of {baseline.started} (id {baseline.id})", "bold")
    ]
    yield from difference_lines(cells, None if verbosity > 0 else _SHOWN)
    yield []


def difference_lines(
    cells: Sequence[CellDifference], shown: int | None = None
) -> Iterable[Line]:
    """A table of differences, the greatest loss first, with p values adjusted for how
    many cells there are.
    """
    of_holm, of_bh = (
        adjust([cell.p for cell in cells]) for adjust in (holm, benjamini_hochberg)
    )
    rows = sorted(
        zip(cells, of_holm, of_bh, strict=True),
        key=lambda row: (row[0].value, row[0].case),
    )
    yield [
        Span(f"{'in points':<26}   before    now  change  95 % interval     Holm    BH")
    ]
    for cell, p_holm, p_bh in rows[:shown]:
        colour = "" if p_holm >= _ALPHA else "red" if cell.value < 0 else "green"
        for part in wrap(
            f"{cell.case}, {cell.direction} R@{cell.k}", 80, subsequent_indent="  "
        ):
            yield [Span(part)]
        numbers = (
            f"{'':26}{100 * cell.baseline:>9.1f}{100 * cell.candidate:>7.1f}{100 * cell.value:>+8.1f}"
            f"{f'{100 * cell.low:+.1f} to {100 * cell.high:+.1f}':>16}{p_holm:>8.3f}{p_bh:>6.3f}"
        )
        yield [Span(numbers, colour)]
    yield [
        Span(
            "Holm, BH: p adjusted for all cells (any false alarm, share of false"
            " alarms)"
        )
    ]
    if shown is not None and len(rows) > shown:
        yield [Span(f"... and {len(rows) - shown} more cells (`-v` shows them all)")]


def significant_losses(cells: Sequence[CellDifference]) -> list[CellDifference]:
    """The cells that lost, by Holm's adjusted p below 0.05."""
    adjusted = holm([cell.p for cell in cells])
    return [
        cell
        for cell, p in zip(cells, adjusted, strict=True)
        if p < _ALPHA and cell.value < 0
    ]
