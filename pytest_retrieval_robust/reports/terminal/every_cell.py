"""What `-v` adds: each cell with all its numbers, and each measured cost."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.cases import DIRECTIONS, Case, level_word
from ...core.costs import CostMeasurement
from ...core.outcomes import Outcome
from ...gate.record import RunRecord
from ...gate.unaltered import altered_words
from ..answer_tables import answer_sentences
from .curve_tables import recall_interval
from .lines import Line, Span
from .marks import COLOURS, cell_verdict


def cell_lines(run: RunRecord) -> Iterator[Line]:
    """Every cell, and every cost."""
    answers: dict[Case, list[str]] = {}
    for case, sentence in answer_sentences(run):
        answers.setdefault(case, []).append(sentence)
    for outcome in run.outcomes:
        verdict = cell_verdict(run, outcome.case)
        yield [Span(f"{verdict}: ", COLOURS[verdict]), Span(str(outcome.case))]
        yield from _recall_lines(outcome)
        yield from ([Span(f"  {words}")] for words in answers.get(outcome.case, ()))
        words = [_speed_words(outcome)]
        if outcome.case.family == "occlusion":
            words.insert(0, _hidden_words(outcome))
        changed = altered_words(outcome)
        if changed is not None:
            words.insert(0, changed)
        yield [Span(f"  {', '.join(words)}")]
    for cost in run.costs:
        yield from _cost_lines(cost)


def _recall_lines(outcome: Outcome) -> Iterator[Line]:
    for direction in DIRECTIONS:
        scores = outcome.scores(direction)
        recalls = ", ".join(
            f"R@{k} {100 * recall:.1f} [{recall_interval(scores, k)}]"
            for k, recall in scores.recall.items()
        )
        yield [Span(f"  {direction} {recalls}, median rank {scores.median_rank:g}")]


def _hidden_words(outcome: Outcome) -> str:
    """The share of the whole image, and of its part that the model's crop leaves."""
    return (
        f"{outcome.achieved_level:.4f} of the image hidden,"
        f" {outcome.visible_level:.4f} of the model's view"
    )


def _speed_words(outcome: Outcome) -> str:
    speed = outcome.timing.images_per_second
    return "from the embedding store" if speed is None else f"{speed:.0f} images/s"


def _cost_lines(cost: CostMeasurement) -> Iterator[Line]:
    word = level_word(cost.case.family)
    ratio = f"{cost.relative_cost:.2f} times {word} 0{_spread(cost)}"
    yield [Span(f"cost of {cost.case}: {ratio}")]
    if cost.latency is not None:
        median = f"p50 {1e3 * cost.latency.p50:.1f} ms"
        tail = f"p95 {1e3 * cost.latency.p95:.1f} ms"
        yield [Span(f"  one image at a time: {median}, {tail}")]
    if cost.peak_memory_bytes is not None:
        memory = f"{cost.peak_memory_bytes / 2**30:.2f} GiB"
        yield [Span(f"  peak memory {memory} on {cost.hardware}")]
    if cost.reference is not None:
        reference = cost.reference
        yield [Span(f"  {reference.ratio:.2f} times the time of {reference.model}")]


def _spread(cost: CostMeasurement) -> str:
    if len(cost.ratios) < 2:
        return ""
    lower, upper = cost.spread
    return f" (quartiles {lower:.2f} and {upper:.2f})"
