"""A part of the batches of one model on one data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

import torch

from ...core.cases import CLEAN
from ...core.errors import RobustError
from ...core.foreign import without_frames
from ...core.progress import Counter, Tell
from ...measure.embeddings.keys import dataset_identity, texts_key
from ...measure.embeddings.shards import ModelShards
from ...measure.sweep.cell_errors import cell_errors
from ...measure.sweep.changes import ignores_gallery
from ...measure.sweep.gallery import gallery_batch_with_origin, gallery_batches
from ...measure.sweep.local import LocalSweep
from .marks import Kind
from .notes import SweepNotes
from .tally import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ...core.cases import Cell
    from ...measure.embeddings.store import EmbeddingStore
    from ...measure.sweep.plan import BatchPlan, SweepPlan
    from ..session.sweep_inputs import SweepInputs
    from .counts import Counts
    from .under_way import UnderWay

_B = TypeVar("_B")


@dataclass(frozen=True, repr=False)
class ReportBatch:
    """Which reports are encoded together."""

    texts: Sequence[str]
    """The gallery, as a cell has it."""
    numbers: NDArray[np.int64]
    """(B,) their places in it."""

    @property
    def own_texts(self) -> list[str]:
        return [self.texts[number] for number in self.numbers]


class ReportBatches:
    """The batches of all galleries, one gallery after another.

    A gallery is made when one of its batches is asked for: each noise of reports has one
    of its own, and all of them may not fit into memory.
    """

    def __init__(self, plan: SweepPlan) -> None:
        self._plan = plan
        self._of_gallery = -(-len(plan.pairs.texts) // plan.batch_size)
        self._last: tuple[Cell, list[ReportBatch]] | None = None

    def __len__(self) -> int:
        return self._of_gallery * len(self._plan.galleries)

    def batch(self, number: int) -> ReportBatch:
        """A batch by its number; raises what the noise of its gallery raises."""
        return self.of_cell(self.cell_of(number))[number % self._of_gallery]

    def cell_of(self, number: int) -> Cell:
        """The cell whose gallery has the batch."""
        return self._plan.galleries[number // self._of_gallery]

    def of_cell(self, cell: Cell) -> list[ReportBatch]:
        """The batches of one gallery, in order."""
        if self._last is None or self._last[0] != cell:
            plan = self._plan
            texts = plan.texts_of(cell)
            batches = gallery_batches(plan.model, texts, plan.batch_size)
            self._last = cell, [ReportBatch(texts, batch) for batch in batches]
        return self._last[1]


@dataclass(frozen=True, repr=False)
class Share:
    """The batches to encode, in order, each asked for shortly before its turn."""

    reports: Iterable[int]
    """Numbers of batches of reports."""
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

    @property
    def batch_counts(self) -> dict[Kind, int]:
        """How many batches there are of each kind, reports first."""
        return {
            Kind.REPORTS: len(self.report_batches),
            Kind.IMAGES: len(self.plan.batches),
        }

    @cached_property
    def report_batches(self) -> ReportBatches:
        """Every batch of reports."""
        return ReportBatches(self.plan)

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
        for number in _begun(share.reports, tally):
            self._encode_reports(number, tally)
        images = iter(_begun(share.images, tally))
        # Where there is nothing to do, no gallery is read for it.
        first = next(images, None)
        if first is None:
            return
        sweep = LocalSweep(self.plan, self._store, self._copies, for_store=True)
        gallery = self._gallery(sweep, tally)
        if tally.stopped_by is None:
            sweep.gather(gallery, tally, _joined(first, images))

    def _encode_reports(self, number: int, tally: Tally) -> None:
        model = self.plan.model
        noise = self.plan.noises.get(self.report_batches.cell_of(number))
        with cell_errors(model, noise, partial(tally.fail_reports, number)):
            batch = self.report_batches.batch(number)
            _, origin = gallery_batch_with_origin(
                model, batch.texts, batch.numbers, self.shards
            )
            key = texts_key(self.shards.identity.key, batch.own_texts)
            tally.take_reports(number, origin, key)

    def _gallery(self, sweep: LocalSweep, tally: Tally) -> Tensor:
        """(G, D) the gallery for occluders that may look at it, else no rows."""
        if all(map(ignores_gallery, self.plan.changes.values())):
            return torch.empty((0, 1), device=self.plan.model.device)
        # What other parts have not encoded yet is encoded here too.
        gallery = sweep.gallery()
        is_kept = all(
            self.shards.has_reports(batch.own_texts)
            for batch in self.report_batches.of_cell(CLEAN)
        )
        tally.take_gallery(is_kept=is_kept)
        return gallery


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
