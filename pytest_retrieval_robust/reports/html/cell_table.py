"""The page's table of every cell: one row per series, one column per level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...core.verdict import VerdictName
from .._text import level_number, level_text, percent, short
from ..series import Point, Series
from .views import Switches, View

MARKS: dict[VerdictName, tuple[str, str]] = {
    "pass": ("✓", "gate met"),
    "fail": ("✕", "gate not met"),
    "inconclusive": ("?", "inconclusive"),
    "ungated": ("", ""),
}
"""Verdict -> the sign beside a number, and its words."""
_NOT_REACHED = "2"
"""A half level that was not reached sorts after every level."""


@dataclass(frozen=True)
class Cell:
    """One number of the table, with its interval and what its gates say."""

    text: str
    order: str
    """What the column is sorted by; empty where the number cannot be compared."""
    interval: str = ""
    verdict: VerdictName = "ungated"
    mark: str = ""
    mark_words: str = ""


@dataclass(frozen=True)
class Row:
    view: View
    number: int
    model: str
    occluder: str
    cells: tuple[Cell, ...]


def table_levels(series: Sequence[Series]) -> list[float]:
    return sorted({point.level for line in series for point in line.recall})


def table_rows(series: Sequence[Series], switches: Switches) -> Iterator[Row]:
    """One row per series: a cell for each level, then area, retention and half level.

    All series are of one family.
    """
    levels = table_levels(series)
    for line in series:
        yield Row(
            switches.view_of(line, "dataset", "direction", "k"),
            switches.models.index(line.model),
            short(line.model),
            short(line.occluder),
            (*_recall_cells(line, levels), *_curve_cells(line, levels[-1])),
        )


def _recall_cells(line: Series, levels: Sequence[float]) -> Iterator[Cell]:
    measured = {
        point.level: _recall_cell(point, verdict)
        for point, verdict in zip(line.recall, line.verdicts, strict=True)
    }
    for level in levels:
        yield measured.get(level, Cell("", ""))


def _recall_cell(point: Point, verdict: VerdictName) -> Cell:
    mark, mark_words = MARKS[verdict]
    return Cell(
        percent(point.value),
        order_of(point.value),
        _interval(point),
        verdict,
        mark,
        mark_words,
    )


def _curve_cells(line: Series, highest: float) -> tuple[Cell, Cell, Cell]:
    """What the whole curve says."""
    last = line.recall[-1].level
    # A curve that ends early cannot be sorted among the others.
    ends_at = "" if last == highest else level_text(last, line.family)
    return (
        _curve_cell(line.auc, ends_at),
        _retention_cell(line, ends_at),
        _half_cell(line),
    )


def _curve_cell(value: float | None, ends_at: str, interval: str = "") -> Cell:
    if ends_at:
        return Cell(percent(value), "", f"only to {ends_at}")
    return Cell(percent(value), order_of(value), interval)


def _retention_cell(line: Series, ends_at: str) -> Cell:
    if len(line.retention) < 2:
        return _nothing_to_keep(line)
    last = line.retention[-1]
    return _curve_cell(last.value, ends_at, _interval(last))


def _half_cell(line: Series) -> Cell:
    if len(line.retention) < 2:
        return _nothing_to_keep(line)
    if line.half_level is None:
        return Cell("not reached", _NOT_REACHED)
    half = level_number(line.half_level, line.family)
    return Cell(half, order_of(line.half_level), _half_ends(line))


def _half_ends(line: Series) -> str:
    if line.half_interval is None:
        return ""
    low, high = line.half_interval
    lower = _whole(low, line)
    if high is None:
        return f"{lower} or more"
    return f"{lower}–{_whole(high, line)}"


def _whole(level: float, line: Series) -> str:
    is_share = line.family == "occlusion"
    return percent(level, 0) if is_share else level_number(level, line.family)


def _nothing_to_keep(line: Series) -> Cell:
    return Cell("at chance" if line.is_at_chance else "–", "")


def _interval(point: Point) -> str:
    if point.low is None or point.high is None:
        return ""
    return f"{percent(point.low, 0)}–{percent(point.high, 0)}"


def order_of(value: float | None) -> str:
    """What a column is sorted by; empty for a number that is missing."""
    return "" if value is None else f"{value:.6g}"
