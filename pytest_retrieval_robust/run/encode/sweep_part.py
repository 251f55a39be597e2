"""A part of the batches of one model on one data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import torch

from ...core.errors import RobustError
from ...core.foreign import without_frames
from ...core.progress import Counter, Tell
from ...measure.embeddings.keys import dataset_identity, texts_key
from ...measure.embeddings.shards import ModelShards
from ...measure.sweep.gallery import gallery_batch_with_origin, gallery_batches
from ...measure.sweep.local import LocalSweep
from ...occluders._own_methods import keeps_methods
from .marks import Kind
from .notes import SweepNotes
from .tally import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ...measure.embeddings.store import EmbeddingStore
    from ...measure.sweep.plan import BatchPlan
    from ...occluders import Occluder
    from ..session.sweep_inputs import SweepInputs
    from .counts import Counts
    from .under_way import UnderWay

_B = TypeVar("_B")
_LOOKS = ("bind", "for_batch", "with_donors", "looked_at")
"""The methods through which an occluder sees the gallery of reports."""


@dataclass(frozen=True, repr=False)
class ReportBatch:
    """Which reports are encoded together."""

    number: int
    numbers: NDArray[np.int64]
    """(B,) their places in the gallery."""


@dataclass(frozen=True, repr=False)
class Share:
    """The batches to encode, in order, each asked for shortly before its turn."""

    reports: Iterable[ReportBatch]
    images: Iterable[BatchPlan]
    most: int
    """Batches of images, at most."""


class SweepPart:
    """One model on one data set, loaded, of which batches are encoded into the store."""

    def __init__(
        self, inputs: SweepInputs, store: EmbeddingStore, shards: ModelShards
    ) -> None:
        self.plan = inputs.plan()
        self.shards = shards
        self.notes = SweepNotes.of(store, self.plan, shards)
        self._copies = inputs.options.copies
        self._store = store
        self._texts = self.plan.pairs.texts

    @property
    def batch_counts(self) -> dict[Kind, int]:
        """How many batches there are of each kind, reports first."""
        return {
            Kind.REPORTS: len(self.report_batches),
            Kind.IMAGES: len(self.plan.batches),
        }

    @cached_property
    def report_batches(self) -> list[ReportBatch]:
        """Every batch of reports, in order."""
        plan = self.plan
        batches = gallery_batches(plan.model, self._texts, plan.batch_size)
        return [ReportBatch(number, batch) for number, batch in enumerate(batches)]

    def encode(
        self, share: Share, counts: Counts, under_way: UnderWay, tell: Tell | None
    ) -> bool:
        """Encode what the store lacks of a share; False where it stopped for nothing is kept.

        Errors of cells are noted in `counts`. One that ends the sweep is too.
        """
        plan = self.plan
        images = share.most * plan.batch_size * len(plan.cells)
        counter = Counter(plan.model.name, plan.pairs.dataset.name, images, tell)
        with closing(counter):
            tally = Tally(
                plan.cells,
                counts,
                self._store,
                self.notes.marks,
                counter,
                under_way,
                knows_files=dataset_identity(plan.pairs.dataset) is not None,
            )
            try:
                self._encode(share, tally)
            except RobustError as error:
                counts.note_error(str(without_frames(error)))
            finally:
                under_way.drop()
        return tally.stopped_by is None

    def _encode(self, share: Share, tally: Tally) -> None:
        for batch in _begun(share.reports, tally):
            self._encode_reports(batch, tally)
        images = iter(_begun(share.images, tally))
        # Where there is nothing to do, no gallery is read for it.
        first = next(images, None)
        if first is None:
            return
        sweep = LocalSweep(self.plan, self._store, self._copies, for_store=True)
        gallery = self._gallery(sweep, tally)
        if tally.stopped_by is None:
            sweep.gather(gallery, tally, _joined(first, images))

    def _encode_reports(self, batch: ReportBatch, tally: Tally) -> None:
        try:
            _, origin = gallery_batch_with_origin(
                self.plan.model, self._texts, batch.numbers, self.shards
            )
        except RobustError as error:
            tally.fail_reports(batch.number, without_frames(error))
        else:
            texts = [self._texts[number] for number in batch.numbers]
            key = texts_key(self.shards.identity.key, texts)
            tally.take_reports(batch.number, origin, key)

    def _gallery(self, sweep: LocalSweep, tally: Tally) -> Tensor:
        """(G, D) the gallery for occluders that may look at it, else no rows."""
        if all(map(_ignores_gallery, self.plan.occluders.values())):
            return torch.empty((0, 1), device=self.plan.model.device)
        # What other parts have not encoded yet is encoded here too.
        gallery = sweep.gallery()
        is_kept = all(
            self.shards.has_reports([self._texts[number] for number in batch.numbers])
            for batch in self.report_batches
        )
        tally.take_gallery(is_kept=is_kept)
        return gallery


def _ignores_gallery(occluder: Occluder) -> bool:
    """Whether an occluder is known to hide alike whatever the reports are."""
    return keeps_methods(occluder, *_LOOKS)


def _begun(batches: Iterable[_B], tally: Tally) -> Iterator[_B]:
    """The batches, until the tally stops them."""
    for batch in batches:
        if tally.stopped_by is not None:
            return
        tally.begin()
        yield batch


def _joined(first: _B, others: Iterator[_B]) -> Iterator[_B]:
    yield first
    yield from others
