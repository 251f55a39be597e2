"""A part from its first batch to its last, over all models and data sets of a suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ...core.errors import RobustError
from ...core.foreign import FOREIGN, described, let_go, traced, without_frames
from ...core.memory import or_device_error
from ...measure.embeddings.shards import ModelShards
from ..session.sweep_inputs import sweep_inputs
from .checks import is_absent
from .counts import Counts, Fate
from .notes import SweepNotes, new_note
from .outcome import PartOutcome, SweepOutcome
from .shares import Begins, all_names, begins_left, begins_own, own_names, share_of
from .sweep_part import Share, SweepPart
from .taking_over import SweepLeft, TakingOver
from .tally import NO_HASH, UNKNOWN_MODEL
from .under_way import UnderWay

if TYPE_CHECKING:
    from ...core.progress import Tell
    from ...measure.embeddings.store import EmbeddingStore
    from ..collected_suite import CollectedSuite, PlannedSweep
    from ..session.sweep_inputs import SweepInputs
    from .part import Part


class EncodeRun:
    """Encodes a part of what a suite needs, and then what other parts have left.

    Args:
        suite: What is needed.
        store: Where it is kept.
        part: Which batches to encode.
        tell: Shows how far it has come.
        steals: Whether the part takes over what others have left, once it is done.
    """

    def __init__(
        self,
        suite: CollectedSuite,
        store: EmbeddingStore,
        part: Part,
        tell: Tell,
        *,
        steals: bool = False,
    ) -> None:
        self._suite = suite
        self._session = suite.session
        self._store = store
        self._part = part
        self._tell = tell
        self._steals = steals
        self._started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._outcomes: dict[int, SweepOutcome] = {}
        self._notes: dict[int, SweepNotes] = {}
        self._planned: dict[int, PlannedSweep] = {}
        self._left: list[SweepLeft] = []
        self._stopped_by: str | None = None

    def encode_part(self) -> None:
        """Encode the part's own batches, model by model."""
        # By names, because a plugin may shuffle the tests: every part must count alike.
        names = sorted((sweep.model, sweep.dataset) for sweep in self._suite.sweeps)
        for planned in self._suite.sweeps:
            if self._stopped_by is None:
                number = names.index((planned.model, planned.dataset))
                self._encode_own(number, planned)

    def take_over(self) -> None:
        """Encode what the other parts have not, or not yet; nothing if not asked to."""
        if not self._steals:
            return
        taking_over = TakingOver(self._part, self._encode_left, self._batch_seconds)
        # The model of the last sweep is still loaded.
        taking_over.run(self._left[::-1])

    def stop(self) -> None:
        """Note that the process was told to end."""
        self._stopped_by = "the process was told to end"

    def end(self) -> PartOutcome:
        """Note what was done, and what the store says of the other parts."""
        has_ended = self._stopped_by is None
        for number, notes in self._notes.items():
            self._write_note(number, has_ended=has_ended)
            outcome = self._outcomes[number]
            outcome.seen = tuple(notes.parts_seen(self._part.count))
            if self._steals:
                outcome.failed_elsewhere = self._failed_elsewhere(number)
        return PartOutcome(
            self._part,
            tuple(self._outcomes.values()),
            self._stopped_by,
            took_over=self._steals,
        )

    def _failed_elsewhere(self, number: int) -> int:
        """Batches of other parts that have failed there, and were not tried here."""
        marks = self._notes[number].marks
        failed = marks.seen().failed - marks.failed_here
        return sum(not self._part.owns(int(name[1:]), number) for name in failed)

    # One sweep

    def _encode_own(self, number: int, planned: PlannedSweep) -> None:
        outcome = SweepOutcome(planned.model, planned.dataset)
        self._outcomes[number] = outcome
        outcome.skipped = is_absent(self._session, planned.model)
        if outcome.skipped is not None:
            outcome.is_missed = self._session.selection.models[planned.model].named
            return

        def encode(inputs: SweepInputs) -> None:
            work = self._work(inputs, number, outcome)
            if work is None:
                return
            self._write_note(number)
            self._left.append(SweepLeft(number, all_names(work), work.notes.marks))
            self._planned[number] = planned
            begins: Begins = _always
            if self._steals:
                begins = begins_own(work.notes.marks, self._part)
            share = share_of(work, own_names(work, self._part, number), begins)
            self._timed(outcome, work, share, outcome.counts)

        self._guarded(planned, outcome.counts, encode)

    def _encode_left(
        self, left: SweepLeft, names: Sequence[str], time: int
    ) -> int | None:
        """Encode the named batches; returns how many, None where the sweep cannot go on."""
        outcome = self._outcomes[left.number]
        # What is encoded would not be kept, and be missing for ever.
        if self._stopped_by is not None or outcome.is_stopped:
            return None
        # Where something fails here, it may be this machine: others are to try.
        if outcome.errors:
            return None
        counts = outcome.taken_over
        begins_one = begins_left(left.marks, self._part, time)

        def begins(name: str) -> bool:
            # Nor is more begun once something has failed here.
            return not counts.errors and begins_one(name)

        # No model is loaded for batches that others begin.
        first = next(filter(begins, names), None)
        if first is None:
            return 0
        before = counts.total

        def encode(inputs: SweepInputs) -> None:
            work = self._work(inputs, left.number, outcome)
            if work is not None:
                further = names[names.index(first) + 1 :]
                share = share_of(work, [first, *further], _first_or(first, begins))
                self._timed(outcome, work, share, counts)

        self._guarded(self._planned[left.number], counts, encode)
        taken = counts.total - before
        # An error that ends the sweep would end it again.
        return taken or None

    def _batch_seconds(self) -> float:
        """What a batch took on the average, waiting apart."""
        outcomes = self._outcomes.values()
        seconds = sum(one.seconds - one.idle_seconds for one in outcomes)
        batches = sum(one.counts.total + one.taken_over.total for one in outcomes)
        return seconds / batches if batches else 0.0

    def _guarded(
        self,
        planned: PlannedSweep,
        counts: Counts,
        encode: Callable[[SweepInputs], None],
    ) -> None:
        """Encode of a loaded model and data set. What fails is noted, and ends no other sweep."""
        try:
            inputs = sweep_inputs(
                self._session,
                self._session.loader,
                planned.model,
                planned.dataset,
                planned.cells,
            )
            or_device_error(
                lambda: encode(inputs),
                f"{planned.model} to encode",
                inputs.encoder.device,
            )
        except RobustError as error:
            counts.note_error(without_frames(error).shown)
        except FOREIGN as error:
            ours = RobustError(
                f"Expected the encoding of {planned.model} on {planned.dataset} to end,"
                f" got {described(error)}. Fix the model, or the data set's class."
            )
            counts.note_error(traced(ours, error).shown)
            let_go(error)
        # Where nothing is kept, no other model is begun.
        if self._store.refuses is not None:
            self._stopped_by = (
                f"the store takes nothing more, because {self._store.refuses}: what is"
                " encoded would be lost"
            )

    def _work(
        self, inputs: SweepInputs, number: int, outcome: SweepOutcome
    ) -> SweepPart | None:
        """None for a model of which nothing can be kept."""
        options = inputs.options
        shards = ModelShards.of(
            self._store, inputs.encoder, options.precision, options.decoding
        )
        if shards is not None:
            work = SweepPart(inputs, self._store, shards)
            # One object knows what this process has done.
            work.notes = self._notes.setdefault(number, work.notes)
            return work
        has_hash = inputs.encoder.card.sha256 is not None
        outcome.counts.note_not_kept(UNKNOWN_MODEL if has_hash else NO_HASH)
        for batch in inputs.plan().batches:
            if self._part.owns(batch.number, number):
                outcome.counts.add(Fate.NOT_KEPT)
        return None

    def _timed(
        self, outcome: SweepOutcome, work: SweepPart, share: Share, counts: Counts
    ) -> None:
        under_way = UnderWay()
        try:
            is_done = work.encode(share, counts, under_way, self._tell)
            outcome.is_stopped = not is_done
        finally:
            # After an interrupt too.
            outcome.seconds += under_way.seconds
            outcome.idle_seconds += under_way.idle_seconds

    def _write_note(self, number: int, *, has_ended: bool = False) -> None:
        fates = self._outcomes[number].counts.fates
        note = replace(
            new_note(self._part, self._started),
            done=fates[Fate.DONE],
            found=fates[Fate.FOUND],
            failed=fates[Fate.FAILED],
            not_kept=fates[Fate.NOT_KEPT],
            has_ended=has_ended,
        )
        self._notes[number].write_part(note)


def _always(_: str) -> bool:
    return True


def _first_or(first: str, begins: Begins) -> Begins:
    """As `begins`, for batches of which the first is begun already."""
    return lambda name: name == first or begins(name)
