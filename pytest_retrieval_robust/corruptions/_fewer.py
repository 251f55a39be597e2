"""A source shown by fewer pixels: means over the source's own cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.uploads import upload
from ._shifted import ROWS
from ._size import PUBLISHED_SIDE, side_of
from ._taps import Axis
from ._whole import levels_from, whole_weights

if TYPE_CHECKING:
    import torch

    from ._presets import Steps
    from .region import Region


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of an axis of the source that a region shows."""

    axis: Axis
    count: int
    """How many cells the whole source has along the axis."""

    @property
    def positions(self) -> NDArray[np.float64]:
        """(n,) each pixel's centre, in cells from the first one that is shown."""
        return self.axis.positions * self.count - self.first

    @property
    def first(self) -> int:
        return int(self.axis.positions[0] * self.count)

    @property
    def shown(self) -> int:
        """How many cells the region shows, in whole or in part."""
        return int(self.axis.positions[-1] * self.count) - self.first + 1

    def box_shares(self) -> NDArray[np.float64]:
        """(shown, n) which share of each pixel lies in each cell."""
        cells = np.arange(self.shown)[:, None]
        half = self.count / self.axis.length / 2
        starts = np.maximum(self.positions - half, cells)
        ends = np.minimum(self.positions + half, cells + 1)
        return (ends - starts).clip(0)

    def triangle_shares(self) -> NDArray[np.float64]:
        """(shown, n) how near each pixel lies to the middle of each cell: 1 there, and 0
        from the middle of the next one on.
        """
        middles = np.arange(self.shown)[:, None] + 0.5
        return (1 - np.abs(self.positions - middles)).clip(0)


def cells_of(region: Region, axis: Axis, severity: float, steps: Steps) -> Cells | None:
    """The cells of an axis at a severity; None where they would be smaller than pixels.

    The parameter is the share of 224 pixels that is left per side.
    """
    side = side_of(region)
    # From the picture's own pixels, where it has more, down to the first step.
    start = max(steps.identity, side / PUBLISHED_SIDE)
    share = type(steps)(start, steps.published).at(severity)
    count = max(1, int(share * PUBLISHED_SIDE * (axis.length / side)))
    return Cells(axis, count) if count < axis.length else None


def matrix_of(shares: NDArray[np.float64], device: torch.device) -> torch.Tensor:
    """(m, n) shares as whole weights, for `reduced`."""
    import torch

    weights = torch.from_numpy(whole_weights(shares))
    # A GPU may be told to multiply matrices of float32 with fewer bits.
    dtype = torch.float64 if device.type == "cuda" else torch.float32
    return upload(weights.to(dtype), device)


def reduced(levels: torch.Tensor, matrix: torch.Tensor, axis: int) -> torch.Tensor:
    """The n levels along an axis times an (m, n) matrix of whole weights, as m levels."""
    operand = levels.to(matrix.dtype)
    product = matrix @ operand if axis == ROWS else operand @ matrix.T
    return levels_from(product).float()
