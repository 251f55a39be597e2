"""Checks encoded batches, stores them, and hands them on.

It does so in a thread of its own, while the device works on the next batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import EmbeddingError
from ...core.rows import joined
from ..embeddings.shards import EncodedBatch
from .cell_errors import cell_errors
from .gallery import checked
from .receiver import Origin
from .threads import InlineExecutor

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...core.errors import RobustError
    from ..embeddings.shards import ModelShards
    from .batch import Batch
    from .encoded import ArrivedPart, EncodedPart
    from .lane import Lane
    from .plan import SweepPlan
    from .receiver import Receiver


class Writer:
    """Keeps the batches of a sweep, from the store or from any lane."""

    def __init__(
        self,
        plan: SweepPlan,
        receiver: Receiver,
        shards: ModelShards | None,
        *,
        for_store: bool = False,
    ) -> None:
        """With `for_store`, what the store cannot keep is not encoded."""
        self._plan = plan
        self._receiver = receiver
        self._shards = shards
        self._for_store = for_store
        # An Apple GPU must be used from one thread alone.
        is_apple = plan.model.device.startswith("mps")
        self._executor: Executor = (
            InlineExecutor() if is_apple else ThreadPoolExecutor(1)
        )

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what was submitted."""
        self._executor.shutdown()

    def missing_cells(self, batch: Batch) -> list[Cell]:
        """The cells for which a batch has to be encoded: not stored, and not failed."""
        return [
            cell
            for cell in self._plan.cells
            if cell not in batch.stored
            and (cell in batch.keys or not self._for_store)
            and self._receiver.wants(cell)
        ]

    def begin_cell(self, cell: Cell) -> None:
        """Note that a cell is about to be encoded."""
        self._receiver.begin_cell(cell)

    def keep_stored(self, batch: Batch) -> None:
        """Hand on the cells of a batch that the store has."""
        for cell, stored in batch.stored.items():
            self._receiver.take(cell, batch, stored, Origin.STORE)

    def keep_unreadable(self, batch: Batch) -> None:
        """Store and hand on a batch of which no image can be read, so that it is known."""
        for cell in self.missing_cells(batch):
            encoded = EncodedBatch.of_broken_images(len(batch.plan.images))
            is_kept = self._store(cell, batch, encoded)
            origin = Origin.ENCODED_AND_KEPT if is_kept else Origin.ENCODED
            self._receiver.take(cell, batch, encoded, origin)

    def submit(
        self, lane: Lane, cell: Cell, parts: Sequence[EncodedPart], batch: Batch
    ) -> Future[None]:
        """Have an encoded batch checked, stored and handed on; returns at once."""
        return self._executor.submit(self._keep_encoded, lane, cell, parts, batch)

    def fail(self, cell: Cell, batch: Batch, error: RobustError) -> None:
        """End a cell, of which this batch failed."""
        self._receiver.fail(cell, batch, error)

    def _keep_encoded(
        self, lane: Lane, cell: Cell, parts: Sequence[EncodedPart], batch: Batch
    ) -> None:
        encoded = self._checked(lane, cell, parts, batch)
        if encoded is None:
            return
        # Memory may force smaller pieces, which may round otherwise than the whole
        # batch that the key means.
        is_whole = lane.limits.images is None and lane.limits.scene is None
        is_kept = is_whole and self._store(cell, batch, encoded)
        origin = Origin.ENCODED_AND_KEPT if is_kept else Origin.ENCODED
        self._receiver.take(cell, batch, encoded, origin)

    def _checked(
        self, lane: Lane, cell: Cell, parts: Sequence[EncodedPart], batch: Batch
    ) -> EncodedBatch | None:
        """The parts as one batch on the host; None if they are wrong, which is reported."""
        change = self._plan.changes.get(cell)
        report = partial(self.fail, cell, batch)
        # Here the host first waits for the device, so that its errors arise here.
        with cell_errors(lane.model, change, report):
            arrived = [part.wait() for part in parts]
            images = batch.images
            try:
                rows = checked(
                    joined([part.rows for part in arrived]),
                    lambda place: self._plan.image_name(images[place]),
                    lane.model,
                )
            except EmbeddingError:
                lane.require_finite_pixels(cell, batch)
                raise
            return EncodedBatch(
                rows=rows.numpy(),
                shares=np.concatenate([part.shares for part in parts]),
                visible=math.fsum(part.visible for part in arrived),
                digests=batch.digests[batch.is_readable],
                is_readable=batch.is_readable,
                hardware=lane.hardware,
                altered=_altered(arrived),
            )
        return None

    def _store(self, cell: Cell, batch: Batch, encoded: EncodedBatch) -> bool:
        """Whether the store has kept it."""
        if self._shards is None or cell not in batch.keys:
            return False
        about = {
            "dataset": self._plan.pairs.dataset.name,
            "occluder": cell.occluder,
            "level": cell.level,
            "seed": cell.seed,
        }
        return self._shards.save_images(batch.keys[cell], encoded, about)


def _altered(parts: Sequence[ArrivedPart]) -> int | None:
    """How many images of a batch a corruption changed; None where none was used."""
    counts = [part.altered for part in parts if part.altered is not None]
    return sum(counts) if counts else None
