"""A batch of a sweep: its images, what the store has of them, and the rest's pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.cases import CLEAN
from ..embeddings.shards import DIGEST_BYTES
from .stored import Contents, made_from

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...occluders.drawn_ahead import DrawnAhead
    from ..embeddings.shards import EncodedBatch
    from .pixel_buffer import Pixels
    from .plan import BatchPlan


@dataclass(frozen=True, repr=False)
class DecodedImages:
    """The images of a batch, all decoded."""

    is_readable: NDArray[np.bool_]
    """(B,) false for a broken image, which the data set skips."""
    digests: NDArray[np.uint8]
    """(B, 32) SHA-256 of each decoded image; zeros for a broken one."""
    pixels: Pixels | None
    """None if no image is readable."""


@dataclass(frozen=True, repr=False)
class Batch:
    """A batch to be measured: what the store has of it, and pixels for the other cells."""

    plan: BatchPlan
    is_readable: NDArray[np.bool_]
    """(B,) false for a broken image, which the data set skips."""
    digests: NDArray[np.uint8]
    """(B, 32) SHA-256 of each decoded image; zeros for a broken one."""
    pixels: Pixels | None
    """None if every cell is stored, or no image is readable."""
    stored: Mapping[Cell, EncodedBatch] = field(default_factory=dict)
    keys: Mapping[Cell, str] = field(default_factory=dict)
    """Where the store keeps each cell. A cell without a key is not stored."""
    drawn_ahead: DrawnAhead | None = None
    """What was drawn for the cells that are not stored."""

    @property
    def number(self) -> int:
        return self.plan.number

    @property
    def images(self) -> NDArray[np.int64]:
        """(K,) the readable images' numbers in the data set."""
        return self.plan.images[self.is_readable]

    def without_data(self) -> Batch:
        """What is known of the images once the batch is measured: no pixels, no rows."""
        return replace(self, pixels=None, stored={}, keys={}, drawn_ahead=None)


def stored_batch(
    plan: BatchPlan, keys: Mapping[Cell, str], stored: Mapping[Cell, EncodedBatch]
) -> Batch:
    """A batch of which the store has every cell."""
    clean = stored[CLEAN]
    return Batch(plan, clean.is_readable, clean.digests_of_all, None, stored, keys)


def partly_stored_batch(
    plan: BatchPlan, keys: Mapping[Cell, str], stored: Mapping[Cell, EncodedBatch]
) -> Batch:
    """A batch of which the store has some cells, and of which no image was decoded."""
    count = len(plan.images)
    digests = np.zeros((count, DIGEST_BYTES), dtype=np.uint8)
    return Batch(plan, np.ones(count, dtype=np.bool_), digests, None, stored, keys)


def decoded_batch(
    plan: BatchPlan,
    decoded: DecodedImages,
    keys: Mapping[Cell, str],
    stored: Mapping[Cell, EncodedBatch],
) -> Batch:
    """A decoded batch, with the stored cells that were made from the same pixels."""
    matching = made_from(stored, decoded.digests)
    return Batch(
        plan, decoded.is_readable, decoded.digests, decoded.pixels, matching, keys
    )


def contents_of_pixels(decoded: DecodedImages, plan: BatchPlan) -> Contents | None:
    """What images decode to, in place of their files' content; None if one is broken."""
    if not decoded.is_readable.all():
        return None
    return [
        (int(number), digest.tobytes())
        for number, digest in zip(plan.images, decoded.digests, strict=True)
    ]


def digests_of(batches: Sequence[Batch]) -> str:
    """SHA-256 (hex) over the digests of all readable images, in order."""
    digest = hashlib.sha256()
    for batch in batches:
        digest.update(batch.digests[batch.is_readable].tobytes())
    return digest.hexdigest()
