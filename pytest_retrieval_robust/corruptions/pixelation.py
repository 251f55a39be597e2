"""`pixelation`: shown by few large pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..core.uploads import upload
from . import CorruptionEntry
from ._fewer import cells_of, matrix_of, reduced
from ._presets import IMAGENET_C, MEDMNIST_C, ROBUSTMEDCLIP, PresetCorruption, Steps
from ._shifted import COLUMNS, ROWS
from ._taps import axes_of
from ._whole import levels_of, once, pixels_of

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class Pixelation(PresetCorruption):
    """Square blocks of the source, each of its mean grey value.

    The parameter is the share of pixels that is left per side, of a source of 224 x 224
    pixels: 0.25 is 56 blocks per side for every model. A picture with fewer pixels than
    blocks stays as it is.
    """

    family: ClassVar[str] = "pixelation"
    rises_by_film: ClassVar[bool] = False
    presets: ClassVar = {
        MEDMNIST_C: Steps(1, (0.30, 0.25, 0.20, 0.15, 0.10)),
        ROBUSTMEDCLIP: Steps(1, (0.8, 0.7, 0.6, 0.5, 0.4)),
        IMAGENET_C: Steps(1, (0.6, 0.5, 0.4, 0.3, 0.25)),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): the blocks."""
        blocks = once(region, "blocks", lambda: self._blocks(region, severity))
        if not blocks:
            return region.greys
        levels = levels_of(region)
        for one in blocks:
            levels = reduced(levels, one.means, one.axis)
        # Columns come first: there are still few rows.
        for one in reversed(blocks):
            levels = levels.index_select(one.axis, one.numbers)
        return pixels_of(levels)

    def _blocks(self, region: Region, severity: float) -> list[_Blocks]:
        """The blocks along each axis that has more pixels than blocks."""
        steps = self.presets[self.preset]
        device = region.shown.device
        blocks = []
        for number, axis in zip((ROWS, COLUMNS), axes_of(region), strict=True):
            cells = cells_of(region, axis, severity, steps)
            if cells is not None:
                means = matrix_of(cells.box_shares(), device)
                numbers = _whole_parts(cells.positions, device)
                blocks.append(_Blocks(number, means, numbers))
        return blocks


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The blocks along an axis."""

    axis: int
    means: torch.Tensor
    """(m, n) whole weights: what each of the n pixels counts for each of the m blocks."""
    numbers: torch.Tensor
    """(n,) int64: in which block each pixel lies."""


def _whole_parts(positions: NDArray[np.float64], device: torch.device) -> torch.Tensor:
    """The whole parts of positions, on the device."""
    import torch

    return upload(torch.from_numpy(positions.astype(np.int64)), device)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Pixelation.family,
            summary="shown by few large pixels",
            parameters={"preset": str},
            build=Pixelation,
        )
    )
