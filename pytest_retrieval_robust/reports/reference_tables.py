"""What was lost since the reference, and which attempt this is, as text, Markdown and HTML
show them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.cases import DIRECTIONS
from ..gate.accumulated import AccumulatedChange, Change
from ._text import percent, points, points_between, short
from .terminal.lines import Line, Span, sentence_lines

if TYPE_CHECKING:
    from ..gate.record import RunRecord

HEADS = ("reference", "baseline", "points", "95 %", "this run", "points", "95 %")
"""The numbers of a row, after its names."""
_DASH = "–"


@dataclass(frozen=True)
class ReferenceRow:
    """One model, data set and perturbation beside the reference."""

    change: AccumulatedChange

    @property
    def name(self) -> str:
        """The perturbation's."""
        return short(self.change.occluder)

    @property
    def texts(self) -> list[str]:
        """The numbers under `HEADS`, in %."""
        change = self.change
        return [
            percent(change.reference),
            *_numbers(change.baseline),
            *_numbers(change.candidate),
        ]


def _numbers(change: Change | None) -> Sequence[str]:
    """Recall, points and their interval."""
    if change is None:
        return (_DASH,) * 3
    interval = points_between(change.low, change.high)
    return percent(change.recall), points(change.value), interval


def reference_rows(run: RunRecord, *, both: bool = True) -> list[ReferenceRow]:
    """At the k that reports show: `both` directions, or from image to report alone."""
    if run.reference is None:
        return []
    return [
        ReferenceRow(change)
        for change in run.reference.changes
        if change.k == run.shown_k and (both or change.direction == DIRECTIONS[0])
    ]


def is_own_baseline(run: RunRecord) -> bool:
    """Whether the baseline is the reference itself: then it has no change of its own."""
    return (
        run.reference is not None
        and run.baseline is not None
        and run.reference.id == run.baseline.id
    )


def why_no_baseline(run: RunRecord) -> str | None:
    """Why the baseline's columns are empty, in a sentence; None where they are not."""
    if all(row.change.baseline is not None for row in reference_rows(run)):
        return None
    if is_own_baseline(run):
        return "The baseline is the reference itself."
    return f"{_DASH}: no baseline that has these cells and fits the reference."


def reference_lines(run: RunRecord, verbosity: int) -> Iterator[Line]:
    """The terminal's part; with `-v` in both directions."""
    rows = reference_rows(run, both=verbosity > 0)
    if run.reference is None or not rows:
        return
    origin = f"{run.reference.started} (id {run.reference.id})"
    yield [Span(f"since the reference of {origin}", "bold")]
    k = rows[0].change.k
    yield [
        Span(f"mean Recall@{k} over all levels and seeds, in %, with 95 % intervals")
    ]
    for row in rows:
        change = row.change
        place = f"{short(change.model)} on {short(change.dataset)}, {row.name}"
        yield [Span(f"{place}, {change.direction}:")]
        reference, before, lost, ends, now, lost_now, ends_now = row.texts
        if change.baseline is not None:
            before_text = f", baseline {before} ({lost} [{ends}])"
        else:
            before_text = ""
        yield [
            Span(
                f"  reference {reference}{before_text}, this run {now}"
                f" ({lost_now} [{ends_now}])"
            )
        ]
    yield []


def attempt_sentences(run: RunRecord) -> list[str]:
    """Which attempt it is and what that means; none where nobody counts."""
    if run.attempt is None:
        return []
    return [f"{sentence}." for sentence in run.attempt.sentences]


def attempt_lines(run: RunRecord) -> Iterator[Line]:
    """The terminal's part."""
    yield from sentence_lines("attempts:", attempt_sentences(run))


def reference_blocks(run: RunRecord) -> Iterator[str]:
    """The Markdown report's part, from image to report, and the attempts."""
    from .markdown.dialect import code, listed, table, text

    yield from listed("Attempts", attempt_sentences(run))
    reference = run.reference
    if reference is None:
        return
    yield "### Since the reference"
    origin = f"Run of {text(reference.started)}, id {code(reference.id)}"
    yield f"{origin}, version {text(reference.version)}."
    yield from listed("Cannot be compared", reference.obstacles, "####")
    yield from listed("Missing in this run", reference.vanished, "####")
    rows = reference_rows(run, both=False)
    if not rows:
        return
    k = rows[0].change.k
    yield (
        f"Mean Recall@{k} over all levels and seeds, image to report, in %, and points"
        " since the reference."
    )
    heads = ("model", "data set", "perturbation", *HEADS)
    yield table(
        heads,
        [
            (
                code(row.change.model),
                code(row.change.dataset),
                code(row.change.occluder),
                *row.texts,
            )
            for row in rows
        ],
        3,
    )
    reason = why_no_baseline(run)
    if reason is not None:
        yield reason
