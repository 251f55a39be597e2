"""A run as CSV: the paper's layout (models x levels x k), or one row per point."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TypeAlias

from ._text import plain
from .curve_csv import CURVE_COLUMNS, curve_csv
from .series import Series

_SUBJECT_COLUMNS = ("model", "data set", "occluder", "direction")
_Column: TypeAlias = tuple[bool, float, int]
"""Whether it is of a severity, the level or severity, k."""
_STARTS_OF_FORMULAS = ("=", "+", "-", "@")


def paper_csv(series: Sequence[Series]) -> str:
    """One row per model, data set, perturbation and direction.

    Each level and k has a column of Recall@k in %; each severity and k has one of its
    own, behind them.
    """
    rows: dict[tuple[str, ...], dict[_Column, str]] = {}
    for line in series:
        # One name may be that of two families.
        key = (line.model, line.dataset, line.occluder, line.direction, line.family)
        recalls = rows.setdefault(key, {})
        for point in line.recall:
            column = (line.family != "occlusion", point.level, line.k)
            recalls[column] = _percent(point.value)
    columns = sorted({column for recalls in rows.values() for column in recalls})
    heads = [_head(*column) for column in columns]
    table = []
    for subject, recalls in rows.items():
        cells = [recalls.get(column, "") for column in columns]
        table.append([*map(plain, subject[:4]), *cells])
    return csv_text([*_SUBJECT_COLUMNS, *heads], table)


def _head(is_severity: bool, level: float, k: int) -> str:
    if is_severity:
        return f"R@{k} at severity {level:g}"
    return f"R@{k} at {100 * level:g} %"


def _percent(recall: float | None) -> str:
    return "" if recall is None else f"{100 * recall:.2f}"


def long_csv(series: Sequence[Series]) -> str:
    """One row per point: recall, retention, their 95 % intervals, chance, ceiling.

    Shares go from 0 to 1.
    """
    return csv_text(CURVE_COLUMNS, curve_csv(series))


def csv_text(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Heads and rows as CSV in which nothing is run as a formula."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow(map(_without_formula, row))
    return stream.getvalue()


def _without_formula(value: object) -> object:
    """A text that a spreadsheet would run as a formula is quoted."""
    if isinstance(value, str) and value.startswith(_STARTS_OF_FORMULAS):
        return f"'{value}"
    return value
