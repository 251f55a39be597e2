"""Small JPEG files of what a model sees."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.encoding import open_image

if TYPE_CHECKING:
    from torch import Tensor

    from ...datasets import RetrievalDataset

SIDE = 160
"""Pixels along each side of a picture at most: it is looked at, not diagnosed."""
_QUALITY = 75


def picture(pixels: Tensor) -> bytes:
    """A small JPEG of an image, (3, H, W) on the 0..1 scale, which a resize may have overshot."""
    scaled = pixels.detach().float().nan_to_num(0.0).clamp(0, 1).mul(255)
    values = scaled.round().byte().permute(1, 2, 0)
    return _jpeg(values.cpu().numpy())


def mean_image(dataset: RetrievalDataset, numbers: Sequence[int]) -> bytes:
    """The mean of these images, each as it lies on disk but made a square.

    The cells of a sensitivity map divide the square as they divide each image.
    """
    from PIL import Image

    total = np.zeros((SIDE, SIDE, 3))
    for number in numbers:
        image = open_image(dataset, number, f"its image number {number}")
        square = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
        total += np.asarray(square)
    return _jpeg(np.rint(total / len(numbers)).astype(np.uint8))


def _jpeg(values: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) as a small JPEG file, grey where it is grey."""
    from PIL import Image

    is_grey = bool((values == values[..., :1]).all())
    image = Image.fromarray(values[..., 0] if is_grey else values)
    image.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return stream.getvalue()
