"""The tables of Recall@k over the level, a row per model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...core.cases import DIRECTIONS, Case, Direction
from ...core.outcomes import Outcome, Scores
from ...core.verdict import VerdictName
from ...core.words import counted
from ...gate.curve_intervals import CurveIntervals
from ...gate.record import RunRecord
from ...retrieval.curve import Curve
from .blocks import sparkline
from .lines import Line, Span
from .marks import COLOURS, MARKS, cell_verdict

_NAME_WIDTH = 18
_CELL_WIDTH = 7
_LEVELS_PER_CHUNK = 6
"""As many fit into 80 columns, with the name and the numbers of the whole curve."""
_MOST_TABLES = 12
_MOST_ROWS = 40
_ALL_SHOWN_BY = "(`-v` shows them all, and so does --robust-report FILE.html)"
_MEANINGS: dict[VerdictName, str] = {
    "fail": "! below its gate",
    "inconclusive": "? inconclusive",
    "ungated": "~ no gate",
}
_GAP = "   "
_SEVERITY_GAP = 0.02
"""A level is a severity where it hides a share of the image that differs by more."""


@dataclass(frozen=True)
class _Table:
    """Which recall a table shows, and how."""

    run: RunRecord
    k: int
    direction: Direction
    blocks: str

    @cached_property
    def has_several_seeds(self) -> bool:
        return len({curve.clean.case.seed for curve in self.run.curves}) > 1

    def row_name(self, case: Case) -> str:
        return f"{case.model} seed{case.seed}" if self.has_several_seeds else case.model

    def intervals_of(self, curve: Curve) -> CurveIntervals | None:
        key = (curve.clean.case, self.direction, self.k)
        return self.run.intervals.get(key)


def table_lines(run: RunRecord, verbosity: int, blocks: str) -> Iterator[Line]:
    """A table per data set and occluder; with `-v` for every direction and k, and for
    every corruption and text noise too.
    """
    groups: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in run.curves:
        case = curve.clean.case
        # The others have a line each in `family_tables`.
        if case.family == "occlusion" or verbosity > 0:
            key = (case.dataset, case.family, case.occluder)
            groups.setdefault(key, []).append(curve)
    shown = list(groups.values())
    if verbosity <= 0:
        shown = shown[:_MOST_TABLES]
    for curves in shown:
        for direction, k in _views(curves, verbosity):
            table = _Table(run, k, direction, blocks)
            yield from _limited_table(table, curves, verbosity)
            yield []
    left_out = len(groups) - len(shown)
    if left_out:
        yield [Span(f"... and {counted(left_out, 'more table')} {_ALL_SHOWN_BY}")]
        yield []
    legend = list(_legend(run, shown, verbosity))
    for meanings in legend:
        yield [Span(_GAP.join(meanings))]
    if legend:
        yield []


def _legend(
    run: RunRecord, shown: Sequence[Sequence[Curve]], verbosity: int
) -> Iterator[list[str]]:
    """What the signs and columns mean that are there; with `-q` the signs alone."""
    curves = [curve for alike in shown for curve in alike]
    if not curves:
        return
    outcomes = [outcome for curve in curves for outcome in curve.outcomes]
    verdicts = {cell_verdict(run, outcome.case) for outcome in outcomes}
    marks = [meaning for verdict, meaning in _MEANINGS.items() if verdict in verdicts]
    if verbosity < 0:
        # No word of the table says what a sign means.
        if marks:
            yield marks
        return
    yield [*marks, "below each: its 95 % interval"]
    yield [
        "kept: Recall at the last level / at level 0",
        "half: the level or severity that halves it"
        if any(curve.clean.case.family != "occlusion" for curve in curves)
        else "half: the level that halves it",
    ]
    if _are_severities(curves):
        yield ["hidden: the share of the image that a level hides, in %"]
    chance = ["chance: answers in random order"]
    names = {outcome.case.dataset for outcome in outcomes}
    facts = [dataset for dataset in run.datasets if dataset["name"] in names]
    if any(dataset["ceiling"] for dataset in facts):
        chance.append("ceiling: a perfect model (equal texts tie)")
    yield chance


def _views(curves: Sequence[Curve], verbosity: int) -> list[tuple[Direction, int]]:
    """The directions and k that are shown: by default one table, of the largest k."""
    ks = sorted(curves[0].clean.image_to_report.recall)
    if verbosity <= 0:
        return [(DIRECTIONS[0], ks[-1])]
    return [(direction, k) for direction in DIRECTIONS for k in ks]


def _limited_table(
    table: _Table, curves: Sequence[Curve], verbosity: int
) -> Iterator[Line]:
    if verbosity > 0:
        yield from _lines_of(table, curves)
        return
    yield from _lines_of(table, curves[:_MOST_ROWS])
    left_out = len(curves) - _MOST_ROWS
    if left_out > 0:
        yield [Span(f"... and {counted(left_out, 'more row')} {_ALL_SHOWN_BY}")]


def _lines_of(table: _Table, curves: Sequence[Curve]) -> Iterator[Line]:
    yield from _heading(table, curves[0])
    levels = sorted({level for curve in curves for level in curve.levels})
    for start in range(0, len(levels), _LEVELS_PER_CHUNK):
        chunk = levels[start : start + _LEVELS_PER_CHUNK]
        # What sums a curve up stands once, behind its last levels.
        is_last = chunk[-1] == levels[-1]
        columns = "".join(f"{level:>{_CELL_WIDTH - 1}g} " for level in chunk)
        summary_heads = "  kept  half" if is_last else ""
        yield [Span(f"{'':{_NAME_WIDTH}}{columns}{summary_heads}")]
        yield from _hidden_shares(curves, chunk)
        for curve in curves:
            yield from _row(table, curve, chunk, is_last)


def _heading(table: _Table, curve: Curve) -> Iterator[Line]:
    clean = curve.clean
    case = clean.case
    scores = clean.scores(table.direction)
    facts = _facts_of(table.run, case.dataset)
    title = f"{case.dataset}, {case.occluder}: {table.direction} Recall@{table.k} in %"
    yield [Span(title, "bold")]
    queries = counted(scores.queries, "query", "queries")
    size = f"{queries}, gallery {scores.gallery}"
    chance = f"chance {100 * scores.chance[table.k]:.1f}{_ceiling(table, facts)}"
    yield [
        Span(f"{size}, {chance}, {clean.timing.device} {clean.timing.precision}"),
    ]
    if facts is not None:
        yield [Span(_data_words(facts))]


def _facts_of(run: RunRecord, dataset: str) -> Mapping[str, Any] | None:
    for facts in run.datasets:
        if facts["name"] == dataset:
            return facts
    return None


def _ceiling(table: _Table, facts: Mapping[str, Any] | None) -> str:
    # Known for the direction from image to report alone.
    if facts is None or table.direction != DIRECTIONS[0]:
        return ""
    ceiling = (facts["ceiling"] or {}).get(str(table.k))
    return "" if ceiling is None else f", ceiling {100 * ceiling:.1f}"


def _data_words(facts: Mapping[str, Any]) -> str:
    words = [facts["split"], facts["text"], facts["relevance"]]
    if facts["duplicate_share"] > 0:
        words.append(f"{100 * facts['duplicate_share']:.1f} % repeated texts")
    if facts["skipped"]:
        words.append(f"{counted(facts['skipped'], 'broken image')} skipped")
    return ", ".join(words)


def _hidden_shares(curves: Sequence[Curve], chunk: Sequence[float]) -> Iterator[Line]:
    """What share of the image the levels hide, if they are severities, which do not say it."""
    if not _are_severities(curves):
        return
    outcomes = [outcome for curve in curves for outcome in curve.outcomes]
    hidden = {outcome.case.level: outcome.achieved_level for outcome in outcomes}
    width = _CELL_WIDTH - 1
    shares = "".join(f"{100 * hidden.get(level, 0.0):>{width}.1f} " for level in chunk)
    yield [Span(f"{'hidden, %':{_NAME_WIDTH}}{shares}".rstrip())]


def _are_severities(curves: Sequence[Curve]) -> bool:
    """Whether a level of theirs hides another share of the image than it says."""
    outcomes = [
        outcome
        for curve in curves
        for outcome in curve.outcomes
        if outcome.case.family == "occlusion"
    ]
    gaps = [abs(outcome.achieved_level - outcome.case.level) for outcome in outcomes]
    return any(gap > _SEVERITY_GAP for gap in gaps)


def _row(
    table: _Table, curve: Curve, chunk: Sequence[float], is_last: bool
) -> Iterator[Line]:
    """A line of recalls, and below it a line of their intervals."""
    name = table.row_name(curve.clean.case)
    if len(name) >= _NAME_WIDTH:
        yield [Span(name)]
        name = ""
    by_level = {outcome.case.level: outcome for outcome in curve.outcomes}
    outcomes = [by_level.get(level) for level in chunk]
    cells = [_cell(table, outcome) for outcome in outcomes]
    summary = _curve_summary(table, curve) if is_last else ""
    yield [Span(f"{name:{_NAME_WIDTH}}"), *cells, Span(summary)]
    intervals = "".join(_interval(table, outcome) for outcome in outcomes)
    if is_last:
        intervals += _summary_intervals(table, curve)
    yield [Span(f"{'':{_NAME_WIDTH}}{intervals}".rstrip())]


def _cell(table: _Table, outcome: Outcome | None) -> Span:
    if outcome is None:
        return Span(f"{'-':>{_CELL_WIDTH - 1}} ")
    verdict = cell_verdict(table.run, outcome.case)
    recall = outcome.recall(table.k, table.direction)
    words = f"{100 * recall:>{_CELL_WIDTH - 1}.1f}{MARKS[verdict]}"
    return Span(words, COLOURS[verdict])


def _interval(table: _Table, outcome: Outcome | None) -> str:
    if outcome is None:
        return " " * _CELL_WIDTH
    ends = recall_interval(outcome.scores(table.direction), table.k)
    return f"{ends:>{_CELL_WIDTH - 1}} "


def recall_interval(scores: Scores, k: int) -> str:
    """The 95 % interval of a recall, in whole %."""
    low, high = scores.recall_interval[k]
    return f"{100 * low:.0f}-{100 * high:.0f}"


def _curve_summary(table: _Table, curve: Curve) -> str:
    """What the model keeps at the last level, where half is lost, and the curve in small."""
    retention = curve.retention(table.k, table.direction)
    kept = "   n/a"
    half = "   n/a"
    if retention is not None:
        half_level = curve.half_level(table.k, table.direction)
        kept = f"{retention[curve.levels[-1]]:6.2f}"
        half = "  none" if half_level is None else f"{half_level:6.2f}"
    recalls = list(curve.recall(table.k, table.direction).values())
    return f"{kept}{half} {sparkline(recalls, table.blocks)}"


def _summary_intervals(table: _Table, curve: Curve) -> str:
    """The intervals of what `_curve_summary` shows.

    A `+` stands where the upper end may lie beyond the levels that were measured.
    """
    intervals = table.intervals_of(curve)
    if intervals is None or curve.retention(table.k, table.direction) is None:
        return ""
    kept = intervals.retention[curve.levels[-1]]
    upper = "+" if math.isinf(kept.high) else f"-{_short(kept.high)}"
    return f" {_short(kept.low)}{upper} {_half_interval(intervals)}"


def _half_interval(intervals: CurveIntervals) -> str:
    half = intervals.half_level
    if math.isinf(half.low):
        return "none"
    upper = "+" if math.isinf(half.high) else f"-{half.high:.2f}"
    return f"{half.low:.2f}{upper}".replace("0.", ".")


def _short(share: float) -> str:
    """0.07 as .07."""
    return f"{share:.2f}".removeprefix("0")
