"""The run beside its baseline: what changed, significant changes first."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.cases import DIRECTIONS
from ...core.words import counted
from ...gate.cell_difference import CellDifference
from ...gate.record import RunRecord
from ...retrieval.adjusted_p import holm
from .._text import level_text, number, percent, points, points_between
from ..family_summary import heads_for
from .dialect import SHOWN, code, folded, listed, table, text

_ALPHA = 0.05
_HEADS = (
    "",
    "model",
    "data set",
    "occluder",
    "level",
    "before",
    "now",
    "points",
    "95 % interval",
    "p (Holm)",
)
_TEXT_COLUMNS = 4


def change_blocks(run: RunRecord) -> Iterator[str]:
    """The baseline, what cannot be compared with it, and the cells that can."""
    baseline = run.baseline
    if baseline is None:
        return
    yield "### Against the baseline"
    origin = f"Run of {text(baseline.started)}, id {code(baseline.id)}"
    yield f"{origin}, version {text(baseline.version)}."
    yield from listed("Cannot be compared", baseline.obstacles, "####")
    yield from listed("Missing in this run", baseline.vanished, "####")
    yield from _cells(baseline.cells)


def _cells(cells: tuple[CellDifference, ...]) -> Iterator[str]:
    """Those of the largest k, from image to report."""
    k = max((cell.k for cell in cells), default=0)
    shown = [cell for cell in cells if (cell.direction, cell.k) == (DIRECTIONS[0], k)]
    if not shown:
        return
    adjusted = holm([cell.p for cell in shown])
    pairs = list(zip(shown, adjusted, strict=True))
    pairs.sort(key=lambda pair: (pair[1] >= _ALPHA, pair[0].value, pair[0].case))
    rows = [_row(cell, p) for cell, p in pairs]
    heads = heads_for([cell.case for cell in shown], _HEADS)
    yield (
        f"Recall@{k}, image to report, in %; significant changes first, the greatest"
        " loss on top."
    )
    yield table(heads, rows[:SHOWN], _TEXT_COLUMNS)
    if len(rows) > SHOWN:
        rest = table(heads, rows[SHOWN:], _TEXT_COLUMNS)
        yield folded(counted(len(rows) - SHOWN, "more cell"), rest)


def _row(cell: CellDifference, p: float) -> tuple[str, ...]:
    case = cell.case
    return (
        _status(cell, p),
        code(case.model),
        code(case.dataset),
        code(case.occluder) if case.level > 0 else "nothing hidden",
        level_text(case.level, case.family),
        percent(cell.baseline),
        percent(cell.candidate),
        points(cell.value),
        points_between(cell.low, cell.high),
        "< 0.001" if p < 0.001 else number(p),
    )


def _status(cell: CellDifference, p: float) -> str:
    if p >= _ALPHA:
        return "unclear"
    return "▼ lost" if cell.value < 0 else "▲ gained"
