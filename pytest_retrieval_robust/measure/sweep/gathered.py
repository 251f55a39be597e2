"""The batches of one cell, gathered in any order until they are ranked."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from ...core.foreign import without_frames

if TYPE_CHECKING:
    from ...core.errors import RobustError
    from ..embeddings.shards import EncodedBatch
    from .spill import Spill, Waiting


@dataclass(frozen=True, repr=False)
class WaitingBatch:
    """What ranking needs of a batch, waiting on disk."""

    rows: Waiting
    shares: Waiting
    visible: float

    @classmethod
    def of(cls, batch: EncodedBatch, spill: Spill) -> WaitingBatch:
        return cls(spill.put(batch.rows), spill.put(batch.shares), batch.visible)


@dataclass(repr=False)
class CellBatches:
    """The batches of one cell, or the error that ends it."""

    batches: dict[int, WaitingBatch] = field(default_factory=dict)
    """By the number of the batch."""
    encoded: int = 0
    """Images that this run encoded. The others came from the store."""
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
