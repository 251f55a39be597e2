"""A run as CSV: the paper's layout, models x levels x k, or one row a point with its interval."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ._text import plain
from .curve_csv import CURVE_COLUMNS, curve_csv
from .series import Series


def paper_csv(series: Sequence[Series]) -> str:
    """One row a model, data set, occluder and direction; Recall@k in % in a column for
    each level and k.
    """
    places = sorted({(point.level, one.k) for one in series for point in one.recall})
    heads = [
        "model",
        "data set",
        "occluder",
        "direction",
        *(f"R@{k} at {100 * level:g} %" for level, k in places),
    ]
    rows: dict[tuple[str, ...], dict[tuple[float, int], str]] = {}
    for one in series:
        row = rows.setdefault((one.model, one.dataset, one.occluder, one.direction), {})
        for point in one.recall:
            row[point.level, one.k] = (
                "" if point.value is None else f"{100 * point.value:.2f}"
            )
    return _written(
        heads,
        [
            [*map(plain, who), *(row.get(place, "") for place in places)]
            for who, row in rows.items()
        ],
    )


def long_csv(series: Sequence[Series]) -> str:
    """One row a point: recall, what is kept, their 95 % intervals, chance, ceiling;
    shares from 0 to 1.
    """
    return _written(CURVE_COLUMNS, curve_csv(series))


def _written(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(
        [heads, *([_harmless(value) for value in row] for row in rows)]
    )
    return stream.getvalue()


def _harmless(value: object) -> object:
    """A text that a spreadsheet would run as a formula is quoted."""
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@"))
        else value
    )
