"""The engine that encodes nothing: every embedding has to be in the store already.

So a machine without the device that encoded can rank and judge. Embeddings of several
kinds of device differ by rounding, so that those of one kind are taken, unless the user
names several.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.cases import CLEAN
from ...core.errors import ConfigError, NotStoredError
from ...core.outcomes import Timing
from ...core.words import counted
from ...occluders.scene import Setting
from ..embeddings.identity import ANY_KIND, kept_identities, nearest_differences
from ..embeddings.keys import model_identity
from ..embeddings.shards import DIGEST_BYTES, ModelShards
from .batch import Batch
from .feed import Feed
from .gallery import assembled_gallery, gallery_batches
from .receiver import Origin
from .stored import StoredBatches

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.cases import Cell
    from ..embeddings.identity import ModelIdentity
    from ..embeddings.shards import EncodedBatch
    from ..embeddings.store import EmbeddingStore
    from .engine import Engine
    from .plan import BatchPlan, SweepPlan
    from .receiver import Receiver
    from .space import RowSpace

_HOW = (
    "Encode them first: python -m pytest_retrieval_robust encode, with the options of"
    " this run. Or leave out --robust-engine=stored."
)


def stored_engine(kinds: Sequence[str] = ()) -> Engine:
    """The engine that takes everything from the store, made on these kinds of device.

    Without any the store may know one kind alone.
    """
    return lambda plan, store: OnlyStored(plan, store, kinds)


class OnlyStored:
    """A `SweepEngine` that takes everything from the store.

    Raises `ConfigError` without a store, and where the kind of device is not settled, and
    `NotStoredError` for a model of which the store has nothing.
    """

    def __init__(
        self, plan: SweepPlan, store: EmbeddingStore | None, kinds: Sequence[str]
    ) -> None:
        self._plan = plan
        self._shards = _shards_of_kinds(plan, store, kinds)

    def gallery(self, space: RowSpace, cell: Cell = CLEAN) -> Tensor:
        plan = self._plan
        all_texts = plan.texts_of(cell)
        batches = gallery_batches(plan.model, all_texts, plan.batch_size)
        of_batches = _texts_in(batches, all_texts)
        # One after another: all rows at once may not fit into memory.
        rows = (self._report_tensor(texts, of_batches) for texts in of_batches)
        return assembled_gallery(
            plan.model, batches, rows, space, may_be_alike=cell != CLEAN
        )

    def _report_tensor(
        self, texts: Sequence[str], batches: Sequence[list[str]]
    ) -> Tensor:
        rows = self._report_rows(texts)
        if rows is None:
            raise self._lacks_reports(batches)
        return torch.from_numpy(rows).to(self._plan.model.device)

    def _lacks_reports(self, batches: Sequence[list[str]]) -> NotStoredError:
        plan = self._plan
        missing = sum(self._report_rows(texts) is None for texts in batches)
        return NotStoredError(
            f"Expected the embeddings of {counted(len(plan.pairs.texts), 'report')} of"
            f" {plan.pairs.dataset.name} by {plan.model.name} in the store, got"
            f" missing={missing} of {counted(len(batches), 'batch', 'batches')}. {_HOW}"
        )

    def _report_rows(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        for shards in self._shards:
            rows = shards.load_reports(texts)
            if rows is not None:
                return rows
        return None

    def gather(self, reports: Tensor, receiver: Receiver) -> None:
        plan = self._plan
        pairs = plan.pairs
        setting = Setting(plan.model, pairs.dataset, reports, pairs.report_groups)
        found = {batch.number: _Found(batch) for batch in plan.batches}
        for shards in self._shards:
            store = StoredBatches(plan, setting, shards)
            missing = [
                batch for batch in plan.batches if found[batch.number].lacks(plan)
            ]
            feed = Feed(plan, store, missing, decodes_missing=False)
            with closing(iter(feed)) as batches:
                for batch in batches:
                    found[batch.number].take_from(batch, receiver)
        self._report_missing(list(found.values()), receiver)
        for each in found.values():
            receiver.finish(each.batch)

    def _report_missing(self, found: Sequence[_Found], receiver: Receiver) -> None:
        plan = self._plan
        for cell in plan.cells:
            lacking = [each.batch for each in found if cell not in each.taken]
            if lacking:
                error = NotStoredError(
                    f"Expected the embeddings of all images of {plan.pairs.dataset.name} by"
                    f" {plan.model.name} in the store, got missing={len(lacking)} of"
                    f" {counted(len(found), 'batch', 'batches')}. {_HOW}"
                )
                receiver.fail(cell, lacking[0], error)

    def timing(self, cell: Cell, encoded: int, images: int) -> Timing:  # noqa: ARG002 - all cells alike
        return Timing(
            images_per_second=None,
            encode_seconds=0.0,
            occlude_seconds=0.0,
            device=self._plan.model.device,
            precision=self._plan.precision,
            from_store=images - encoded,
        )


class _Found:
    """What the store has of one batch, of any kind of device."""

    def __init__(self, plan: BatchPlan) -> None:
        self.batch = Batch(
            plan,
            np.ones(len(plan.images), dtype=np.bool_),
            np.zeros((len(plan.images), DIGEST_BYTES), dtype=np.uint8),
            None,
        )
        self.taken: set[Cell] = set()

    def lacks(self, plan: SweepPlan) -> bool:
        return len(self.taken) < len(plan.cells)

    def take_from(self, batch: Batch, receiver: Receiver) -> None:
        """Take the cells that no other kind of device had."""
        for cell, stored in batch.stored.items():
            if cell in self.taken or not self._is_of_same_pixels(stored):
                continue
            if not self.taken:
                self.batch = replace(
                    self.batch,
                    is_readable=stored.is_readable,
                    digests=stored.digests_of_all,
                )
            self.taken.add(cell)
            receiver.take(cell, self.batch, stored, Origin.STORE)

    def _is_of_same_pixels(self, stored: EncodedBatch) -> bool:
        return not self.taken or np.array_equal(
            stored.digests_of_all, self.batch.digests
        )


def _shards_of_kinds(
    plan: SweepPlan, store: EmbeddingStore | None, kinds: Sequence[str]
) -> list[ModelShards]:
    """The shards of every kind of device that may be taken, the first choice first."""
    model = plan.model
    if store is None:
        raise ConfigError(
            "Expected a store with --robust-engine=stored, got --robust-no-cache. Leave"
            " one of them out."
        )
    own = model_identity(model, plan.precision, plan.decoding)
    if own is None:
        raise NotStoredError(
            f"Expected a model whose embeddings are kept, got {model.name}, which cannot"
            " be known again: its weights have no hash, or its code no file. Measure it"
            " without --robust-engine=stored."
        )
    kept = kept_identities(store, own)
    if not kept:
        raise NotStoredError(
            f"Expected embeddings of {model.name} in the store, got"
            f" {nearest_differences(store, own) or 'none'}. {_HOW}"
        )
    chosen = _chosen(kept, kinds, model.name)
    shards = [ModelShards(store, model.name, identity) for identity in chosen]
    return shards if ANY_KIND in kinds else _one_of_each_kind(shards, plan)


def _texts_of(plan: SweepPlan) -> list[list[str]]:
    """The reports of each batch of the gallery, in order."""
    texts = plan.pairs.texts
    return _texts_in(gallery_batches(plan.model, texts, plan.batch_size), texts)


def _texts_in(
    batches: Sequence[NDArray[np.int64]], texts: Sequence[str]
) -> list[list[str]]:
    return [[texts[number] for number in numbers] for numbers in batches]


def _one_of_each_kind(
    all_shards: Sequence[ModelShards], plan: SweepPlan
) -> list[ModelShards]:
    """Of each kind of device the shards with the most of the gallery.

    After an upgrade of CUDA, for one, a store has embeddings of the same device that
    are other ones. They are not mixed.
    """
    batches = _texts_of(plan)
    fullest: dict[str, tuple[int, ModelShards]] = {}
    for shards in all_shards:
        count = sum(map(shards.has_reports, batches))
        kind = shards.identity.device
        if kind not in fullest or count > fullest[kind][0]:
            fullest[kind] = (count, shards)
    return [shards for _, shards in fullest.values()]


def _chosen(
    kept: Sequence[ModelIdentity], kinds: Sequence[str], model: str
) -> list[ModelIdentity]:
    """The identities of the named kinds of device, in the order in which they are named."""
    if ANY_KIND in kinds:
        return list(kept)
    known = list(dict.fromkeys(identity.device for identity in kept))
    if not kinds and len(known) > 1:
        raise ConfigError(
            f"Expected embeddings of {model} of one kind of device in the store, got"
            f" {', '.join(known)}. Name the one to take with --robust-device-kinds, or"
            " several to mix them: they differ by rounding."
        )
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        raise ConfigError(
            f"Expected kinds of device on which embeddings of {model} were made"
            f" ({', '.join(known)}), got --robust-device-kinds={unknown[0]!r}. Name one"
            " of these."
        )
    return [
        identity
        for kind in (kinds or known)
        for identity in kept
        if identity.device == kind
    ]
