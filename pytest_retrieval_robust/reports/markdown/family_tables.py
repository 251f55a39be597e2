"""Corruptions and text noise: a row each in the open, every severity folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.cases import DIRECTIONS
from ...core.words import counted
from .._text import level_number, percent
from ..family_summary import (
    FAMILY_SUBJECTS,
    FAMILY_TITLES,
    FamilyRow,
    FamilyTable,
    family_tables,
)
from ..series import Series
from .dialect import code, folded, table
from .recall_tables import MARKS, recall_table

_LEGEND = (
    "Mean and worst: over the severities above 0. Kept: mean / clean, in %. Half gone at: the"
    " severity that halves Recall. Fails at: the smallest severity whose gate on recall"
    " or retention is not met. Where a severity was"
    " not measured there is no mean, worst, kept or half."
)


def family_blocks(series: Sequence[Series]) -> Iterator[str]:
    """A summary table per data set and family, of the largest k, from image to report;
    every other number folded.
    """
    tables = list(family_tables(series))
    for summary in tables:
        yield _summary(summary)
    if tables:
        yield _LEGEND
    for summary in tables:
        yield from _folded(series, summary)


def _summary(summary: FamilyTable) -> str:
    first = summary.rows[0].series
    subject = FAMILY_SUBJECTS[summary.family]
    title = FAMILY_TITLES[summary.family].capitalize()
    recall = f"Recall@{first.k}, {first.direction.replace('-', ' ')}, in %"
    severities = ", ".join(f"{severity:g}" for severity in summary.severities)
    facts = [
        counted(first.queries, "query", "queries"),
        f"gallery {first.gallery}",
        f"chance {percent(first.chance)}",
        f"severities {severities or 'none above 0'}",
    ]
    heads = (
        "model",
        subject,
        "clean",
        "mean",
        "worst",
        "kept",
        "half gone at",
        "fails at",
    )
    rows = [_row(row) for row in summary.rows]
    head = f"### {title}: {recall}\n\n{code(summary.dataset)}: {', '.join(facts)}."
    return f"{head}\n\n{table(heads, rows, 2)}"


def _row(row: FamilyRow) -> list[str]:
    line = row.series
    name = code(line.occluder)
    if row.unaltered is not None:
        name = f"{name} ({row.unaltered})"
    fails = "" if row.fails_from is None else f"{row.fails_from:g}"
    if row.without is not None:
        return [
            code(line.model),
            name,
            percent(row.clean),
            percent(row.mean),
            f"{row.without}{MARKS[row.verdict]}",
            percent(row.kept),
            "–",
            fails,
        ]
    worst = percent(None)
    if row.worst is not None:
        worst = f"{percent(row.worst.value)}{MARKS[row.verdict]} at {row.worst.level:g}"
    half = "–"
    if line.retention:
        half = "not reached"
        if line.half_level is not None:
            half = level_number(line.half_level, line.family)
    return [
        code(line.model),
        name,
        percent(row.clean),
        percent(row.mean),
        worst,
        "at chance" if line.is_at_chance else percent(row.kept),
        half,
        fails,
    ]


def _folded(series: Sequence[Series], summary: FamilyTable) -> Iterator[str]:
    """Every severity of a family on a data set: a fold per direction and k."""
    lines = [
        line
        for line in series
        if (line.dataset, line.family) == (summary.dataset, summary.family)
    ]
    for direction in DIRECTIONS:
        for k in sorted({line.k for line in lines}, reverse=True):
            names = dict.fromkeys(line.occluder for line in lines)
            tables = [
                recall_table(_chosen(lines, name, direction, k)) for name in names
            ]
            way = direction.replace("-", " ")
            title = FAMILY_TITLES[summary.family].capitalize()
            yield folded(
                f"{title}, Recall@{k}, {way}, every severity, in %",
                "\n\n".join(tables),
            )


def _chosen(lines: Sequence[Series], name: str, direction: str, k: int) -> list[Series]:
    wanted = (name, direction, k)
    return [line for line in lines if (line.occluder, line.direction, line.k) == wanted]
