"""Curves as text, as HTML for a notebook, and as columns for a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from ..core.cases import DIRECTIONS, Direction, Family
from ..core.errors import NotOnThisMachineError
from ..core.outcomes import Outcome
from ..core.plain_text import plain, plain_html

if TYPE_CHECKING:
    from pandas import DataFrame

    from .curve import Curve

Rows = list[list[str]]
"""The heads, then the rows, as they are shown."""
Columns = dict[str, list[Any]]

_COLUMNS = (
    "model",
    "dataset",
    "family",
    "occluder",
    "seed",
    "direction",
    "k",
    "level",
    "achieved_level",
    "visible_level",
    "recall",
    "low",
    "high",
    "chance",
    "kept",
    "queries",
    "gallery",
)


def axis_words(families: Iterable[Family]) -> str:
    """What the levels of curves of these families are."""
    words = ["share hidden" if one == "occlusion" else "severity" for one in families]
    return " or ".join(sorted(set(words), reverse=True)) or "share hidden"


def as_text(title: str, rows: Rows, notes: Iterable[str] = ()) -> str:
    """A table for a terminal: the first column to the left, the others to the right.

    What else there is to say stands below it, a line for each note.
    """
    shown = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [plain(title)]
    for label, *cells in shown:
        padded = [f"{label:<{widths[0]}}"]
        for cell, width in zip(cells, widths[1:], strict=True):
            padded.append(f"{cell:>{max(width, 5)}}")
        lines.append("   ".join(padded))
    lines += map(plain, notes)
    return "\n".join(lines)


def as_html(title: str, rows: Rows, notes: Iterable[str] = ()) -> str:
    """The same table for a notebook, with what else there is to say below it."""
    heads, *others = rows
    body = "".join(f"<tr>{_html_cells(row, 'td')}</tr>" for row in others)
    below = "".join(f"<p>{plain_html(note)}</p>" for note in notes)
    return (
        f"<div><table><caption>{plain_html(title)}</caption>"
        f"<thead><tr>{_html_cells(heads, 'th')}</tr></thead>"
        f"<tbody>{body}</tbody></table>{below}</div>"
    )


def _html_cells(cells: Sequence[str], tag: str) -> str:
    return "".join(f"<{tag}>{plain_html(cell)}</{tag}>" for cell in cells)


def recall_rows(curve: Curve) -> Rows:
    """A row for each direction and k: Recall@k in % at each level."""
    levels = [f"{level:g}" for level in curve.levels]
    rows = [[f"Recall in %, {axis_words([curve.family])}:", *levels]]
    for direction, k in product(DIRECTIONS, curve.ks):
        recalls = curve.recall(k, direction).values()
        cells = [_percent(value) for value in recalls]
        rows.append([f"{direction} Recall@{k}", *cells])
    return rows


def compared_rows(curves: Sequence[Curve], labels: Sequence[str], k: int) -> Rows:
    """A row for each curve and direction: Recall@k in % at each level of any curve.

    A level that a curve lacks, or a k, is a dash.
    """
    levels = sorted({level for curve in curves for level in curve.levels})
    axis = axis_words(curve.family for curve in curves)
    rows = [[f"Recall@{k} in %, {axis}:", *(f"{level:g}" for level in levels)]]
    for direction in DIRECTIONS:
        for label, curve in zip(labels, curves, strict=True):
            measured: Mapping[float, float] = {}
            if k in curve.ks:
                measured = curve.recall(k, direction)
            cells = [
                _percent(measured[level]) if level in measured.keys() else "-"  # noqa: SIM118 - looking up an unmeasured level is an error
                for level in levels
            ]
            rows.append([f"{label}, {direction}".removeprefix(", "), *cells])
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def as_columns(curves: Iterable[Curve]) -> Columns:
    """One row per curve, direction, k and level."""
    columns: Columns = {name: [] for name in _COLUMNS}
    for curve in curves:
        for direction, k in product(DIRECTIONS, curve.ks):
            retention = curve.retention(k, direction)
            for outcome in curve.outcomes:
                row = _row(outcome, direction, k, retention)
                for name, column in columns.items():
                    column.append(row[name])
    return columns


def as_dataframe(columns: Columns) -> DataFrame:
    """Columns as a table of pandas; `NotOnThisMachineError` without it."""
    try:
        from pandas import DataFrame
    except ImportError:
        reason = (
            "pandas, which makes data frames, is not installed: pip install"
            " 'pytest-retrieval-robust[pandas]', or use to_dict()"
        )
    else:
        return DataFrame(columns)
    # Outside of the handler: the import's own error says less.
    raise NotOnThisMachineError.because(reason)


def _row(
    outcome: Outcome,
    direction: Direction,
    k: int,
    retention: Mapping[float, float] | None,
) -> dict[str, Any]:
    scores = outcome.scores(direction)
    low, high = scores.recall_interval.get(k, (None, None))
    return {
        **outcome.case.as_json(),
        # Plain data leave the usual family out.
        "family": outcome.case.family,
        "direction": direction,
        "k": k,
        "achieved_level": outcome.achieved_level,
        "visible_level": outcome.visible_level,
        "recall": outcome.recall(k, direction),
        "low": low,
        "high": high,
        "chance": scores.chance.get(k),
        "kept": None if retention is None else retention[outcome.case.level],
        "queries": scores.queries,
        "gallery": scores.gallery,
    }
