"""The batches of a sweep in order, from the store or decoded by threads.

While a GPU encodes one batch, the next ones are read. Every batch is decoded at most
once, for all cells.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ...core.cases import CLEAN
from ...core.encoding import stacked
from ...core.foreign import FOREIGN
from ...datasets import KnowsContent
from ..embeddings.keys import dataset_identity
from ..embeddings.shards import DIGEST_BYTES, EncodedBatch
from .decode import DecodedImage, decode
from .stored import Contents, StoredBatches, are_complete, made_from

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...occluders import Box
    from .plan import SweepPlan

DECODERS = min(8, os.cpu_count() or 1)
"""Threads that decode and prepare images: Pillow, NumPy and pydicom's codecs release
the interpreter's lock.
"""
AHEAD = 2
"""Batches that are read before they are asked for."""


@dataclass(frozen=True, repr=False)
class BatchPlan:
    """Which images a batch has."""

    number: int
    """The batch's number in the sweep."""
    images: NDArray[np.int64]
    """(B,) numbers in the data set."""


@dataclass(frozen=True, repr=False)
class Pixels:
    """The K readable images of a batch as the model wants them, on the host."""

    stacked: NDArray[Any]
    """(K, 3, S, S) uint8 or float32."""
    frames: Sequence[Box]


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

    @property
    def number(self) -> int:
        return self.plan.number

    @property
    def images(self) -> NDArray[np.int64]:
        """(K,) the readable images' numbers in the data set."""
        return self.plan.images[self.is_readable]

    def without_data(self) -> Batch:
        """What is known of the images once the batch is measured: no pixels, no rows."""
        return replace(self, pixels=None, stored={}, keys={})


class Feed:
    """Gives a sweep its batches, in order."""

    def __init__(self, plan: SweepPlan, store: StoredBatches | None) -> None:
        self._plan = plan
        self._store = store
        self._dataset = plan.pairs.dataset
        self._dataset_code = dataset_identity(self._dataset)
        images = plan.pairs.images
        starts = range(0, len(images), plan.batch_size)
        self._batch_plans = [
            BatchPlan(number, images[start : start + plan.batch_size])
            for number, start in enumerate(starts)
        ]

    def __iter__(self) -> Generator[Batch]:
        # On a processor the forward pass uses every core. A decoder beside it would
        # delay all of them.
        if self._plan.model.device == "cpu":
            return self._read_in_turn()
        return self._read_ahead()

    def _read_in_turn(self) -> Generator[Batch]:
        with ThreadPoolExecutor(DECODERS) as pool:
            for plan in self._batch_plans:
                yield self._read(pool, plan)

    def _read_ahead(self) -> Generator[Batch]:
        reader = ThreadPoolExecutor(1)
        with ThreadPoolExecutor(DECODERS) as pool:
            try:
                plans = iter(self._batch_plans)
                waiting: deque[Future[Batch]] = deque()
                for plan in islice(plans, AHEAD):
                    waiting.append(reader.submit(self._read, pool, plan))
                while waiting:
                    batch = waiting.popleft().result()
                    for plan in islice(plans, 1):
                        waiting.append(reader.submit(self._read, pool, plan))
                    yield batch
            finally:
                # An interrupted sweep does not wait for batches that are not begun.
                reader.shutdown(cancel_futures=True)

    def _read(self, pool: ThreadPoolExecutor, plan: BatchPlan) -> Batch:
        """A batch from the store; decoded only if the store lacks one of its cells."""
        # Without a store every batch is decoded, and nothing has a key.
        if self._store is None:
            return self._decoded_batch(plan, self._decode(pool, plan), {}, {})
        decoded: list[DecodedImage] | None = None
        if self._dataset_code is None:
            # The data set does not know its content: images are known by their pixels.
            decoded = self._decode(pool, plan)
            contents = _contents_of_pixels(decoded, plan)
        else:
            contents = self._contents_of_files(pool, plan, self._dataset_code)
        keys = {} if contents is None else self._store.keys(contents)
        stored = self._store.load(keys, len(plan.images))
        # Nothing is decoded if no cell is missing.
        if are_complete(stored, self._plan.cells):
            all_readable = np.ones(len(plan.images), dtype=np.bool_)
            digests = stored[CLEAN].digests
            return Batch(plan, all_readable, digests, None, stored, keys)
        if decoded is None:
            decoded = self._decode(pool, plan)
        return self._decoded_batch(plan, decoded, keys, stored)

    def _contents_of_files(
        self, pool: ThreadPoolExecutor, plan: BatchPlan, dataset_code: bytes
    ) -> Contents | None:
        """What the data set knows of its images; None if one cannot be read."""
        read_digest = cast(KnowsContent, self._dataset).content_digest
        try:
            digests = list(pool.map(read_digest, plan.images))
        except FOREIGN:
            # Decoding the image fails too, and reports the reason.
            return None
        return [
            (int(number), dataset_code + digest)
            for number, digest in zip(plan.images, digests, strict=True)
        ]

    def _decode(self, pool: ThreadPoolExecutor, plan: BatchPlan) -> list[DecodedImage]:
        def decode_number(number: np.int64) -> DecodedImage:
            return decode(self._plan, int(number))

        return list(pool.map(decode_number, plan.images))

    def _decoded_batch(
        self,
        plan: BatchPlan,
        decoded: Sequence[DecodedImage],
        keys: Mapping[Cell, str],
        stored: Mapping[Cell, EncodedBatch],
    ) -> Batch:
        prepared = [image.prepared for image in decoded if image.prepared is not None]
        pixels = None
        if prepared:
            frames = [image.frame for image in prepared]
            pixels = Pixels(stacked(prepared, self._plan.model.name), frames)
        readable = np.array(
            [image.prepared is not None for image in decoded], dtype=np.bool_
        )
        joined = b"".join(image.digest for image in decoded)
        digests = np.frombuffer(joined, dtype=np.uint8).reshape(-1, DIGEST_BYTES)
        if not readable.all():
            # A broken image may be whole tomorrow, so nothing of its batch is stored.
            return Batch(plan, readable, digests, pixels)
        matching = made_from(stored, digests)
        return Batch(plan, readable, digests, pixels, matching, keys)


def _contents_of_pixels(
    decoded: Sequence[DecodedImage], plan: BatchPlan
) -> Contents | None:
    """What images decode to, in place of their files' content; None if one is broken."""
    if any(image.prepared is None for image in decoded):
        return None
    return [
        (int(number), image.digest)
        for number, image in zip(plan.images, decoded, strict=True)
    ]


def digests_of(batches: Sequence[Batch]) -> str:
    """SHA-256 (hex) over the digests of all readable images, in order."""
    digest = hashlib.sha256()
    for batch in batches:
        digest.update(batch.digests[batch.is_readable].tobytes())
    return digest.hexdigest()
