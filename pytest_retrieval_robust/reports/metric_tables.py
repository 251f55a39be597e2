"""The values of registered metrics over the levels, as text, Markdown and HTML show them.

They stand beside Recall@k only where a run asked for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.cases import DIRECTIONS, FAMILIES, Case, Direction, Family, levels_word
from ._text import level_text, number, short
from .family_summary import FAMILY_SUBJECTS
from .terminal.lines import Line, Span

if TYPE_CHECKING:
    from ..gate.record import RunRecord
    from ..retrieval.curve import Curve


@dataclass(frozen=True)
class MetricRow:
    """One metric of one curve, in one direction."""

    metric: str
    clean: Case
    """The case of the curve at level 0."""
    direction: Direction
    values: dict[float, float | None]
    """By level; None where the metric failed or was not measured."""

    @property
    def texts(self) -> list[str]:
        """The values with three decimals."""
        return [number(value) for value in self.values.values()]


@dataclass(frozen=True)
class MetricTable:
    """Every metric of a run, for one family."""

    family: Family
    levels: list[float]
    rows: list[MetricRow]
    has_seeds: bool
    """Whether the seed of a row has to be shown."""

    @property
    def heads(self) -> list[str]:
        """What the columns of values are."""
        return [level_text(level, self.family) for level in self.levels]


def metric_tables(run: RunRecord) -> Iterator[MetricTable]:
    """A table per family: one row per metric, curve and direction, all with the same
    levels. There is none where the run has no metric.
    """
    if not run.metrics:
        return
    for family in FAMILIES:
        curves = [curve for curve in run.curves if curve.clean.case.family == family]
        if curves:
            levels = sorted({level for curve in curves for level in curve.levels})
            seeds = {curve.clean.case.seed for curve in curves}
            rows = list(_rows(run.metrics, curves, levels))
            yield MetricTable(family, levels, rows, len(seeds) > 1)


def _rows(
    metrics: Sequence[str], curves: Sequence[Curve], levels: list[float]
) -> Iterator[MetricRow]:
    for name in metrics:
        for curve in curves:
            for direction in DIRECTIONS:
                values: dict[float, float | None] = dict.fromkeys(levels)
                for outcome in curve.outcomes:
                    scores = outcome.scores(direction)
                    values[outcome.case.level] = scores.metrics.get(name)
                yield MetricRow(name, curve.clean.case, direction, values)


def metric_lines(run: RunRecord) -> Iterable[Line]:
    """The terminal's part: a line per metric, model, perturbation and direction."""
    for table in metric_tables(run):
        yield from _lines_of(table)


def _lines_of(table: MetricTable) -> Iterator[Line]:
    levels = ", ".join(f"{level:g}" for level in table.levels)
    yield [Span(f"metrics at {levels_word(table.family)} {levels}", "bold")]
    for row in table.rows:
        case = row.clean
        seed = f", seed {case.seed}" if table.has_seeds else ""
        place = f"{short(case.model)} on {short(case.dataset)}, {short(case.occluder)}"
        values = " ".join(row.texts)
        yield [Span(f"{short(row.metric)} of {place}{seed}, {row.direction}: {values}")]
    yield []


def metric_blocks(run: RunRecord) -> Iterator[str]:
    """The Markdown report's part: a heading and a table."""
    for place, metrics in enumerate(metric_tables(run)):
        if place == 0:
            yield "### Metrics"
        yield _markdown_table(metrics)


def _markdown_table(metrics: MetricTable) -> str:
    from .markdown.dialect import code, table

    subject = FAMILY_SUBJECTS[metrics.family]
    heads = ["metric", "model", "data set", subject, "direction"]
    if metrics.has_seeds:
        heads.append("seed")
    rows = []
    for row in metrics.rows:
        case = row.clean
        cells = [
            code(row.metric),
            code(case.model),
            code(case.dataset),
            code(case.occluder),
            row.direction,
        ]
        if metrics.has_seeds:
            cells.append(str(case.seed))
        rows.append([*cells, *row.texts])
    words = len(heads)
    return table([*heads, *metrics.heads], rows, words)
