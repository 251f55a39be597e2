"""The page's table of differences from the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from markupsafe import Markup

from ...core.cases import DIRECTIONS
from ...gate.cell_difference import CellDifference
from ...gate.record import RunRecord
from ...retrieval.adjusted_p import holm
from .._text import plain, short
from .svg import interval
from .views import View

_ALPHA = 0.05
_LEAST_REACH = 0.01
"""The scale of the drawn intervals never goes below a point in a hundred."""
Status = Literal["lost", "gained", "unclear"]
_ORDER: dict[Status, int] = {"lost": 0, "unclear": 1, "gained": 2}
CHANGE_COLUMNS = (
    "status",
    "model",
    "data set",
    "occluder",
    "level",
    "seed",
    "direction",
    "k",
    "baseline",
    "candidate",
    "difference",
    "low",
    "high",
    "wins",
    "losses",
    "p",
    "p Holm",
    "family",
)


@dataclass(frozen=True)
class Change:
    """One cell beside the baseline's."""

    view: View
    status: Status
    cell: CellDifference
    model: str
    dataset: str
    occluder: str
    p: float
    """By Holm, among the cells that are shown together."""
    drawing: Markup


def changes_of(run: RunRecord) -> list[Change]:
    """The cells beside the baseline's: significant losses first, then the greatest loss."""
    if run.baseline is None:
        return []

    def view(cell: CellDifference) -> tuple[str, int]:
        return cell.direction, cell.k

    changes: list[Change] = []
    for _, group in groupby(sorted(run.baseline.cells, key=view), key=view):
        cells = list(group)
        reach = _reach(cells)
        adjusted = holm([cell.p for cell in cells])
        for cell, p in zip(cells, adjusted, strict=True):
            changes.append(_change(cell, p, reach))

    def importance(change: Change) -> tuple[object, ...]:
        return _ORDER[change.status], change.cell.value, change.cell.case

    return sorted(changes, key=importance)


def _reach(cells: Iterable[CellDifference]) -> float:
    """How far the scale of the drawn intervals goes on either side of no change."""
    ends = [abs(end) for cell in cells for end in (cell.low, cell.high)]
    return max([_LEAST_REACH, *filter(math.isfinite, ends)])


def _change(cell: CellDifference, p: float, reach: float) -> Change:
    status: Status = "unclear"
    if p < _ALPHA:
        status = "lost" if cell.value < 0 else "gained"
    # Level 0 is one cell, whatever the perturbation.
    occluder = short(cell.case.occluder) if cell.case.level > 0 else "nothing hidden"
    return Change(
        View(direction=DIRECTIONS.index(cell.direction), k=cell.k),
        status,
        cell,
        short(cell.case.model),
        short(cell.case.dataset),
        occluder,
        p,
        interval(cell.value, cell.low, cell.high, reach),
    )


def change_csv(changes: Sequence[Change]) -> list[list[object]]:
    """One row per cell, under `CHANGE_COLUMNS`."""
    rows: list[list[object]] = []
    for change in changes:
        cell = change.cell
        case = cell.case
        row = [
            change.status,
            plain(case.model),
            plain(case.dataset),
            plain(case.occluder),
            case.level,
            case.seed,
            cell.direction,
            cell.k,
            cell.baseline,
            cell.candidate,
            cell.value,
            cell.low,
            cell.high,
            cell.wins,
            cell.losses,
            cell.p,
            change.p,
            case.family,
        ]
        rows.append(row)
    return rows
