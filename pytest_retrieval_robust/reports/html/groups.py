"""The page's part on groups: their recall over the levels, and every number in a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from ...core.cases import DIRECTIONS, Case
from ...gate.group_numbers import CellGroups, GroupRecall
from ...gate.record import RunRecord
from .._text import short
from ..edit_tables import cell_name
from ..group_tables import HEADS, NOTE, numbers_of, shown_cells
from .curves import Figure, Words
from .svg import Axes, Trace, described, interval, panel
from .views import AXES, Switches, View


@dataclass(frozen=True)
class GroupRow:
    """One group of one cell."""

    view: View
    case: Case
    place: str
    """What was done to the images or reports."""
    stratum: str
    name: str
    numbers: list[str]
    """Under `HEADS`."""
    drawing: Markup
    """Its recall and interval from 0 to 100 %; empty of a group that is too small."""


@dataclass(frozen=True)
class GroupPart:
    """What the page shows of groups."""

    k: int
    note: str
    heads: Sequence[str]
    figures: list[Figure]
    """Of occluders: one per model, data set, stratum and direction."""
    rows: list[GroupRow]


def group_part(run: RunRecord, switches: Switches) -> GroupPart | None:
    """The part of a run with strata; None without any."""
    cells = shown_cells(run, both=True)
    if not cells:
        return None
    return GroupPart(
        cells[0].k,
        f"{NOTE}.",
        HEADS,
        list(_figures(cells, switches)),
        [row for cell in cells for row in _rows(cell, switches)],
    )


def _rows(cell: CellGroups, switches: Switches) -> Iterator[GroupRow]:
    view = View(
        dataset=switches.datasets.index(cell.case.dataset),
        direction=DIRECTIONS.index(cell.direction),
    )
    for group in cell.groups:
        yield GroupRow(
            view,
            cell.case,
            cell_name(cell.case),
            short(cell.stratum),
            short(group.name),
            numbers_of(group),
            _drawing(group),
        )


def _drawing(group: GroupRecall) -> Markup:
    if group.recall is None or group.recall_interval is None:
        return Markup("")
    low, high = group.recall_interval
    # The scale of differences goes from -1 to 1: a half stands in its middle.
    return interval(
        2 * group.recall - 1,
        2 * (low or 0.0) - 1,
        2 * (1.0 if high is None else high) - 1,
        1.0,
    )


def _figures(cells: Sequence[CellGroups], switches: Switches) -> Iterator[Figure]:
    """A line per group over the levels of an occluder, from the clean cell on."""
    clean = {_line_of(cell): cell for cell in cells if cell.case.level == 0}
    hidden = [
        cell
        for cell in cells
        if cell.case.level > 0 and cell.case.family == "occlusion"
    ]

    def key(cell: CellGroups) -> tuple[str, ...]:
        return (*_line_of(cell), cell.case.occluder, f"{cell.case.seed:06}")

    for _, group in groupby(sorted(hidden, key=key), key=key):
        curve = sorted(group, key=lambda cell: cell.case.level)
        begin = clean.get(_line_of(curve[0]))
        yield _figure([begin, *curve] if begin else curve, switches)


def _line_of(cell: CellGroups) -> tuple[str, ...]:
    return cell.case.model, cell.case.dataset, cell.direction, cell.stratum


def _figure(curve: Sequence[CellGroups], switches: Switches) -> Figure:
    last = curve[-1]
    case = last.case
    view = View(
        **{AXES[case.family]: switches.names(AXES[case.family]).index(case.occluder)},
        dataset=switches.datasets.index(case.dataset),
        direction=DIRECTIONS.index(last.direction),
        model=switches.models.index(case.model),
    )
    levels = [cell.case.level for cell in curve]
    names = [group.name for group in last.judged]
    traces = []
    words = []
    for number, name in enumerate(names):
        points = [_point(cell, name) for cell in curve]
        traces.append(Trace(number, points))
        told = [(level, value) for level, value, _, _ in points]
        words.append(Words(number, short(name), described(told, None)))
    title = (
        f"Recall@{last.k} by {short(last.stratum)}, {last.direction.replace('-', ' ')},"
        f" {short(case.model)} under {short(case.occluder)} on {short(case.dataset)}"
    )
    drawn = panel(
        traces,
        Axes(levels, "share of the image hidden, %", f"Recall@{last.k}, %"),
        f"{title}. In words below.",
    )
    return Figure(view, title, _sizes(last), (drawn,), tuple(words))


def _point(
    cell: CellGroups, name: str
) -> tuple[float, float | None, float | None, float | None]:
    [group] = [each for each in cell.groups if each.name == name]
    low, high = group.recall_interval or (None, None)
    return cell.case.level, group.recall, low, high


def _sizes(cell: CellGroups) -> str:
    """`AP 120, PA 80 queries; too small: lateral 7.`"""
    judged = ", ".join(f"{short(each.name)} {each.queries}" for each in cell.judged)
    small = [each for each in cell.groups if each.recall is None]
    words = f"Queries: {judged}."
    if small:
        named = ", ".join(f"{short(each.name)} {each.queries}" for each in small)
        words += f" Too small to be judged: {named}."
    return words
