"""The batches of every cell, gathered in any order until they are ranked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from ...core.foreign import without_frames
from .receiver import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...core.cases import Cell
    from ...core.errors import RobustError
    from ...core.progress import Counter as ProgressCounter
    from ..embeddings.shards import EncodedBatch
    from .batch import Batch
    from .spill import Spill, Waiting


@dataclass(frozen=True, repr=False)
class WaitingBatch:
    """What ranking needs of a batch, waiting on disk."""

    rows: Waiting
    shares: Waiting
    visible: float
    altered: int | None = None

    @classmethod
    def of(cls, batch: EncodedBatch, spill: Spill) -> WaitingBatch:
        return cls(
            spill.put(batch.rows),
            spill.put(batch.shares),
            batch.visible,
            batch.altered,
        )


@dataclass(repr=False)
class CellBatches:
    """The batches of one cell, or the error that ends it."""

    batches: dict[int, WaitingBatch] = field(default_factory=dict)
    """By the number of the batch."""
    encoded: int = 0
    """Images that this run encoded. The others came from the store."""
    encoded_on: Counter[str] = field(default_factory=Counter)
    """Images by the hardware that encoded them, in this run or before."""
    error: RobustError | None = None
    _failed_batch: int = 0
    _lock: Lock = field(default_factory=Lock)

    def fail(self, number: int, error: RobustError) -> None:
        """End the cell with an error of the batch with that number.

        Lanes fail in any order. The error of the first batch is kept, so that a run
        fails alike each time.
        """
        with self._lock:
            if self.error is None or number < self._failed_batch:
                self.error = without_frames(error)
                self._failed_batch = number

    @property
    def in_order(self) -> list[WaitingBatch]:
        return [self.batches[number] for number in sorted(self.batches)]


class Gathered:
    """A `Receiver` that keeps the batches of every cell for their ranks, on disk.

    It counts what it is given for the progress.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        spill: Spill,
        progress: ProgressCounter,
        check: Callable[[], None] | None = None,
    ) -> None:
        """`check` is called after each batch; what it raises ends the sweep."""
        self._check = check
        self.under_way: Cell | None = None
        """The cell that was begun last; None before the first, and where actors encode."""
        self.cells = {cell: CellBatches() for cell in cells}
        self.batches: list[Batch] = []
        """Those that are finished, without their data, in the order in which they were."""
        self._spill = spill
        self._progress = progress
        # Batches of one cell may come from several threads.
        self._lock = Lock()

    def wants(self, cell: Cell) -> bool:
        return self.cells[cell].error is None

    def begin_cell(self, cell: Cell) -> None:
        self.under_way = cell

    def take(
        self, cell: Cell, batch: Batch, encoded: EncodedBatch, origin: Origin
    ) -> None:
        is_new = origin is not Origin.STORE
        gathered = self.cells[cell]
        gathered.batches[batch.number] = WaitingBatch.of(encoded, self._spill)
        with self._lock:
            if encoded.hardware:
                gathered.encoded_on[encoded.hardware] += len(batch.images)
            if is_new:
                gathered.encoded += len(batch.images)
        images = len(batch.plan.images)
        self._progress.add(cell.level, images, encoded=is_new, family=cell.family)

    def fail(self, cell: Cell, batch: Batch, error: RobustError) -> None:
        self.cells[cell].fail(batch.number, error)

    def finish(self, batch: Batch) -> None:
        self.batches.append(batch)
        if self._check is not None:
            self._check()

    @property
    def whole_batches(self) -> int:
        """How many batches every cell has that did not fail."""
        # Copies: the writer's thread may add to them.
        numbers = [
            set(gathered.batches)
            for gathered in self.cells.values()
            if gathered.error is None
        ]
        return len(set.intersection(*numbers)) if numbers else 0

    @property
    def batches_in_order(self) -> list[Batch]:
        return sorted(self.batches, key=lambda batch: batch.number)
