"""Batches with fixed boundaries: what is stored is taken from the store, the rest
decoded and prepared by threads.

While a GPU encodes one batch, the next ones are read. Every batch is decoded at most
once, for all cells.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UnreadableImageError
from ...core.foreign import FOREIGN
from ...datasets import KnowsContent
from ...occluders._scene import Prepares, open_image, prepare_image, stacked
from ..embeddings.keys import dataset_identity
from ..embeddings.shards import DIGEST_BYTES, EncodedBatch
from ..query_keys import id_hash

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...core.cases import Cell
    from ...models import DualEncoder
    from ...occluders import Box
    from ..pairs import Pairs

DECODERS = min(8, os.cpu_count() or 1)
"""Threads that decode and prepare images: Pillow, NumPy and pydicom's codecs let others
run meanwhile.
"""
AHEAD = 2
"""Batches that are read before they are asked for."""


@dataclass(frozen=True, repr=False)
class Part:
    """The place of a batch: its number, and its images' numbers in the data set."""

    number: int
    images: NDArray[np.int64]


@dataclass(frozen=True, repr=False)
class Pixels:
    """The images of a batch that could be read, as the model wants them, on the host."""

    stacked: NDArray[Any]
    """(K, 3, S, S) uint8 or float32."""
    frames: Sequence[Box]


@dataclass(frozen=True, repr=False)
class Fed:
    """A batch to be measured: what the store has of it, and its pixels where a cell is
    missing there.
    """

    part: Part
    kept: NDArray[np.bool_]
    """(B,) false for broken images, which the data set skips."""
    digests: NDArray[np.uint8]
    """(B, 32) SHA-256 of each decoded image; zeros for a broken one."""
    pixels: Pixels | None
    """None where nothing is missing, or nothing could be read."""
    stored: Mapping[Cell, EncodedBatch] = field(default_factory=dict)
    keys: Mapping[Cell, str] = field(default_factory=dict)
    """Under which to store what is measured; without a key nothing is stored."""

    @property
    def images(self) -> NDArray[np.int64]:
        """(K,) the numbers of the images that could be read."""
        return self.part.images[self.kept]


Contents = list[tuple[int, bytes]]
"""(number in the data set, content digest) of a batch's images."""


@dataclass(frozen=True)
class Shelf:
    """Where a sweep looks for batches before it has them decoded."""

    cells: Sequence[Cell]
    keys: Callable[[Contents], Mapping[Cell, str]]
    load: Callable[[str, int], EncodedBatch | None]


@dataclass(frozen=True, repr=False)
class _Decoded:
    """An image as the model wants it, and the hash of what it was made from; nothing of
    one that is skipped.
    """

    prepared: Prepares | None
    digest: bytes


