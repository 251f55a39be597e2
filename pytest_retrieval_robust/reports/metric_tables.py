"""The values of registered metrics over the levels, as text, Markdown and HTML show them.

They stand beside Recall@k only where a run asked for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.cases import DIRECTIONS, Case, Direction
from ._text import number, short
from .terminal.lines import Line, Span

if TYPE_CHECKING:
    from ..gate.record import RunRecord


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
    """Every metric of a run."""

    levels: list[float]
    rows: list[MetricRow]
    has_seeds: bool
    """Whether the seed of a row has to be shown."""


def metric_table(run: RunRecord) -> MetricTable:
    """One row per metric, curve and direction; all rows have the same levels."""
    levels = sorted({level for curve in run.curves for level in curve.levels})
    seeds = {curve.clean.case.seed for curve in run.curves}
    return MetricTable(levels, list(_rows(run, levels)), len(seeds) > 1)


def _rows(run: RunRecord, levels: list[float]) -> Iterator[MetricRow]:
    for name in run.metrics:
        for curve in run.curves:
            for direction in DIRECTIONS:
                values: dict[float, float | None] = dict.fromkeys(levels)
                for outcome in curve.outcomes:
                    scores = outcome.scores(direction)
                    values[outcome.case.level] = scores.metrics.get(name)
                yield MetricRow(name, curve.clean.case, direction, values)


def metric_lines(run: RunRecord) -> Iterable[Line]:
    """The terminal's part: a line per metric, model, occluder and direction."""
    table = metric_table(run)
    if not table.rows:
        return
    levels = ", ".join(f"{level:g}" for level in table.levels)
    yield [Span(f"metrics at levels {levels}", "bold")]
    for row in table.rows:
        case = row.clean
        seed = f", seed {case.seed}" if table.has_seeds else ""
        place = f"{short(case.model)} on {short(case.dataset)}, {short(case.occluder)}"
        values = " ".join(row.texts)
        yield [Span(f"{short(row.metric)} of {place}{seed}, {row.direction}: {values}")]
    yield []


def metric_blocks(run: RunRecord) -> Iterator[str]:
    """The Markdown report's part: a heading and a table."""
    from .markdown.dialect import code, table

    metrics = metric_table(run)
    if not metrics.rows:
        return
    heads = ["metric", "model", "data set", "occluder", "direction"]
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
    heads += [f"{100 * level:g} %" for level in metrics.levels]
    yield "### Metrics"
    yield "### Metrics"
    yield table(heads, rows, words)
