"""The batches of a sweep in order, from the store or decoded by threads.

While a GPU encodes one batch, the next ones are read: the threads that decode have
images of several batches at hand, so that none of them waits for the last image of a
batch. Every batch is decoded at most once, for all cells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, cast

import numpy as np

from ...core.device import usable_cores
from ...core.foreign import FOREIGN
from ...datasets import KnowsContent
from ...models import may_work_elsewhere
from ...occluders.drawn_ahead import DrawnAhead
from ..embeddings.keys import dataset_identity
from ..embeddings.shards import DIGEST_BYTES
from .batch import (
    Batch,
    DecodedImages,
    contents_of_pixels,
    decoded_batch,
    partly_stored_batch,
    stored_batch,
)
from .changes import is_corruption
from .core_use import CoreUse
from .decode import decode, decode_afresh
from .pixel_buffer import PixelBuffer
from .stored import StoredBatches, are_complete, broken_in, without_places
from .turn import Turn

if TYPE_CHECKING:
    from ...core.cases import Cell
    from .pixel_buffer import Pixels
    from .plan import BatchPlan, SweepPlan
    from .stored import Contents

DECODERS = usable_cores()
"""Threads that decode and prepare images: Pillow, NumPy and pydicom's codecs release
the interpreter's lock.
"""
LEAST_AHEAD = 2
"""The fewest batches that are read before they are asked for."""
MOST_AHEAD = 4
_UNREADABLE = b"cannot be read: this is no digest of a file"
"""What stands for the content of a file that cannot be read, and so for a broken image."""
AHEAD_BYTES = 512 << 20
"""Bytes of pixels that may be read ahead, as far as `LEAST_AHEAD` batches take no more."""


class Feed:
    """Gives a sweep its batches, in order."""

    def __init__(
        self,
        plan: SweepPlan,
        store: StoredBatches | None,
        batches: Iterable[BatchPlan] | None = None,
        *,
        decodes_missing: bool = True,
    ) -> None:
        """`batches` are the ones to read, all of the plan's by default.

        They are asked for a few batches before they are needed. Without
        `decodes_missing` a batch of which the store lacks a cell has no pixels.
        """
        self._plan = plan
        self._store = store
        self._decodes_missing = decodes_missing
        self._batches = plan.batches if batches is None else batches
        self._dataset = plan.pairs.dataset
        # Here and not in the threads below, so that the data set is asked once.
        self._image_ids = plan.pairs.columns.image_ids
        self._dataset_code = dataset_identity(self._dataset)
        self._may_work_elsewhere = may_work_elsewhere(plan.model)

    def __iter__(self) -> Generator[Batch]:
        # On a processor the forward pass uses every core. A decoder beside it would
        # delay all of them.
        if self._plan.model.device == "cpu":
            return self._read_in_turn()
        return self._read_ahead(iter(self._batches))

    def _read_in_turn(self) -> Generator[Batch]:
        """A batch when it is asked for; ahead once cores are seen to idle meanwhile.

        Only a model that may work elsewhere leaves them idle. Decoding beside it then
        costs it nothing.
        """
        plans = iter(self._batches)
        with ThreadPoolExecutor(DECODERS) as pool:
            for plan in plans:
                batch = self._read(pool, plan, Turn())
                use = CoreUse()
                yield batch
                is_encoded = batch.pixels is not None
                del batch
                if self._may_work_elsewhere and is_encoded and use.leaves_half_idle():
                    break
        yield from self._read_ahead(plans)

    def _read_ahead(self, missing: Iterator[BatchPlan]) -> Generator[Batch]:
        decoders = ThreadPoolExecutor(DECODERS)
        # Each hands the images of one batch to the decoders, and waits for them.
        readers = ThreadPoolExecutor(MOST_AHEAD)
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
            drawn_ahead = self._drawn_ahead({})
            decoded = self._decode(turn, pool, plan, drawn_ahead)
            return replace(
                decoded_batch(plan, decoded, {}, {}), drawn_ahead=drawn_ahead
            )
        if self._dataset_code is None:
            return self._read_by_pixels(turn, pool, plan, self._store)
        contents = self._contents_of_files(pool, plan, self._dataset_code)
        unread = np.array([content.endswith(_UNREADABLE) for _, content in contents])
        keys = self._store.keys(contents)
        stored = without_places(self._store.load(keys, len(plan.images)), unread)
        if not self._are_broken_still(plan, broken_in(stored)):
            stored = {}
        # Nothing is decoded if no cell is missing.
        if are_complete(stored, self._plan.cells):
            return stored_batch(plan, keys, stored)
        if not self._decodes_missing:
            return partly_stored_batch(plan, keys, stored)
        drawn_ahead = self._drawn_ahead(stored)
        decoded = self._decode(turn, pool, plan, drawn_ahead, contents)
        # A file that could not be read for its digest, and was decoded after that: what
        # it holds is not known.
        if decoded.is_readable[unread].any():
            keys = {}
            stored = {}
        batch = decoded_batch(plan, decoded, keys, stored)
        return replace(batch, drawn_ahead=drawn_ahead)

    def _read_by_pixels(
        self,
        turn: Turn,
        pool: ThreadPoolExecutor,
        plan: BatchPlan,
        store: StoredBatches,
    ) -> Batch:
        """A batch of a data set that does not know its content.

        Images are known by their pixels, so that they are decoded before the store is
        asked.
        """
        decoded = self._decode(turn, pool, plan)
        contents = contents_of_pixels(decoded, plan)
        keys = {} if contents is None else store.keys(contents)
        stored = store.load(keys, len(plan.images))
        if are_complete(stored, self._plan.cells):
            return stored_batch(plan, keys, stored)
        batch = decoded_batch(plan, decoded, keys, stored)
        if not self._decodes_missing:
            return replace(batch, pixels=None)
        drawn_ahead = self._drawn_ahead(batch.stored)
        image_ids = [self._image_ids[number] for number in batch.images]
        for _ in pool.map(drawn_ahead.draw, image_ids):
            pass
        return replace(batch, drawn_ahead=drawn_ahead)

    def _drawn_ahead(self, stored: Container[Cell]) -> DrawnAhead:
        """Room for the drawings of the cells that have to be encoded."""
        return DrawnAhead(
            (change, cell.seed)
            for cell, change in self._plan.changes.items()
            if cell not in stored and not is_corruption(change)
        )

    def _contents_of_files(
        self, pool: ThreadPoolExecutor, plan: BatchPlan, dataset_code: bytes
    ) -> Contents:
        """What the data set knows of its images."""
        read_digest = cast(KnowsContent, self._dataset).content_digest

        def digest_of(number: int) -> bytes:
            try:
                return read_digest(number)
            except FOREIGN:
                # Decoding the image fails too, and reports the reason.
                return _UNREADABLE

        digests = list(pool.map(digest_of, plan.images))
        return [
            (int(number), dataset_code + digest)
            for number, digest in zip(plan.images, digests, strict=True)
        ]

    def _are_broken_still(self, plan: BatchPlan, places: Sequence[int]) -> bool:
        """Whether images that were broken when their batch was stored cannot be read now.

        A disk that failed for a moment must not be remembered.
        """
        numbers = [int(plan.images[place]) for place in places]
        return all(decode_afresh(self._plan, n).prepared is None for n in numbers)

    def _decode(
        self,
        turn: Turn,
        pool: ThreadPoolExecutor,
        plan: BatchPlan,
        drawn_ahead: DrawnAhead | None = None,
        contents: Contents | None = None,
    ) -> DecodedImages:
        """Every image decoded and prepared, and drawn on where `drawn_ahead` is given."""
        buffer = PixelBuffer(len(plan.images), self._plan.model.device)

        def decode_into(place: int) -> bytes:
            """Put an image into the buffer; returns its digest."""
            number = int(plan.images[place])
            content = b"" if contents is None else contents[place][1]
            decoded = decode(self._plan, number, content)
            if decoded.prepared is not None:
                buffer.put(place, decoded.prepared)
                if drawn_ahead is not None:
                    drawn_ahead.draw(self._image_ids[number])
            return decoded.digest

        turn.wait()
        decoding = pool.map(decode_into, range(len(plan.images)))
        turn.pass_on()
        joined = np.frombuffer(b"".join(decoding), dtype=np.uint8)
        return DecodedImages(
            buffer.is_filled,
            joined.reshape(-1, DIGEST_BYTES),
            buffer.filled(self._plan.model.name),
        )


def _batches_ahead(pixels: Pixels) -> int:
    """How many batches of this size are read ahead."""
    return min(MOST_AHEAD, max(LEAST_AHEAD, AHEAD_BYTES // pixels.nbytes))
