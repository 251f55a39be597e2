"""Prepared images that wait on disk for further models of a run.

Models are measured one after another. Those that prepare images alike need the same
pixels, which then are decoded and prepared once.
"""

from __future__ import annotations

import shutil
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...core.encoding import Box, Prepares
from ...models.preparing import way_of_preparing
from ..embeddings.shards import DIGEST_BYTES
from .decode import DecodedImage
from .spill import Spill, Waiting

if TYPE_CHECKING:
    from ...datasets import RetrievalDataset
    from ...models import DualEncoder

SHARE_OF_DISK = 0.25
"""The largest share of the free disk that a run takes."""
MOST_BYTES = 64 << 30
"""The most beside the embedding store: MIMIC-CXR at 224 x 224 takes 57 GB."""
MOST_TEMPORARY_BYTES = 4 << 30
"""The most in the temporary folder, which may be memory."""

_ABSENT = -1
_UNREADABLE = -2
_CHECKED_EVERY = 64 << 20
"""Bytes that are written before the free disk is looked at again."""


@dataclass(frozen=True, repr=False)
class _Kept:
    """A prepared image that was kept."""

    pixels: NDArray[Any]
    frame: Box


class KeptPictures:
    """The prepared images of one data set, for all ways of preparing that are asked for.

    They are in a file without a name, which only this process can read, and which
    vanishes with it. If the disk is full, or a limit is reached, further images are
    decoded for each model.

    Args:
        dataset: The data set, whose images stay the same as long as this is in use.
        folders: Where the file may be, the first choice first; the temporary folder is
            the last.
        part: The part of the limits below that may be taken, where others of this
            machine take theirs.
    """

    def __init__(
        self,
        dataset: RetrievalDataset,
        folders: Iterable[Path] = (),
        part: float = 1.0,
    ) -> None:
        self.dataset = dataset
        self.takes_more = True
        """Whether images are still put away: not for the last model that may need them."""
        self._folders = list(folders)
        self._part = part
        self._spill = Spill(self._folders)
        self._ways: dict[Hashable, PicturesOfOneWay] = {}
        self._lock = Lock()
        self._written = 0
        self._checked_at = 0
        self._is_full = False
        self._is_closed = False

    def for_model(
        self, model: DualEncoder, dataset: RetrievalDataset
    ) -> PicturesOfOneWay | None:
        """The images of models that prepare like this one.

        None if it is not certain how it prepares, or for another data set.
        """
        way = way_of_preparing(model)
        if way is None or dataset is not self.dataset:
            return None
        with self._lock:
            if way not in self._ways:
                images = len(self.dataset.image_ids)
                self._ways[way] = PicturesOfOneWay(self, images)
            return self._ways[way]

    def close(self) -> None:
        """Remove the file: no model needs it any more."""
        self._is_closed = True
        self._ways.clear()
        self._spill.close()

    # What one way of preparing asks for

    def put(self, record: NDArray[np.uint8]) -> int | None:
        """Where a record was written; None if there is no room."""
        with self._lock:
            if not self.takes_more or self._is_closed:
                return None
            if not self._has_room(record.nbytes):
                return None
            waiting = self._spill.put(record)
            # It stays in memory if it could not be written: there it is not wanted.
            if waiting.in_memory is not None:
                self._is_full = True
                return None
            self._written += record.nbytes
            return waiting.start

    def take(self, start: int, nbytes: int) -> NDArray[np.uint8] | None:
        """A record that was written; None if it cannot be read."""
        if self._is_closed:
            return None
        try:
            return self._spill.take(Waiting((nbytes,), np.dtype(np.uint8), start))
        except OSError:
            # What lies behind that place may be lost too: nothing more is put there.
            self._is_full = True
            return None

    def _has_room(self, nbytes: int) -> bool:
        after = self._written + nbytes
        is_due = after > self._checked_at + _CHECKED_EVERY
        # Once there is no room, there is none later: images of a sweep are read in order.
        if not self._is_full and (is_due or self._checked_at == 0):
            self._checked_at = after
            self._is_full = after > self._limit()
        return not self._is_full

    def _limit(self) -> float:
        """Bytes that may be written, as the disk is now."""
        folder = self._spill.folder
        if folder is None:
            return 0
        most = MOST_BYTES if folder in self._folders else MOST_TEMPORARY_BYTES
        try:
            free = shutil.disk_usage(folder).free
        except OSError:
            return 0
        # This file is no reason to take less.
        return self._part * min(most, SHARE_OF_DISK * (free + self._written))


