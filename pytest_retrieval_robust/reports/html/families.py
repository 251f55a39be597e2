"""The page's parts on corruptions and on text noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...core.cases import FAMILIES, Family
from .._text import level_number, percent, short
from ..family_summary import FAMILY_SUBJECTS, FamilyRow, family_row
from ..series import Series
from .cell_table import MARKS, Cell, Row, order_of, table_levels, table_rows
from .curves import Figure, curve_figures, member_figures
from .views import AXES, Option, Switches, View

_LEADS: dict[Family, str] = {
    "corruption": (
        "What is left of Recall when images are acquired worse: each corruption from"
        " severity 0, the clean image, to 1."
    ),
    "text-noise": (
        "What is left of Recall when reports are written worse: each noise from"
        " severity 0, the report as it is, to 1. Images stay clean; noised reports are"
        " the gallery of image to report, and the queries of report to image."
    ),
}
_NOT_REACHED = "2"
"""A half severity that was not reached sorts after every severity."""


@dataclass(frozen=True)
class SummaryRow:
    """One model under one perturbation: clean, mean, worst, kept, half, fails from, and
    the least share that was changed.
    """

    view: View
    number: int
    model: str
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class FamilyPart:
    """What the page shows of one family but occlusions."""

    family: Family
    id: str
    """Of its section, and the start of the ids within."""
    title: str
    lead: str
    subject: str
    """What one member is called."""
    axis: str
    """The switch that chooses among its members."""
    members: list[Option]
    summary: list[SummaryRow]
    figures: list[Figure]
    member_figures: list[Figure]
    levels: list[float]
    rows: list[Row]


def family_parts(series: Sequence[Series], switches: Switches) -> Iterator[FamilyPart]:
    """A part for each family but occlusions that the run has."""
    for family in FAMILIES:
        lines = [line for line in series if line.family == family]
        if family == "occlusion" or not lines:
            continue
        subject = FAMILY_SUBJECTS[family]
        yield FamilyPart(
            family,
            id=family,
            title=f"Recall over {subject}",
            lead=_LEADS[family],
            subject=subject,
            axis=AXES[family],
            members=switches.options(AXES[family]),
            summary=[_summary_row(line, switches) for line in lines],
            figures=list(curve_figures(lines, switches)),
            member_figures=list(member_figures(lines, switches)),
            levels=table_levels(lines),
            rows=list(table_rows(lines, switches)),
        )


def _summary_row(line: Series, switches: Switches) -> SummaryRow:
    row = family_row(line)
    return SummaryRow(
        switches.view_of(line, "dataset", "direction", "k"),
        switches.models.index(line.model),
        short(line.model),
        short(line.occluder),
        tuple(_cells(row)),
    )


def _cells(row: FamilyRow) -> Iterator[Cell]:
    yield _share(row.clean)
    yield _share(row.mean)
    yield _worst(row)
    is_at_chance = row.series.is_at_chance and not row.holes
    kept = "at chance" if is_at_chance else percent(row.kept)
    yield Cell(kept, order_of(row.kept))
    yield _half(row)
    fails = "" if row.fails_from is None else f"{row.fails_from:g}"
    yield Cell(fails, order_of(row.fails_from))
    yield _altered(row.series)


def _altered(line: Series) -> Cell:
    """The least share of images or reports that was changed at a severity above 0, and
    where it is none.
    """
    shares = [share for share in line.altered if share is not None]
    if not shares:
        return Cell("–", "")
    least = min(shares)
    nowhere = ", ".join(f"{level:g}" for level in line.unaltered_at)
    return Cell(
        percent(least), order_of(least), f"none at {nowhere}" if nowhere else ""
    )


def _share(value: float | None) -> Cell:
    return Cell(percent(value), order_of(value))


def _worst(row: FamilyRow) -> Cell:
    mark, mark_words = MARKS[row.verdict]
    if row.worst is None:
        words = row.without or percent(None)
        return Cell(words, "", "", row.verdict, mark, mark_words)
    return Cell(
        percent(row.worst.value),
        order_of(row.worst.value),
        f"at {row.worst.level:g}",
        row.verdict,
        mark,
        mark_words,
    )


def _half(row: FamilyRow) -> Cell:
    line = row.series
    if not line.retention or row.holes:
        return Cell("–", "")
    if line.half_level is None:
        return Cell("not reached", _NOT_REACHED)
    return Cell(level_number(line.half_level, line.family), order_of(line.half_level))
