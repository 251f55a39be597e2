"""A curve as text, as HTML for a notebook, and as columns for a data frame."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import product
from typing import TYPE_CHECKING, Any

from ..core.cases import DIRECTIONS, Direction
from ..core.outcomes import Outcome

if TYPE_CHECKING:
    from .curve import Curve

_COLUMNS = (
    "model",
    "dataset",
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


def as_text(title: str, curve: Curve) -> str:
    rows = _recall_table(curve)
    width = max(len(label) for label, *_ in rows)
    lines = [title]
    for label, *cells in rows:
        lines.append(f"{label:<{width}}" + "".join(f"{cell:>8}" for cell in cells))
    return "\n".join(lines)


def as_html(title: str, curve: Curve) -> str:
    heads, *rows = _recall_table(curve)
    body = "".join(f"<tr>{_html_cells(row, 'td')}</tr>" for row in rows)
    return (
        f"<table><caption>{escape(title)}</caption>"
        f"<thead><tr>{_html_cells(heads, 'th')}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _html_cells(cells: list[str], tag: str) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)


def _recall_table(curve: Curve) -> list[list[str]]:
    """The heads, and a row for each direction and k: Recall@k in % at each level."""
    levels = [f"{level:g}" for level in curve.levels]
    rows = [["Recall in %, share hidden:", *levels]]
    for direction, k in product(DIRECTIONS, curve.ks):
        recalls = curve.recall(k, direction).values()
        cells = [f"{100 * value:.1f}" for value in recalls]
        rows.append([f"{direction} Recall@{k}", *cells])
    return rows


def as_columns(curve: Curve) -> dict[str, list[Any]]:
    """One row per direction, k and level."""
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for direction, k in product(DIRECTIONS, curve.ks):
        retention = curve.retention(k, direction)
        for outcome in curve.outcomes:
            row = _row(outcome, direction, k, retention)
            for name, column in columns.items():
                column.append(row[name])
    return columns


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