class Feed:
    """The batches of a model's images, in order."""

    def __init__(
        self,
        model: DualEncoder,
        pairs: Pairs,
        size: int,
        secret: bytes,
        shelf: Shelf | None,
    ) -> None:
        self._model, self._dataset, self._secret, self._shelf = (
            model,
            pairs.dataset,
            secret,
            shelf,
        )
        self._code = dataset_identity(pairs.dataset)
        starts = range(0, len(pairs.images), size)
        self._parts = [
            Part(number, pairs.images[start : start + size])
            for number, start in enumerate(starts)
        ]

    def __iter__(self) -> Generator[Fed]:
        return self._in_turn() if self._model.device == "cpu" else self._ahead()

    def _in_turn(self) -> Generator[Fed]:
        """On a processor the forward pass takes all cores: a decoder beside it holds
        all of them up, not one.
        """
        with ThreadPoolExecutor(DECODERS) as pool:
            for part in self._parts:
                yield self._read(pool, part)

    def _ahead(self) -> Generator[Fed]:
        reader = ThreadPoolExecutor(1)
        with ThreadPoolExecutor(DECODERS) as pool:
            try:
                parts = iter(self._parts)
                waiting: deque[Future[Fed]] = deque()
                for part in islice(parts, AHEAD):
                    waiting.append(reader.submit(self._read, pool, part))
                while waiting:
                    fed = waiting.popleft().result()
                    for part in islice(parts, 1):
                        waiting.append(reader.submit(self._read, pool, part))
                    yield fed
            finally:
                reader.shutdown(
                    cancel_futures=True
                )  # whoever stops asking does not wait for further batches

    def _read(self, pool: ThreadPoolExecutor, part: Part) -> Fed:
        keys: Mapping[Cell, str] = {}
        stored: Mapping[Cell, EncodedBatch] = {}
        decoded: list[_Decoded] | None = None
        if self._shelf is not None:
            if self._code is not None:
                contents = self._contents(pool, part, self._code)
            else:
                decoded = self._decode_all(pool, part)
                contents = _pixel_digests(decoded, part)
            keys = {} if contents is None else self._shelf.keys(contents)
            stored = _stored(keys, self._shelf, len(part.images))
            if len(stored) == len(self._shelf.cells) and _agree(stored.values()):
                whole = np.ones(len(part.images), dtype=np.bool_)
                return Fed(
                    part,
                    whole,
                    stored[self._shelf.cells[0]].digests,
                    None,
                    stored,
                    keys,
                )
        return self._fed(part, decoded or self._decode_all(pool, part), keys, stored)

    def _contents(
        self, pool: ThreadPoolExecutor, part: Part, code: bytes
    ) -> Contents | None:
        """None where an image cannot be read."""
        read = cast(KnowsContent, self._dataset).content_digest
        try:
            digests = list(pool.map(read, part.images))
        except FOREIGN:  # decoding the image says why
            return None
        return [
            (int(number), code + digest)
            for number, digest in zip(part.images, digests, strict=True)
        ]

    def _fed(
        self,
        part: Part,
        decoded: Sequence[_Decoded],
        keys: Mapping[Cell, str],
        stored: Mapping[Cell, EncodedBatch],
    ) -> Fed:
        kept = np.array([one.prepared is not None for one in decoded], dtype=np.bool_)
        digests = np.frombuffer(
            b"".join(one.digest for one in decoded), dtype=np.uint8
        ).reshape(-1, DIGEST_BYTES)
        # A shard that saw other pixels is not this batch's, whatever its key says.
        same = {
            cell: one
            for cell, one in stored.items()
            if np.array_equal(one.digests, digests)
        }
        prepared = [one.prepared for one in decoded if one.prepared is not None]
        pixels = None
        if prepared:
            pixels = Pixels(
                stacked(prepared, self._model.name), [one.frame for one in prepared]
            )
        # An image that could not be decoded may be whole tomorrow: nothing is kept of its batch.
        return Fed(
            part,
            kept,
            digests,
            pixels,
            same if kept.all() else {},
            keys if kept.all() else {},
        )

    def _decode_all(self, pool: ThreadPoolExecutor, part: Part) -> list[_Decoded]:
        return list(pool.map(self._decode, part.images))

    def _decode(self, index: np.int64) -> _Decoded:
        name = id_hash(self._dataset.image_ids[int(index)], self._secret)
        try:
            image = open_image(
                self._dataset, int(index), f"the image with id hash {name}"
            )
        except UnreadableImageError:
            if not getattr(self._dataset, "skips_unreadable", False):
                raise
            return _Decoded(None, bytes(DIGEST_BYTES))
        return _Decoded(prepare_image(self._model, image), picture_digest(image))


def picture_digest(image: Image) -> bytes:
    """32 bytes that change with what an image shows: its pixels, and the colours that
    they stand for.
    """
    digest = hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes())
    if image.palette is not None:
        digest.update(
            repr(
                (
                    image.palette.mode,
                    image.getpalette(None),
                    image.info.get("transparency"),
                )
            ).encode()
        )
    return digest.digest()


def _pixel_digests(decoded: Sequence[_Decoded], part: Part) -> Contents | None:
    """Of a data set that does not know its images' content: what they decode to. None
    where one is broken.
    """
    if any(one.prepared is None for one in decoded):
        return None
    return [
        (int(number), one.digest)
        for number, one in zip(part.images, decoded, strict=True)
    ]


def _agree(batches: Iterable[EncodedBatch]) -> bool:
    """Whether all have seen the same pixels."""
    return len({one.digests.tobytes() for one in batches}) == 1


def _stored(
    keys: Mapping[Cell, str], shelf: Shelf, images: int
) -> dict[Cell, EncodedBatch]:
    found = {cell: shelf.load(key, images) for cell, key in keys.items()}
    return {cell: one for cell, one in found.items() if one is not None}


def digests_of(batches: Sequence[Fed]) -> str:
    """SHA-256 (hex) over the digests of all images that could be read, in order."""
    digest = hashlib.sha256()
    for fed in batches:
        digest.update(fed.digests[fed.kept].tobytes())
    return digest.hexdigest()