class PicturesOfOneWay:
    """The images that were prepared in one way. Safe in several threads.

    An image's record is a digest of its content, that of its pixels, its frame, and what
    was prepared.
    """

    def __init__(self, pictures: KeptPictures, images: int) -> None:
        self._pictures = pictures
        self._starts = np.full(images, _ABSENT, dtype=np.int64)
        self._unreadable: dict[int, bytes] = {}
        """The contents of broken images."""
        self._layout: tuple[tuple[int, ...], np.dtype[Any]] | None = None
        """The shape and type of prepared pixels, which are those of all images."""

    def get(self, number: int, content: bytes = b"") -> DecodedImage | None:
        """The image with that number in the data set; None if it is not kept, or has
        another content.
        """
        start = int(self._starts[number])
        if start == _UNREADABLE:
            is_same = self._unreadable[number] == content
            return DecodedImage(None, bytes(DIGEST_BYTES)) if is_same else None
        if start == _ABSENT or self._layout is None:
            return None
        shape, dtype = self._layout
        size = _HEAD_BYTES + int(np.prod(shape)) * dtype.itemsize
        record = self._pictures.take(start, size)
        if record is None or record[:_CONTENT_BYTES].tobytes() != _digest_of(content):
            return None
        return _image_of(record, shape, dtype)

    def put(self, number: int, image: DecodedImage, content: bytes = b"") -> None:
        """Keep an image, if there is room."""
        if image.prepared is None:
            # Its content first: whoever sees that it is unreadable looks it up.
            self._unreadable[number] = content
            self._starts[number] = _UNREADABLE
            return
        pixels = image.prepared.pixels
        if self._layout is None:
            self._layout = (pixels.shape, pixels.dtype)
        # Of a model that does not resize to a fixed square, which is refused later.
        if self._layout != (pixels.shape, pixels.dtype):
            return
        start = self._pictures.put(_record_of(image.digest, image.prepared, content))
        if start is not None:
            self._starts[number] = start


_FRAME_BYTES = 4 * 8
_CONTENT_BYTES = 32
_FRAME_START = _CONTENT_BYTES + DIGEST_BYTES
_HEAD_BYTES = _FRAME_START + _FRAME_BYTES


def _digest_of(content: bytes) -> bytes:
    return sha256(content).digest()


def _record_of(digest: bytes, prepared: Prepares, content: bytes) -> NDArray[np.uint8]:
    frame = np.array(prepared.frame, dtype=np.float64)
    pixels = np.ascontiguousarray(prepared.pixels)
    parts = (
        np.frombuffer(_digest_of(content), dtype=np.uint8),
        np.frombuffer(digest, dtype=np.uint8),
        frame.view(np.uint8),
        pixels.reshape(-1).view(np.uint8),
    )
    return np.concatenate(parts)


def _image_of(
    record: NDArray[np.uint8], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> DecodedImage:
    frame = record[_FRAME_START:_HEAD_BYTES].view(np.float64).tolist()
    pixels = record[_HEAD_BYTES:].view(dtype).reshape(shape)
    left, top, right, bottom = frame
    kept = _Kept(pixels, (left, top, right, bottom))
    digest = record[_CONTENT_BYTES:_FRAME_START].tobytes()
    return DecodedImage(kept, digest)
