"""What an actor does of one sweep: batches of reports, then batches of images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from ...core.cases import CLEAN
from ...core.device import use_device
from ...measure.embeddings.store import EmbeddingStore
from ...measure.sweep.gallery import gallery_batch_with_origin, gallery_batches
from ...measure.sweep.local import LocalSweep
from ...measure.sweep.receiver import Origin
from ...measure.timing.hardware import hardware_name
from .actor_queue import ActorQueue
from .errors_of import sent_error
from .keys_only import KeysOnly
from .messages import (
    Broken,
    CellReply,
    Deal,
    ImagesReply,
    Reply,
    ReportsReply,
    SentError,
    Spent,
)
from .sameness import Sameness

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.cases import Cell
    from ...core.errors import RobustError
    from ...measure.embeddings.shards import EncodedBatch
    from ...measure.sweep.batch import Batch
    from ...measure.sweep.plan import BatchPlan, SweepPlan

WorkOnNumbers: TypeAlias = "Callable[[Iterator[int]], None]"


class ActorSweep:
    """A sweep under way in an actor, whose own thread does the work.

    Args:
        plan: What the sweep would measure; the controller deals out which batches.
        store: The store of this process; None if nothing is kept.
        token: The name of a file that the controller wrote into its own store.
    """

    def __init__(
        self, plan: SweepPlan, store: EmbeddingStore | None, token: str | None
    ) -> None:
        self._plan = plan
        self.sees_store = (
            store is not None
            and token is not None
            and Path(store.folder, token).is_file()
        )
        used = store
        if store is not None and not self.sees_store:
            used = KeysOnly()
        self._sweep = LocalSweep(plan, used)
        self.sameness = Sameness.of(plan, self._sweep.shards)
        self._queue = ActorQueue()
        self._thread: Thread | None = None
        self._receiver = _Receiver(self._queue, self.sees_store)
        self._spent = _SpentTime()

    def open_reports(self, cell: Cell = CLEAN) -> None:
        """Take batches of reports from now on, as a cell has them.

        Each actor changes the texts by itself: none is sent.
        """
        self._open(partial(self._encode_reports, cell))

    def open_images(self, reports: Tensor) -> None:
        """Take batches of images from now on.

        `reports` are the embeddings of the gallery, or of none if no occluder looks at them.
        """
        self._reports = reports.to(self._plan.model.device)
        self._open(self._encode_images)

    def exchange(self, deal: Deal, seconds: float) -> list[Reply]:
        """Take further batches; returns what was done of earlier ones.

        It waits for the first reply, but no longer than `seconds`.
        """
        self._receiver.ended |= deal.ended_cells
        self._receiver.sends_rows = deal.sends_rows or not self.sees_store
        if deal.goes_on:
            self._queue.go_on()
        self._queue.add(deal.numbers, deal.withdrawn)
        return self._queue.replies(seconds)

    def spent(self) -> Spent:
        """The time that images took, as far as they were waited for."""
        device = self._plan.model.device
        return Spent(
            encoded=dict(self._receiver.encoded),
            encode_seconds=dict(self._spent.encode_seconds),
            occlude_seconds=dict(self._spent.occlude_seconds),
            device=device,
            hardware=hardware_name(device),
            busy_seconds=self._spent.busy_seconds,
        )

    def close(self) -> None:
        """End after the batch at hand, and wait for it."""
        self._queue.close()
        if self._thread is not None:
            self._thread.join()

    # In the thread

    def _open(self, work: WorkOnNumbers) -> None:
        self.close()
        self._queue = ActorQueue()
        self._receiver = _Receiver(self._queue, self.sees_store)
        # It must not keep a process that is to end.
        self._thread = Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: WorkOnNumbers) -> None:
        use_device(self._plan.model.device)
        queue = self._queue
        expected = f"batches of {self._plan.pairs.dataset.name} to be encoded"
        while queue.wait():
            begun = monotonic()
            try:
                work(queue.available())
            except BaseException as error:
                # Nothing may end the thread: the controller would wait for it.
                self._receiver.forget()
                queue.halt(Broken(sent_error(error, expected)))
            self._spent.busy_seconds += monotonic() - begun

    def _encode_reports(self, cell: Cell, numbers: Iterator[int]) -> None:
        plan = self._plan
        texts = plan.texts_of(cell)
        batches = gallery_batches(plan.model, texts, plan.batch_size)
        for number in numbers:
            rows, origin = gallery_batch_with_origin(
                plan.model, texts, batches[number], self._sweep.shards
            )
            is_to_be_kept = origin is Origin.ENCODED_AND_KEPT and not self.sees_store
            self._queue.reply(ReportsReply(number, rows.cpu().numpy(), is_to_be_kept))

    def _encode_images(self, numbers: Iterator[int]) -> None:
        try:
            self._sweep.gather(self._reports, self._receiver, self._batches(numbers))
        finally:
            self._spent.add(self._sweep, self._plan.cells)

    def _batches(self, numbers: Iterator[int]) -> Iterator[BatchPlan]:
        for number in numbers:
            yield self._plan.batches[number]


class _SpentTime:
    """Seconds of several goes."""

    def __init__(self) -> None:
        self.encode_seconds: defaultdict[Cell, float] = defaultdict(float)
        self.occlude_seconds: defaultdict[Cell, float] = defaultdict(float)
        self.busy_seconds = 0.0

    def add(self, sweep: LocalSweep, cells: tuple[Cell, ...]) -> None:
        for cell in cells:
            timing = sweep.timing(cell, 0, 0)
            self.encode_seconds[cell] += timing.encode_seconds
            self.occlude_seconds[cell] += timing.occlude_seconds


class _Receiver:
    """A `Receiver` that makes a reply of each batch."""

    def __init__(self, queue: ActorQueue, sees_store: bool) -> None:
        self.ended: frozenset[Cell] = frozenset()
        self.sends_rows = not sees_store
        self.encoded: Counter[Cell] = Counter()
        """Images that were encoded here, and not taken from the store."""
        self._queue = queue
        self._cells: defaultdict[int, dict[Cell, CellReply | SentError]] = defaultdict(
            dict
        )
        # Cells of one batch come from several threads.
        self._lock = Lock()

    def begin_cell(self, cell: Cell) -> None:
        """Nobody asks which cell is under way."""

    def wants(self, cell: Cell) -> bool:
        return cell not in self.ended

    def take(
        self, cell: Cell, batch: Batch, encoded: EncodedBatch, origin: Origin
    ) -> None:
        is_found = origin is not Origin.ENCODED and not self.sends_rows
        rows = None if is_found else encoded
        reply = CellReply(origin, batch.keys.get(cell), rows)
        with self._lock:
            self._cells[batch.number][cell] = reply
            if origin is not Origin.STORE:
                self.encoded[cell] += len(batch.images)

    def fail(self, cell: Cell, batch: Batch, error: RobustError) -> None:
        with self._lock:
            self._cells[batch.number][cell] = SentError.of(error)

    def finish(self, batch: Batch) -> None:
        with self._lock:
            cells: Mapping[Cell, CellReply | SentError] = self._cells.pop(
                batch.number, {}
            )
        self._queue.reply(
            ImagesReply(batch.number, batch.is_readable, batch.digests, cells)
        )

    def forget(self) -> None:
        """Drop what is known of batches that will be dealt out again."""
        with self._lock:
            self._cells.clear()
