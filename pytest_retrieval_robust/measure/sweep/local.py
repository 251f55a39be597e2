"""The engine that encodes in this process: a batch is read, encoded, checked and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from ...core.cases import CLEAN
from ...occluders.scene import Setting
from ..embeddings.shards import ModelShards
from .feed import Feed
from .gallery import encode_gallery
from .lanes import Lanes
from .space import IN_MEMORY, RowSpace
from .stored import StoredBatches
from .writer import Writer

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.cases import Cell
    from ...core.outcomes import Timing
    from ...models import DualEncoder
    from ..embeddings.store import EmbeddingStore
    from .engine import Engine
    from .plan import BatchPlan, SweepPlan
    from .receiver import Receiver

Copies = Callable[[], "Sequence[DualEncoder]"]
"""Gives the same model on further devices. It is called once there is something to encode."""


class LocalSweep:
    """A `SweepEngine` on the devices of this process.

    Args:
        plan: What is encoded.
        store: Embeddings that it has are taken from it, and new ones are kept there as
            they come; None for neither.
        copies: The model on further devices, among which batches are shared out.
        for_store: Only what the store can keep is encoded: not a batch with a broken
            image, nor a cell whose masks follow from what is not known.
    """

    def __init__(
        self,
        plan: SweepPlan,
        store: EmbeddingStore | None,
        copies: Copies = tuple,
        *,
        for_store: bool = False,
    ) -> None:
        self._plan = plan
        self._for_store = for_store
        self._copies = copies
        self.shards = ModelShards.of(store, plan.model, plan.precision, plan.decoding)
        self._lanes: Lanes | None = None

    def gallery(self, space: RowSpace = IN_MEMORY, cell: Cell = CLEAN) -> Tensor:
        plan = self._plan
        return encode_gallery(
            plan.model,
            plan.texts_of(cell),
            plan.batch_size,
            self.shards,
            space,
            # A noise may leave nothing by which reports differ: that is its harm.
            may_be_alike=cell != CLEAN,
        )

    def gather(
        self,
        reports: Tensor,
        receiver: Receiver,
        batches: Iterable[BatchPlan] | None = None,
    ) -> None:
        """Take batches from the store, or through a lane.

        `batches` are the ones to take, all of the plan's by default. They are asked for
        a few batches before they are encoded.
        """
        plan = self._plan
        pairs = plan.pairs
        setting = Setting(plan.model, pairs.dataset, reports, pairs.report_groups)
        store = None
        if self.shards is not None:
            store = StoredBatches(plan, setting, self.shards)
        feed = Feed(plan, store, batches)
        with Writer(plan, receiver, self.shards, for_store=self._for_store) as writer:
            # Batches may be gathered in several goes, of which the first warms up.
            are_warm = self._lanes is not None and self._lanes.have_encoded
            lanes = Lanes(
                plan,
                setting,
                self._copies,
                writer,
                receiver.finish,
                are_warm=are_warm,
            )
            self._lanes = lanes
            # The feed has threads: it is closed here, and not when the error of an
            # interrupted run is forgotten.
            with closing(iter(feed)) as read, lanes:
                for batch in read:
                    writer.keep_stored(batch)
                    if batch.pixels is not None:
                        lanes.encode(batch)
                        continue
                    writer.keep_unreadable(batch)
                    receiver.finish(batch.without_data())
                lanes.finish()

    def timing(self, cell: Cell, encoded: int, images: int) -> Timing:
        assert self._lanes is not None, "batches are gathered first"
        return self._lanes.timing(cell, encoded, images)


def local_engine(copies: Copies = tuple) -> Engine:
    """The engine of this process, with the model on further devices."""
    return lambda plan, store: LocalSweep(plan, store, copies)
