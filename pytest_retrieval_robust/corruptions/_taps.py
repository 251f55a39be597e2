"""Looking at other places of the source: two neighbours per axis, weighted by whole
numbers.

What lies outside of the source is black. What a model's crop cut off is unknown, and
shown as the nearest pixel that is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.uploads import upload
from ._whole import WEIGHTS, levels_from

if TYPE_CHECKING:
    import torch

    from .region import Region

Places = NDArray[np.float64]
"""Relative positions in the source: [0, 1) lies within it."""


@dataclass(frozen=True, eq=False)
class Axis:
    """The pixels of a region along one axis."""

    positions: Places
    """(n,) where each pixel's centre lies in the source."""
    length: float
    """The length of the whole source in pixels."""

    @property
    def pixels(self) -> int:
        return len(self.positions)

    def neighbours(self, wanted: Places) -> tuple[NDArray[np.int64], Places]:
        """The pixel before each wanted position, which may be none of the region, and the
        distance from it in pixels.
        """
        numbers = (wanted - self.positions[0]) * self.length
        before = np.floor(numbers)
        return before.astype(np.int64), numbers - before

    def nearest(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers, or those of the nearest pixel of the region."""
        return numbers.clip(0, self.pixels - 1)


@dataclass(frozen=True, eq=False)
class Taps:
    """For each of n places two pixels of an axis, and what each counts."""

    pixels: tuple[torch.Tensor, torch.Tensor]
    """(n,) int64 each."""
    weights: tuple[torch.Tensor, torch.Tensor]
    """(n,) float32 each: whole numbers that add up to `WEIGHTS`, or zeros for black."""


def axes_of(region: Region) -> tuple[Axis, Axis]:
    """The axis of rows and the axis of columns."""
    height, width = region.source_size
    return (
        Axis(region.source_rows.numpy(), height),
        Axis(region.source_columns.numpy(), width),
    )


def is_outside(wanted: Places) -> NDArray[np.bool_]:
    """Whether a position lies outside of the source."""
    return (wanted < 0) | (wanted >= 1)


def taps_at(axis: Axis, wanted: Places, device: torch.device) -> Taps:
    """The taps that show the wanted positions."""
    import torch

    before, distances = axis.neighbours(wanted)
    after_weights = np.rint(distances * WEIGHTS)
    weights = np.stack([WEIGHTS - after_weights, after_weights])
    weights[:, is_outside(wanted)] = 0
    pixels = axis.nearest(np.stack([before, before + 1]))
    on_device = upload(torch.from_numpy(pixels), device)
    weights_on_device = upload(torch.from_numpy(weights.astype(np.float32)), device)
    return Taps(
        pixels=(on_device[0], on_device[1]),
        weights=(weights_on_device[0], weights_on_device[1]),
    )


def sampled(levels: torch.Tensor, rows: Taps, columns: Taps) -> torch.Tensor:
    """(b, c, n, m) the levels at these rows and columns.

    Columns come first: gathering them is slow, and there may be few rows.
    """
    first, second = columns.weights
    along_columns = levels.index_select(3, columns.pixels[0]).mul_(first)
    along_columns += levels.index_select(3, columns.pixels[1]).mul_(second)
    rounded = levels_from(along_columns)
    first, second = rows.weights
    along_both = rounded.index_select(2, rows.pixels[0]).mul_(first[:, None])
    along_both += rounded.index_select(2, rows.pixels[1]).mul_(second[:, None])
    return levels_from(along_both)


def per_image(
    levels: torch.Tensor, change: Callable[[int, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """`change` of each image's number and levels, (1, c, h, w), one after the other."""
    import torch

    images = [
        change(number, levels[number : number + 1]) for number in range(len(levels))
    ]
    return images[0] if len(images) == 1 else torch.cat(images)
