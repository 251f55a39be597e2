"""The batches of a sweep in order, from the store or decoded by threads.

While a GPU encodes one batch, the next ones are read: the threads that decode have
images of several batches at hand, so that none of them waits for the last image of a
batch. Every batch is decoded at most once, for all cells.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from ...core.cases import CLEAN
from ...core.device import usable_cores
from ...core.foreign import FOREIGN
from ...datasets import KnowsContent
from ..embeddings.keys import dataset_identity
from ..embeddings.shards import DIGEST_BYTES, EncodedBatch
from .decode import decode
from .pixel_buffer import PixelBuffer, Pixels
from .stored import Contents, StoredBatches, are_complete, made_from
from .turn import Turn

if TYPE_CHECKING:
    from ...core.cases import Cell
    from .plan import SweepPlan

DECODERS = usable_cores()
"""Threads that decode and prepare images: Pillow, NumPy and pydicom's codecs release
the interpreter's lock.
"""
LEAST_AHEAD = 2
"""The fewest batches that are read before they are asked for."""
MOST_AHEAD = 4
AHEAD_BYTES = 512 << 20
"""Bytes of pixels that may be read ahead, as far as `LEAST_AHEAD` batches take no more."""


@dataclass(frozen=True, repr=False)
class BatchPlan:
    """Which images a batch has."""

    number: int
    """The batch's number in the sweep."""
    images: NDArray[np.int64]
    """(B,) numbers in the data set."""


@dataclass(frozen=True, repr=False)
class DecodedBatch:
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
        return self._read_ahead(self._batch_plans)

    def _read_in_turn(self) -> Generator[Batch]:
        with ThreadPoolExecutor(DECODERS) as pool:
            for plan in self._batch_plans:
                yield self._read(pool, plan, Turn())

    def _read_ahead(self, plans: Iterable[BatchPlan]) -> Generator[Batch]:
        decoders = ThreadPoolExecutor(DECODERS)
        # Each hands the images of one batch to the decoders, and waits for them.
        readers = ThreadPoolExecutor(MOST_AHEAD)
        missing = iter(plans)
        waiting: deque[Future[Batch]] = deque()
        ahead = LEAST_AHEAD

        turn = Turn()

        def begin(batches: int) -> None:
            nonlocal turn
            for plan in islice(missing, max(batches, 0)):
                waiting.append(readers.submit(self._read, decoders, plan, turn))
                turn = turn.next

        try:
            begin(ahead)
            while waiting:
                batch = waiting.popleft().result()
                if batch.pixels is not None:
                    ahead = _batches_ahead(batch.pixels)
                begin(ahead - len(waiting))
                yield batch
                # A batch that is done is not held in memory until the next one comes.
                del batch
        finally:
            # An interrupted sweep does not wait for images that are not begun: readers
            # that wait for them are told so.
            decoders.shutdown(wait=False, cancel_futures=True)
            readers.shutdown(cancel_futures=True)
            decoders.shutdown()

    def _read(self, pool: ThreadPoolExecutor, plan: BatchPlan, turn: Turn) -> Batch:
        """A batch from the store; decoded only if the store lacks one of its cells."""
        # Whatever becomes of this batch, the next one's turn comes.
        with turn:
            return self._read_in(turn, pool, plan)

    def _read_in(self, turn: Turn, pool: ThreadPoolExecutor, plan: BatchPlan) -> Batch:
        # Without a store every batch is decoded, and nothing has a key.
        if self._store is None:
            return _batch_of(plan, self._decode(turn, pool, plan), {}, {})
        decoded: DecodedBatch | None = None
        if self._dataset_code is None:
            # The data set does not know its content: images are known by their pixels.
            decoded = self._decode(turn, pool, plan)
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
            decoded = self._decode(turn, pool, plan)
        return _batch_of(plan, decoded, keys, stored)

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

    def _decode(
        self, turn: Turn, pool: ThreadPoolExecutor, plan: BatchPlan
    ) -> DecodedBatch:
        buffer = PixelBuffer(len(plan.images), self._plan.model.device)

        def decode_into(place: int) -> bytes:
            """Put an image into the buffer; returns its digest."""
            decoded = decode(self._plan, int(plan.images[place]))
            if decoded.prepared is not None:
                buffer.put(place, decoded.prepared)
            return decoded.digest

        turn.wait()
        decoding = pool.map(decode_into, range(len(plan.images)))
        turn.pass_on()
        joined = np.frombuffer(b"".join(decoding), dtype=np.uint8)
        return DecodedBatch(
            buffer.is_filled,
            joined.reshape(-1, DIGEST_BYTES),
            buffer.filled(self._plan.model.name),
        )


def _batches_ahead(pixels: Pixels) -> int:
    """How many batches of this size are read ahead."""
    return min(MOST_AHEAD, max(LEAST_AHEAD, AHEAD_BYTES // pixels.nbytes))


def _batch_of(
    plan: BatchPlan,
    decoded: DecodedBatch,
    keys: Mapping[Cell, str],
    stored: Mapping[Cell, EncodedBatch],
) -> Batch:
    """A decoded batch, with the stored cells that were made from the same pixels."""
    readable = decoded.is_readable
    if not readable.all():
        # A broken image may be whole tomorrow, so nothing of its batch is stored.
        return Batch(plan, readable, decoded.digests, decoded.pixels)
    matching = made_from(stored, decoded.digests)
    return Batch(plan, readable, decoded.digests, decoded.pixels, matching, keys)


def _contents_of_pixels(decoded: DecodedBatch, plan: BatchPlan) -> Contents | None:
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
