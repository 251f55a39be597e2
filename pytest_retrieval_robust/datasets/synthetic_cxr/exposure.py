"""From opacity to grey levels: automatic exposure, tone, window, noise, collimator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .anatomy import Exposure, Pose
from .shapes import Field, texture, unit

_TYPICAL = 0.41
"""A little below the mean opacity of a normal study, so that metal is seldom cut off."""


def expose(density: Field, exposure: Exposure) -> NDArray[np.uint8]:
    """Grey levels of `density`: automatic exposure, tone curve, window, noise.

    As in a detector, the gain follows from what the picture holds, so its mean says
    little about the findings; what is drawn for tone and window makes its histogram say
    little either. Only sums, products and quotients: they round alike on every
    processor.
    """
    rows, columns = density.shape
    down = np.arange(rows, dtype=np.float32)[:, None] / rows - 0.5
    fall = 1 + down * np.float32(exposure.shading)
    gain = np.float32(_TYPICAL * exposure.gain / _mean(density))
    signal = unit(density * fall * gain)
    signal = signal / (signal + np.float32(exposure.tone) * (1 - signal))
    window = np.float32(exposure.white - exposure.black)
    signal = np.float32(exposure.black) + signal * window
    # Quantum noise: the less light came through, the grainier.
    grain = texture("grain", (rows, columns), *exposure.grain) * (0.7 + 0.8 * signal)
    signal += np.float32(exposure.noise) * grain
    grey: NDArray[np.uint8] = np.clip(signal * 235 + 8.5, 0, 255).astype(np.uint8)
    return grey


def _mean(density: Field) -> float:
    """The mean over the square in the middle, which shows the chest at every aspect."""
    rows, columns = density.shape
    side = min(rows, columns)
    top = (rows - side) // 2
    left = (columns - side) // 2
    sample = density[top : top + side : 3, left : left + side : 3]
    # Whole numbers add up to the same sum in every order.
    total = int((np.maximum(sample, 0) * 4096).astype(np.int64).sum())
    return total / (4096 * sample.size)


def collimate(picture: NDArray[np.uint8], pose: Pose) -> NDArray[np.uint8]:
    """Blacken the margins that the collimator shut."""
    collimated = np.zeros_like(picture)
    field = open_field(pose, *picture.shape)
    collimated[field] = picture[field]
    return collimated


def open_field(pose: Pose, rows: int, columns: int) -> tuple[slice, slice]:
    """The rows and columns that the collimator left open."""
    side = min(rows, columns)
    left, right, top, bottom = (round(margin * side) for margin in pose.margins)
    return slice(top, rows - bottom), slice(left, columns - right)
