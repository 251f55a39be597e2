"""The batches of a sweep that the embedding store may have: their keys, and loading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.cases import CLEAN
from ...core.foreign import FOREIGN
from ..abilities import declares_inputs
from ..embeddings.keys import change_identity
from ..embeddings.size import bytes_needed

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...occluders.scene import Setting
    from ..embeddings.shards import EncodedBatch, ModelShards
    from .changes import ImageChange
    from .plan import SweepPlan

Contents = list[tuple[int, bytes]]
"""(number in the data set, content digest) of each image of a batch."""


class StoredBatches:
    """Finds the batches of a sweep in the embedding store."""

    def __init__(self, plan: SweepPlan, setting: Setting, shards: ModelShards) -> None:
        self._plan = plan
        self._setting = setting
        self._shards = shards
        self._identities = {
            cell: change_identity(change, cell) for cell, change in plan.changes.items()
        }
        # An occluder may read the gallery from the device and cache it. That is done
        # here, because the threads of the feed have to leave the device alone.
        for change in plan.changes.values():
            self._inputs_digest(change, [])

    def keys(self, contents: Contents) -> dict[Cell, str]:
        """The key of a batch in each cell; a cell has none where it is not known what its
        masks follow from.
        """
        numbers = [number for number, _ in contents]
        image_ids = self._plan.pairs.columns.image_ids
        images = [(image_ids[number], content) for number, content in contents]
        keys = {CLEAN: self._shards.image_key(b"", images)}
        # An occluder declares the same inputs for all of its levels and seeds.
        digests: dict[tuple[str, str], bytes | None] = {}
        for cell, change in self._plan.changes.items():
            what = (cell.family, change.name)
            if what not in digests:
                digests[what] = self._inputs_digest(change, numbers)
            digest = digests[what]
            if digest is not None:
                occlusion = self._identities[cell] + digest
                keys[cell] = self._shards.image_key(occlusion, images)
        return keys

    def load(self, keys: Mapping[Cell, str], images: int) -> dict[Cell, EncodedBatch]:
        """The stored cells of a batch of that many images."""
        stored = {}
        for cell, key in keys.items():
            batch = self._shards.load_images(key, images)
            if batch is not None:
                stored[cell] = batch
        return stored

    def _inputs_digest(
        self, change: ImageChange, numbers: Sequence[int]
    ) -> bytes | None:
        """What a change follows from beyond ids and pixels, if it is known."""
        if not declares_inputs(change):
            return None
        try:
            groups = self._plan.pairs.columns.image_groups[list(numbers)]
            return change.looked_at(self._setting, numbers, groups)
        except FOREIGN:
            # The same failure is reported where the batch is measured.
            return None


def stored_bytes(plan: SweepPlan, width: int) -> int:
    """What the store needs for a whole sweep with rows of that width.

    Cells whose masks follow from something unknown are not kept. Each noise of reports
    has a gallery of its own.
    """
    kept = [one for one in plan.changes.values() if declares_inputs(one)]
    return bytes_needed(
        images=len(plan.pairs.images),
        cells=1 + len(kept),
        width=width,
        batch_size=plan.batch_size,
        texts=len(plan.pairs.texts) * (1 + len(plan.noises)),
    )


def are_complete(stored: Mapping[Cell, EncodedBatch], cells: Sequence[Cell]) -> bool:
    """Whether every cell of a batch is stored, and all were made from the same pixels."""
    if len(stored) != len(cells):
        return False
    return len({batch.digests_of_all.tobytes() for batch in stored.values()}) == 1


def without_places(
    stored: Mapping[Cell, EncodedBatch], places: NDArray[np.bool_]
) -> dict[Cell, EncodedBatch]:
    """The stored cells in which the images at the (B,) marked places are broken."""
    return {
        cell: batch
        for cell, batch in stored.items()
        if not batch.is_readable[places].any()
    }


def broken_in(stored: Mapping[Cell, EncodedBatch]) -> list[int]:
    """The places of the images of a batch that were broken when a cell was stored."""
    masks = [batch.is_readable for batch in stored.values()]
    if not masks:
        return []
    return [int(place) for place in np.flatnonzero(~np.logical_and.reduce(masks))]


def made_from(
    stored: Mapping[Cell, EncodedBatch], digests: NDArray[np.uint8]
) -> dict[Cell, EncodedBatch]:
    """The stored cells that were made from pixels with these (B, 32) digests.

    A shard made from other pixels is not this batch's, whatever its key says.
    """
    return {
        cell: batch
        for cell, batch in stored.items()
        if np.array_equal(batch.digests_of_all, digests)
    }
