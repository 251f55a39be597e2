"""Checks encoded batches, gathers them for the ranking and stores them.

It does so in a thread of its own, while the device works on the next batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from ...core.rows import joined
from ..embeddings.shards import EncodedBatch
from .cell_errors import cell_errors
from .gallery import checked
from .gathered import CellBatches, WaitingBatch
from .threads import InlineExecutor

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...core.errors import RobustError
    from ...core.progress import Counter
    from ..embeddings.shards import ModelShards
    from .batch import Batch
    from .encoded import EncodedPart
    from .lane import Lane
    from .plan import SweepPlan
    from .spill import Spill


class Writer:
    """Keeps the batches of a sweep, from the store or from any lane."""

    def __init__(
        self,
        plan: SweepPlan,
        cells: Mapping[Cell, CellBatches],
        spill: Spill,
        counter: Counter,
        shards: ModelShards | None,
    ) -> None:
        self._plan = plan
        self._cells = cells
        self._spill = spill
        self._counter = counter
        self._shards = shards
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
            for cell, gathered in self._cells.items()
            if cell not in batch.stored and gathered.error is None
        ]

    def keep_stored(self, batch: Batch) -> None:
        """Gather the cells of a batch that the store has."""
        for cell, stored in batch.stored.items():
            self._gather(cell, batch, stored)
            self._counter.add(cell.level, len(batch.plan.images), encoded=False)

    def submit(
        self, lane: Lane, cell: Cell, parts: Sequence[EncodedPart], batch: Batch
    ) -> Future[None]:
        """Have an encoded batch checked, gathered and stored; returns at once."""
        return self._executor.submit(self._keep_encoded, lane, cell, parts, batch)

    def fail(self, cell: Cell, batch: Batch, error: RobustError) -> None:
        """End a cell, of which this batch failed."""
        self._cells[cell].fail(batch.number, error)

    def _keep_encoded(
        self, lane: Lane, cell: Cell, parts: Sequence[EncodedPart], batch: Batch
    ) -> None:
        encoded = self._checked(lane, cell, parts, batch)
        if encoded is None:
            return
        self._gather(cell, batch, encoded)
        # Only this thread counts, so no lock is needed.
        self._cells[cell].encoded += len(batch.images)
        self._counter.add(cell.level, len(batch.plan.images), encoded=True)
        # Memory may force smaller pieces, which may round otherwise than the whole
        # batch that the key means.
        is_whole = lane.limits.images is None and lane.limits.scene is None
        if is_whole:
            self._store(cell, batch, encoded)

    def _checked(
        self, lane: Lane, cell: Cell, parts: Sequence[EncodedPart], batch: Batch
    ) -> EncodedBatch | None:
        """The parts as one batch on the host; None if they are wrong, which is reported."""
        occluder = self._plan.occluders.get(cell)
        report = partial(self.fail, cell, batch)
        # Here the host first waits for the device, so that its errors arise here.
        with cell_errors(lane.model, occluder, report):
            arrived = [part.wait() for part in parts]
            images = batch.images
            rows = checked(
                joined([part.rows for part in arrived]),
                lambda place: self._plan.image_name(images[place]),
                lane.model,
            )
            return EncodedBatch(
                rows=rows.numpy(),
                shares=np.concatenate([part.shares for part in parts]),
                visible=math.fsum(part.visible for part in arrived),
                digests=batch.digests[batch.is_readable],
            )
        return None

    def _gather(self, cell: Cell, batch: Batch, encoded: EncodedBatch) -> None:
        waiting = WaitingBatch.of(encoded, self._spill)
        self._cells[cell].batches[batch.number] = waiting

    def _store(self, cell: Cell, batch: Batch, encoded: EncodedBatch) -> None:
        if self._shards is None or cell not in batch.keys:
            return
        about = {
            "dataset": self._plan.pairs.dataset.name,
            "occluder": cell.occluder,
            "level": cell.level,
            "seed": cell.seed,
        }
        self._shards.save_images(batch.keys[cell], encoded, about)
