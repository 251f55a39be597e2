"""OpenCV's grey values and its resize by area, to the last grey level, without OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SLIVER = 1e-3
"""Shares of a pixel that OpenCV leaves out."""
_SCALE = 2048
"""OpenCV's fixed-point weights are multiples of 1 / 2048."""


def grey_of(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W) of a grey or colour image, colour by libpng's truncating 15-bit rule."""
    if image.mode == "L":
        return np.asarray(image)
    red, green, blue = np.asarray(image).astype(np.int64).transpose(2, 0, 1)
    return np.asarray((9797 * red + 19234 * green + 3737 * blue) >> 15).astype(np.uint8)


def by_area(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """OpenCV's INTER_AREA: areas to shrink, its fixed-point bilinear to enlarge.

    Halves are decided by its order of sums and by its precision, so both are kept.
    """
    rows, columns = grey.shape
    if (rows, columns) == (height, width):
        return grey
    if (rows, columns) == (2 * height, 2 * width):
        return _halved(grey)
    if width <= columns and height <= rows:
        return _shrunk(grey, width, height)
    return _enlarged(grey, width, height)


def _halved(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """OpenCV's fast path for one half, which rounds halves up."""
    rows, columns = grey.shape
    squares = grey.reshape(rows // 2, 2, columns // 2, 2)
    sums = squares.sum(axis=(1, 3), dtype=np.uint16)
    return np.asarray((sums + 2) >> 2, dtype=np.uint8)


# Areas


def _shrunk(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    rows, columns = grey.shape
    across = _weighted(grey.T.astype(np.float32), *_shares(columns, width)).T
    levels = np.rint(_weighted(across, *_shares(rows, height)))
    return np.clip(levels, 0, 255).astype(np.uint8)


def _weighted(
    rows: NDArray[np.float32], taps: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sums of weighted rows, tap after tap in float32."""
    total = rows[taps[:, 0]] * weights[:, :1]
    for tap in range(1, taps.shape[1]):
        total += rows[taps[:, tap]] * weights[:, tap : tap + 1]
    return total


def _shares(before: int, after: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each new pixel the source pixels that it covers, and its share of each.

    Unused taps weigh nothing.
    """
    # The division twice, as OpenCV rounds it.
    scale = 1 / (after / before)
    start = (np.arange(after) * scale)[:, None]
    taps = np.floor(start).astype(np.int64) + np.arange(int(np.ceil(scale)) + 1)
    covered = np.minimum(start + scale, taps + 1) - np.maximum(start, taps)
    covered[covered <= _SLIVER] = 0
    # The last pixel may cover less than the others.
    total = np.minimum(scale, before - start)
    return np.clip(taps, 0, before - 1), (covered / total).astype(np.float32)


# Fixed-point bilinear


@dataclass(frozen=True)
class _Neighbours:
    """For each new pixel its two source pixels, and their weights in 2048ths."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    first_weight: NDArray[np.int64]
    second_weight: NDArray[np.int64]


def _enlarged(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    rows, columns = grey.shape
    pixels = grey.astype(np.int64)
    near = _neighbours(columns, width)
    across = (
        pixels[:, near.first] * near.first_weight
        + pixels[:, near.second] * near.second_weight
    )
    # The shifts are those of OpenCV, each with its own truncation.
    near = _neighbours(rows, height)
    above = across[near.first] >> 4
    below = across[near.second] >> 4
    above_weighted = (near.first_weight[:, None] * above) >> 16
    below_weighted = (near.second_weight[:, None] * below) >> 16
    levels = (above_weighted + below_weighted + 2) >> 2
    return np.asarray(np.clip(levels, 0, 255), dtype=np.uint8)


def _neighbours(before: int, after: int) -> _Neighbours:
    enlarged = after / before
    new = np.arange(after)
    # Not before / after, which rounds differently.
    first = np.floor(new * (1 / enlarged)).astype(np.int64)
    share = ((new + 1) - (first + 1) * enlarged).astype(np.float32)
    share = np.where(share <= 0, np.float32(0), share - np.floor(share))
    share[first >= before - 1] = 0
    return _Neighbours(
        first=np.clip(first, 0, before - 1),
        second=np.clip(first + 1, 0, before - 1),
        first_weight=_fixed_point(1 - share),
        second_weight=_fixed_point(share),
    )


def _fixed_point(share: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.asarray(np.rint(share * np.float32(_SCALE)), dtype=np.int64)
