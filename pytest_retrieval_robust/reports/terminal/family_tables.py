"""A line per corruption and text noise: what is left of Recall@k over the severities."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.words import counted
from ...gate.record import RunRecord
from .._text import number, short
from ..family_summary import FAMILY_TITLES, FamilyRow, FamilyTable, family_tables
from ..run_series import series_of
from .lines import Line, Span
from .marks import COLOURS, MARKS

_NAME_WIDTH = 30
_MOST_ROWS = 40
HEADS = (
    f"{'':{_NAME_WIDTH}}{'clean':>7}{'mean':>7}{'worst':>8}{'at':>6}{'kept':>7}"
    f"{'half':>7}{'fails':>8}"
)
LEGEND = (
    "mean, worst: over the severities above 0   kept: mean / clean",
    "half: the severity that halves it   fails: the first one whose gate is not met",
)
_ALL_SHOWN_BY = "(`-v` shows them all, and so does --robust-report FILE.html)"


def family_lines(run: RunRecord, verbosity: int) -> Iterator[Line]:
    """A table per data set and family but occlusions, of the largest k, from image to
    report.
    """
    if all(outcome.case.family == "occlusion" for outcome in run.outcomes):
        return
    has_tables = False
    for table in family_tables(series_of(run)):
        has_tables = True
        yield from _table_lines(table, verbosity)
        yield []
    if has_tables and verbosity >= 0:
        for words in LEGEND:
            yield [Span(words)]
        yield []


def _table_lines(table: FamilyTable, verbosity: int) -> Iterator[Line]:
    first = table.rows[0].series
    recall = f"{first.direction} Recall@{first.k} in %"
    title = f"{short(table.dataset)}, {FAMILY_TITLES[table.family]}: {recall}"
    yield [Span(title, "bold")]
    severities = ", ".join(f"{severity:g}" for severity in table.severities)
    queries = counted(first.queries, "query", "queries")
    chance = number(None if first.chance is None else 100 * first.chance, 1)
    size = f"{queries}, gallery {first.gallery}, chance {chance}"
    yield [Span(f"{size}, severities {severities or 'none above 0'}")]
    yield [Span(HEADS)]
    shown = table.rows if verbosity > 0 else table.rows[:_MOST_ROWS]
    model = None
    for row in shown:
        if row.series.model != model:
            model = row.series.model
            yield [Span(short(model))]
        yield from _row_lines(row)
    left_out = len(table.rows) - len(shown)
    if left_out:
        yield [Span(f"... and {counted(left_out, 'more row')} {_ALL_SHOWN_BY}")]


def _row_lines(row: FamilyRow) -> Iterator[Line]:
    name = f"  {short(row.series.occluder)}"
    if len(name) >= _NAME_WIDTH:
        yield [Span(name)]
        name = ""
    if row.without is not None:
        # Where the other numbers stand: they are of all severities.
        clean = f"{name:{_NAME_WIDTH}}{_percent(row.clean):>7}"
        mark = "" if row.verdict == "ungated" else MARKS[row.verdict]
        words = f"  {row.without}{mark}".rstrip()
        fails = f"  fails {_fails(row)}" if row.fails_from is not None else ""
        yield [Span(clean), Span(words, COLOURS[row.verdict]), Span(fails)]
    else:
        yield _numbers(row, name)
    if row.unaltered is not None:
        yield [Span(f"    {row.unaltered}", COLOURS["inconclusive"])]


def _numbers(row: FamilyRow, name: str) -> Line:
    """The line of a perturbation that was measured at every severity."""
    worst = row.worst
    lowest = f"{'-':>7}{MARKS[row.verdict]}"
    at = ""
    if worst is not None:
        lowest = f"{_percent(worst.value):>7}{MARKS[row.verdict]}"
        at = f"{worst.level:g}"
    return [
        Span(f"{name:{_NAME_WIDTH}}{_percent(row.clean):>7}{_percent(row.mean):>7}"),
        Span(lowest, COLOURS[row.verdict]),
        Span(
            f"{at:>6}{_share(row, row.kept):>7}{_half(row):>7}{_fails(row):>8}".rstrip()
        ),
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _share(row: FamilyRow, share: float | None) -> str:
    if share is None:
        return "chance" if row.series.is_at_chance else "n/a"
    return f"{share:.2f}"


def _half(row: FamilyRow) -> str:
    if not row.series.retention:
        return "n/a"
    half = row.series.half_level
    return "none" if half is None else f"{half:.2f}"


def _fails(row: FamilyRow) -> str:
    return "" if row.fails_from is None else f"at {row.fails_from:g}"
