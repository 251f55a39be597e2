"""What a part has done, as it is printed at its end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .counts import Counts, Fate
from .notes import PartNote
from .part import Part

EVERYTHING = 0
SOMETHING_LACKS = 1


@dataclass(repr=False)
class SweepOutcome:
    """What became of one model on one data set."""

    model: str
    dataset: str
    counts: Counts = field(default_factory=Counts)
    taken_over: Counts = field(default_factory=Counts)
    """The batches of other parts."""
    seconds: float = 0.0
    idle_seconds: float = 0.0
    is_stopped: bool = False
    """Whether nothing more is encoded here, because it would not be kept."""
    failed_elsewhere: int = 0
    """Batches that another part could not encode, and that were not tried here."""
    skipped: str | None = None
    """Why the model is left out: it is not on this machine."""
    is_missed: bool = False
    """Whether it is left out although it was named, so that the suite would fail."""
    seen: tuple[PartNote, ...] = ()
    """What the parts said last that have used this store."""

    @property
    def is_whole(self) -> bool:
        is_whole = self.counts.is_whole and self.taken_over.is_whole
        return is_whole and self.failed_elsewhere == 0 and not self.is_missed

    @property
    def errors(self) -> list[str]:
        return list(dict.fromkeys([*self.counts.errors, *self.taken_over.errors]))

    @property
    def reasons(self) -> list[str]:
        return list(dict.fromkeys([*self.counts.reasons, *self.taken_over.reasons]))


@dataclass(frozen=True, repr=False)
class PartOutcome:
    """What became of a part."""

    part: Part
    sweeps: Sequence[SweepOutcome]
    stopped_by: str | None = None
    """What ended it early; None if nothing did."""
    took_over: bool = False
    """Whether it encoded what other parts had left."""

    @property
    def status(self) -> int:
        """The exit status, where nothing ended the part from outside."""
        is_whole = self.stopped_by is None and all(
            sweep.is_whole for sweep in self.sweeps
        )
        return EVERYTHING if is_whole else SOMETHING_LACKS


def closing_lines(outcome: PartOutcome, arguments: Sequence[str]) -> Iterator[str]:
    """The lines at the end of a part that encoded for `pytest` with these arguments."""
    for sweep in outcome.sweeps:
        yield from _sweep_lines(sweep, outcome.part)
    if outcome.stopped_by is not None:
        yield f"stopped: {outcome.stopped_by}"
    yield f"next: {_next(outcome, arguments)}"


def _sweep_lines(sweep: SweepOutcome, part: Part) -> Iterator[str]:
    title = f"{sweep.model} on {sweep.dataset}"
    if sweep.skipped is not None:
        yield f"{title}: skipped, {sweep.skipped}"
        return
    # Two looks at a clock: a part without a batch is not idle for more than all of it.
    share = min(100 * sweep.idle_seconds / max(sweep.seconds, 1e-9), 100.0)
    yield (
        f"{title}, part {part}: {_batches(sweep.counts)}; {sweep.seconds:.1f} s, idle"
        f" {share:.1f} %"
    )
    if sweep.taken_over.total:
        yield f"  taken over from other parts: {_batches(sweep.taken_over)}"
    if sweep.failed_elsewhere:
        yield f"  batches that have failed in other parts: {sweep.failed_elsewhere:,}"
    for error in sweep.errors:
        # Below the sentence there may be lines of a traceback.
        indented = error.replace("\n", "\n    ")
        yield f"  failed: {indented}"
    for reason in sweep.reasons:
        yield f"  not kept: {reason}"
    if part.count > 1:
        numbers = ", ".join(str(note.part) for note in sweep.seen) or "none"
        yield f"  parts of {part.count} seen in this store: {numbers}"


def _batches(counts: Counts) -> str:
    words = [f"{counts.fates[fate]:,} {fate.value}" for fate in Fate]
    return f"batches {', '.join(words)}"


def _next(outcome: PartOutcome, arguments: Sequence[str]) -> str:
    """What to do now, one sentence or two."""
    if outcome.stopped_by is not None:
        return "run this part again. What is kept is not encoded again."
    if outcome.status != EVERYTHING:
        return (
            "fix what failed or was not kept, and run this part again. The suite encodes"
            " what the store lacks, and fails where this part has failed."
        )
    # Whoever takes over ends when nothing is missing, whatever the others do.
    if not outcome.took_over:
        waited_for = _waited_for(outcome)
        if waited_for is not None:
            return waited_for
    return f"pytest {shlex.join(arguments)}"


def _waited_for(outcome: PartOutcome) -> str | None:
    """What has to happen first, because other parts are not done."""
    count = outcome.part.count
    unseen = _numbers_without(outcome, _was_seen)
    if unseen:
        return (
            f"run the parts of {count} that were not seen: {unseen}. If they run"
            " already, they write another store: give all parts the same"
            " --robust-cache-dir, on a disk that they share."
        )
    unfinished = _numbers_without(outcome, _has_ended)
    if unfinished:
        return f"wait for the parts that have not ended yet: {unfinished}."
    return None


def _was_seen(_: PartNote) -> bool:
    return True


def _has_ended(note: PartNote) -> bool:
    return note.has_ended


def _numbers_without(outcome: PartOutcome, counts: Callable[[PartNote], bool]) -> str:
    """The parts of which the note about some sweep does not count, or is not there."""
    missing: set[int] = set()
    for sweep in outcome.sweeps:
        if sweep.skipped is None:
            there = {note.part for note in sweep.seen if counts(note)}
            missing |= {*range(1, outcome.part.count + 1)} - there
    return ", ".join(map(str, sorted(missing)))
