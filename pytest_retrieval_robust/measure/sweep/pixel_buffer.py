"""The pixels of a batch, written by several threads into the memory that is uploaded."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...core.encoding import Prepares, stacked

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from ...occluders import Box


@dataclass(frozen=True, repr=False)
class Pixels:
    """The K readable images of a batch as the model wants them, on the host."""

    stacked: Tensor
    """(K, 3, S, S) uint8 or float32; in pinned memory for a CUDA device, as a rule."""
    frames: Sequence[Box]

    @property
    def nbytes(self) -> int:
        return self.stacked.nbytes


@dataclass(frozen=True, repr=False)
class _OddImage:
    """An image that does not fit into the buffer, because its shape or type differs."""

    pixels: NDArray[Any]
    frame: Box


class PixelBuffer:
    """Memory for `count` images. The first that comes says what an image is like.

    Each image is written by the thread that decoded it, so that nobody stacks them
    again. Memory for a CUDA device is pinned here, and not by the thread that keeps the
    device at work. Torch keeps it for the next batch once the device has copied it.
    """

    def __init__(self, count: int, device: str) -> None:
        self._count = count
        self._is_pinned = device.startswith("cuda")
        self._rows: Tensor | None = None
        self._frames: list[Box | None] = [None] * count
        """None for an image that was not put, because it is broken."""
        self._odd: dict[int, _OddImage] = {}
        self._lock = Lock()

    def put(self, place: int, image: Prepares) -> None:
        """Write an image to its place, 0..count-1; from any thread."""
        pixels = image.pixels
        with self._lock:
            if self._rows is None:
                like = torch.from_numpy(pixels)
                self._rows = self._allocated(like.shape, like.dtype)
        rows = self._rows.numpy()
        self._frames[place] = image.frame
        if pixels.shape == rows.shape[1:] and pixels.dtype == rows.dtype:
            rows[place] = pixels
        else:
            self._odd[place] = _OddImage(pixels, image.frame)

    @property
    def is_filled(self) -> NDArray[np.bool_]:
        """(count,) whether an image was put."""
        return np.array([frame is not None for frame in self._frames], dtype=np.bool_)

    def filled(self, model: str) -> Pixels | None:
        """All images that were put, in the order of their places; None without any.

        Raises:
            ModelError: They differ in shape.
        """
        if self._rows is None:
            return None
        places = [int(place) for place in np.flatnonzero(self.is_filled)]
        frames = [frame for frame in self._frames if frame is not None]
        if self._odd:
            images = [self._image(place) for place in places]
            return Pixels(torch.from_numpy(stacked(images, model)), frames)
        if len(places) == self._count:
            return Pixels(self._rows, frames)
        return Pixels(self._rows[torch.tensor(places, device="cpu")], frames)

    def _image(self, place: int) -> _OddImage:
        odd = self._odd.get(place)
        if odd is not None:
            return odd
        frame = self._frames[place]
        assert self._rows is not None
        assert frame is not None
        return _OddImage(self._rows[place].numpy(), frame)

    def _allocated(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        size = (self._count, *shape)
        if self._is_pinned:
            # Where the host has no more memory to pin, or the device is lost, ordinary
            # memory does: the lane pins it in parts, or reports the device.
            with suppress(RuntimeError):
                return torch.empty(size, dtype=dtype, device="cpu", pin_memory=True)
        return torch.empty(size, dtype=dtype, device="cpu")
