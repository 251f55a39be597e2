"""The summary that pytest prints: readable at 80 columns, and in a log without colour."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..core.cases import DIRECTIONS, Case, Direction, Json
from ..core.costs import CostMeasurement
from ..core.outcomes import ModelRecord, Outcome, Scores
from ..core.verdict import VerdictName
from .baseline import baseline_lines
from .breaking import breaking_lines
from .lines import Line, Span
from .metric_tables import metric_lines
from .power import layout_lines, power_lines

if TYPE_CHECKING:
    import pytest

    from ..gate.record import RunRecord
    from ..retrieval.curve import Curve

_NAME, _CELL, _LEVELS, _WIDTH = 18, 7, 6, 80
_MARKS: dict[VerdictName, str] = {
    "pass": " ",
    "fail": "!",
    "inconclusive": "?",
    "ungated": "~",
}
_COLOURS: dict[VerdictName, str] = {
    "pass": "green",
    "fail": "red",
    "inconclusive": "yellow",
    "ungated": "",
}
_WORST: tuple[VerdictName, ...] = ("fail", "inconclusive", "pass", "ungated")
_BLOCKS, _PLAIN_BLOCKS = "▁▂▃▄▅▆▇█", "_.,-=+*#"
_SHOWN_SENTENCES, _SHOWN_TABLES, _SHOWN_ROWS = 20, 12, 40
_WHERE_ALL = "(`-v` shows them all, and so does --robust-report FILE.html)"
_SEVERAL = 4
_QUIET = -1
_LEGEND = (
    "! below its gate   ? inconclusive   ~ no gate   below each: its 95 % interval",
    "kept: Recall at the last level / at level 0   half: the level that halves it",
    "chance: answers in random order   ceiling: a perfect model (equal texts tie)",
)
_ANOTHER_SHARE = 0.02


def write_summary(run: RunRecord, reporter: pytest.TerminalReporter) -> None:
    """Print the run: with `-q` the tables and what was not met, with `-qq` the last line alone."""
    if reporter.verbosity >= _QUIET:
        reporter.section("retrieval robustness")
        for line in summary_lines(run, reporter.verbosity, _blocks()):
            for span in line:
                reporter.write(
                    span.text, **({span.colour: True} if span.colour else {})
                )
            reporter.write("\n")
    reporter.write(
        release_line(run) + "\n",
        **{"green" if run.release.is_green else "red": True, "bold": True},
    )


def _blocks() -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        _BLOCKS.encode(encoding)
    except UnicodeEncodeError:
        return _PLAIN_BLOCKS
    return _BLOCKS


def release_line(run: RunRecord) -> str:
    """The last line: `RELEASE GATE: PASSED (...)`, `FAILED ...`, `NOT JUDGED (...)` or
    `MEASURED ONLY (...)`.
    """
    return run.release.line


def summary_lines(
    run: RunRecord, verbosity: int = 0, blocks: str = _BLOCKS
) -> Iterable[Line]:
    """The summary but for its last line."""
    if verbosity < 0:
        yield from _tables(run, verbosity, blocks)
        yield from _what_stands_against(run)
        return
    if run.replayed:
        yield [
            Span(
                f"judged again: the run of {run.identity.started} (id"
                f" {run.identity.id})",
                "bold",
            )
        ]
    yield from _tables(run, verbosity, blocks)
    if verbosity > 0:
        yield from _every_cell(run)
        yield from power_lines(run.verdicts)
    yield from metric_lines(run)
    yield from layout_lines(run.layouts, verbosity)
    yield from breaking_lines(run.breaking, verbosity, blocks)
    yield from baseline_lines(run.baseline, verbosity)
    yield from verdict_lines(run)
    yield from _sentences("broken:", list(run.broken), "red")
    yield from _sentences("not tested:", list(_absent(run, verbosity)), "yellow")
    yield from _sentences("loaded:", list(all_loaded(run)), "")
    yield from _sentences("note:", list(run.warnings), "yellow")
    if run.results is not None:
        yield [Span(f"results: {run.results} (run.json, ranks.npz)")]
    yield from ([Span(f"report: {path}")] for path in run.reports)


def _what_stands_against(run: RunRecord) -> Iterable[Line]:
    """What a quiet log has to hold all the same, or nobody knows why a run failed."""
    yield from verdict_lines(run)
    yield from _sentences("broken:", list(run.broken), "red")
    named = [
        f"{model.name}: {model.reason}"
        for model in run.models
        if model.named and not model.tested
    ]
    yield from _sentences("not tested:", named, "yellow")


def verdict_lines(run: RunRecord) -> Iterable[Line]:
    """The sentences of what was not met, and of what is open."""
    yield from _sentences(
        "failed:", [v.sentence for v in run.verdicts if v.verdict == "fail"], "red"
    )
    yield from _sentences(
        "inconclusive:",
        [v.sentence for v in run.verdicts if v.verdict == "inconclusive"],
        "yellow",
    )


def _tables(run: RunRecord, verbosity: int, blocks: str) -> Iterable[Line]:
    groups = dict.fromkeys(
        (curve.clean.case.dataset, curve.clean.case.occluder) for curve in run.curves
    )
    directions: Sequence[Direction] = DIRECTIONS if verbosity > 0 else DIRECTIONS[:1]
    shown = len(groups) if verbosity > 0 else _SHOWN_TABLES
    for dataset, occluder in list(groups)[:shown]:
        curves = [
            c
            for c in run.curves
            if (c.clean.case.dataset, c.clean.case.occluder) == (dataset, occluder)
        ]
        ks = sorted(curves[0].clean.image_to_report.recall)
        for direction in directions:
            for k in ks if verbosity > 0 else ks[-1:]:
                yield from _table(
                    run,
                    curves if verbosity > 0 else curves[:_SHOWN_ROWS],
                    k,
                    direction,
                    blocks,
                )
                if verbosity <= 0 and len(curves) > _SHOWN_ROWS:
                    yield [
                        Span(
                            f"... and {len(curves) - _SHOWN_ROWS} more rows"
                            f" {_WHERE_ALL}"
                        )
                    ]
                yield []
    if len(groups) > shown:
        yield [Span(f"... and {len(groups) - shown} more tables {_WHERE_ALL}")]
        yield []
    if groups and verbosity >= 0:
        yield from ([Span(line)] for line in _LEGEND)
        yield []


def _table(
    run: RunRecord, curves: Sequence[Curve], k: int, direction: Direction, blocks: str
) -> Iterable[Line]:
    yield from _heading(run, curves[0], k, direction)
    levels = sorted({level for curve in curves for level in curve.levels})
    chunks = [
        levels[start : start + _LEVELS] for start in range(0, len(levels), _LEVELS)
    ]
    for number, chunk in enumerate(chunks):
        last = number == len(chunks) - 1
        columns = "".join(f"{level:>{_CELL - 1}g} " for level in chunk)
        yield [Span(f"{'':{_NAME}}{columns}{'  kept  half' if last else ''}")]
        yield from _hidden_shares(curves, chunk)
        for curve in curves:
            yield from _rows(run, curve, chunk, k, direction, blocks if last else None)


def _heading(
    run: RunRecord, curve: Curve, k: int, direction: Direction
) -> Iterable[Line]:
    case, clean = curve.clean.case, curve.clean
    scores = clean.scores(direction)
    facts = next(
        (dataset for dataset in run.datasets if dataset["name"] == case.dataset), None
    )
    yield [
        Span(f"{case.dataset}, {case.occluder}: {direction} Recall@{k} in %", "bold")
    ]
    highest = (
        None
        if facts is None or direction != DIRECTIONS[0]
        else (facts["ceiling"] or {}).get(str(k))
    )
    ceiling = "" if highest is None else f", ceiling {100 * highest:.1f}"
    yield [
        Span(
            f"{scores.queries} queries, gallery {scores.gallery}, chance"
            f" {100 * scores.chance[k]:.1f}{ceiling}, {clean.timing.device}"
            f" {clean.timing.precision}"
        )
    ]
    if facts is not None:
        skipped = (
            f", {facts['skipped']} broken images skipped" if facts["skipped"] else ""
        )
        repeated = (
            f", {100 * facts['duplicate_share']:.1f} % repeated texts"
            if facts["duplicate_share"] > 0
            else ""
        )
        yield [
            Span(
                f"{facts['split']}, {facts['text']},"
                f" {facts['relevance']}{repeated}{skipped}"
            )
        ]


def _hidden_shares(curves: Sequence[Curve], chunk: Sequence[float]) -> Iterable[Line]:
    """What share of the image the levels hide, where they are severities and say something else."""
    achieved = {
        outcome.case.level: outcome.achieved_level
        for curve in curves
        for outcome in curve.outcomes
    }
    if any(abs(achieved[level] - level) > _ANOTHER_SHARE for level in achieved):
        shares = "".join(
            f"{100 * achieved.get(level, 0.0):>{_CELL - 1}.1f} " for level in chunk
        )
        yield [Span(f"{'hidden, %':{_NAME}}{shares}".rstrip())]


def _rows(
    run: RunRecord,
    curve: Curve,
    chunk: Sequence[float],
    k: int,
    direction: Direction,
    blocks: str | None,
) -> Iterable[Line]:
    outcomes = {outcome.case.level: outcome for outcome in curve.outcomes}
    name = _row_name(run, curve.clean.case)
    if len(name) >= _NAME:
        yield [Span(name)]
        name = ""
    cells = [_cell(run, outcomes.get(level), k, direction) for level in chunk]
    tail = "" if blocks is None else _tail(curve, k, direction, blocks)
    yield [Span(f"{name:{_NAME}}"), *cells, Span(tail)]
    intervals = "".join(_interval(outcomes.get(level), k, direction) for level in chunk)
    if blocks is not None:
        intervals += _tail_intervals(run, curve, k, direction)
    yield [Span(f"{'':{_NAME}}{intervals}".rstrip())]


def _row_name(run: RunRecord, case: Case) -> str:
    several = len({curve.clean.case.seed for curve in run.curves}) > 1
    return f"{case.model} seed{case.seed}" if several else case.model


def _cell(
    run: RunRecord, outcome: Outcome | None, k: int, direction: Direction
) -> Span:
    if outcome is None:
        return Span(f"{'-':>{_CELL - 1}} ")
    verdict = cell_verdict(run, outcome.case)
    return Span(
        f"{100 * outcome.recall(k, direction):>{_CELL - 1}.1f}{_MARKS[verdict]}",
        _COLOURS[verdict],
    )


def cell_verdict(run: RunRecord, case: Case) -> VerdictName:
    """The worst verdict that the recall and retention gates gave a case."""
    found = run.cell_verdicts.get(case, ())
    return next((verdict for verdict in _WORST if verdict in found), "ungated")


def _interval(outcome: Outcome | None, k: int, direction: Direction) -> str:
    if outcome is None:
        return " " * _CELL
    return f"{_ends(outcome.scores(direction), k):>{_CELL - 1}} "


def _ends(scores: Scores, k: int) -> str:
    low, high = scores.recall_interval[k]
    return f"{100 * low:.0f}-{100 * high:.0f}"


def _tail_intervals(run: RunRecord, curve: Curve, k: int, direction: Direction) -> str:
    """Those of what is kept and of the half level; `+` where it may lie beyond the
    levels that were measured.
    """
    found = run.intervals.get((curve.clean.case, direction, k))
    if found is None or curve.retention(k, direction) is None:
        return ""
    kept, half = found.retention[curve.levels[-1]], found.half_level
    reached = (
        "none"
        if math.isinf(half.low)
        else f"{half.low:.2f}{'+' if math.isinf(half.high) else f'-{half.high:.2f}'}"
    )
    upper = "+" if math.isinf(kept.high) else f"-{_short(kept.high)}"
    return f" {_short(kept.low)}{upper} {reached.replace('0.', '.')}"


def _short(share: float) -> str:
    """0.07 as .07."""
    return f"{share:.2f}".removeprefix("0")


def _tail(curve: Curve, k: int, direction: Direction, blocks: str) -> str:
    retention, half = curve.retention(k, direction), curve.half_level(k, direction)
    kept = "   n/a" if retention is None else f"{retention[curve.levels[-1]]:6.2f}"
    reached = (
        "   n/a" if retention is None else "  none" if half is None else f"{half:6.2f}"
    )
    return (
        f"{kept}{reached}"
        f" {sparkline(list(curve.recall(k, direction).values()), blocks)}"
    )


def sparkline(shares: Sequence[float], blocks: str = _BLOCKS) -> str:
    """One block a share in [0, 1].

    >>> sparkline([1.0, 0.5, 0.0])
    '█▅▁'
    """
    return "".join(
        blocks[min(int(share * len(blocks)), len(blocks) - 1)] for share in shares
    )


def _absent(run: RunRecord, verbosity: int) -> Iterable[str]:
    """Why each model that was asked for is not tested; those that `all` or a glob
    brought in are only named.
    """
    absent = [model for model in run.models if not model.tested]
    told = [
        model
        for model in absent
        if model.named or verbosity > 0 or len(absent) < _SEVERAL
    ]
    yield from (f"{model.name}: {model.reason}" for model in told)
    others = [model.name for model in absent if model not in told]
    if others:
        yield (
            f"{', '.join(others)} (`-v` says what is missing of each and how to"
            " bring it)"
        )


def notes_of(run: RunRecord) -> list[str]:
    """What a report notes that tells of the baseline in a part of its own."""
    told = (
        ()
        if run.baseline is None
        else (*run.baseline.obstacles, *run.baseline.vanished)
    )
    return [*(note for note in run.warnings if note not in told), *all_loaded(run)]


def all_loaded(run: RunRecord) -> Iterable[str]:
    """What must be known of the loaded models, each fact once with the models that it
    is true of.
    """
    names: dict[str, list[str]] = {}
    for model in run.models:
        for fact in _loaded(run, model):
            names.setdefault(fact, []).append(model.name)
    return (f"{', '.join(models)}: {fact}" for fact, models in names.items())


def _half_precision(effect: Json) -> str:
    """What it does to embeddings, and what to do about it."""
    images, reports = effect["images"], effect["reports"]
    return (
        "half precision moves its embeddings: cosine to fp32 at least"
        f" {images['lowest_cosine']:.6f} over {images['count']} images and"
        f" {reports['lowest_cosine']:.6f} over {reports['count']} reports. Compare a"
        " run in fp32 before its recalls are published"
    )


def _loaded(run: RunRecord, model: ModelRecord) -> Iterable[str]:
    """What a reader must know of a checkpoint and of what it reads of a report; nothing
    where all fits.
    """
    strange, cut = (
        model.card.get("unexpected_keys") or [],
        model.card.get("truncated_reports") or 0,
    )
    if model.card.get("precision_effect") is not None:
        yield _half_precision(model.card["precision_effect"])
    if strange:
        shown = ", ".join(strange[:3]) + (", ..." if len(strange) > 3 else "")
        yield (
            f"{len(strange)} keys of its checkpoint have no place in the network:"
            f" {shown}"
        )
    if cut:
        measured = {
            outcome.case.dataset
            for outcome in run.outcomes
            if outcome.case.model == model.name
        }
        known = [
            facts["reports"] for facts in run.datasets if facts["name"] in measured
        ]
        share = (
            f"{cut} of {sum(known)} reports ({100 * cut / sum(known):.1f} %)"
            if known
            else f"{cut} reports"
        )
        yield (
            f"{share} are longer than the {model.card.get('context_length')} tokens"
            " that are read"
        )


def _every_cell(run: RunRecord) -> Iterable[Line]:
    for outcome in run.outcomes:
        verdict = cell_verdict(run, outcome.case)
        yield [Span(f"{verdict}: ", _COLOURS[verdict]), Span(str(outcome.case))]
        for direction in DIRECTIONS:
            scores = outcome.scores(direction)
            recalls = ", ".join(
                f"R@{k} {100 * v:.1f} [{_ends(scores, k)}]"
                for k, v in scores.recall.items()
            )
            yield [Span(f"  {direction} {recalls}, median rank {scores.median_rank:g}")]
        seen = (
            f"{outcome.achieved_level:.4f} hidden, {outcome.visible_level:.4f} of what"
            " it sees"
        )
        speed = outcome.timing.images_per_second
        yield [
            Span(
                f"  {seen},"
                f" {'from the embedding store' if speed is None else f'{speed:.0f} images/s'}"
            )
        ]
    for cost in run.costs:
        yield [
            Span(
                f"cost of {cost.case}: {cost.relative_cost:.2f} times level"
                f" 0{_spread(cost)}"
            )
        ]
        if cost.latency is not None:
            yield [
                Span(
                    f"  an image alone: p50 {1e3 * cost.latency.p50:.1f} ms, p95"
                    f" {1e3 * cost.latency.p95:.1f} ms"
                )
            ]
        if cost.peak_memory_bytes is not None:
            yield [
                Span(
                    f"  peak memory {cost.peak_memory_bytes / 2**30:.2f} GiB on"
                    f" {cost.hardware}"
                )
            ]
        if cost.reference is not None:
            yield [
                Span(
                    f"  {cost.reference.ratio:.2f} times what {cost.reference.model}"
                    " takes"
                )
            ]


def _spread(cost: CostMeasurement) -> str:
    return (
        ""
        if len(cost.ratios) < 2
        else f" (quartiles {cost.spread[0]:.2f} and {cost.spread[1]:.2f})"
    )


def _sentences(title: str, sentences: Sequence[str], colour: str) -> Iterable[Line]:
    import textwrap

    sentences = list(dict.fromkeys(sentences))
    for sentence in sentences[:_SHOWN_SENTENCES]:
        first, *rest = textwrap.wrap(
            f"{title} {sentence}",
            _WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield [Span(title, colour), Span(first.removeprefix(title))]
        yield from ([Span(line)] for line in rest)
    if len(sentences) > _SHOWN_SENTENCES:
        yield [
            Span(title, colour),
            Span(f" ... and {len(sentences) - _SHOWN_SENTENCES} more (see run.json)"),
        ]
