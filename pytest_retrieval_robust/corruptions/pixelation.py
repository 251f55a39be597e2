"""`pixelation`: shown by few large pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..core.uploads import upload
from . import CorruptionEntry
from ._fewer import cells_of, reduced
from ._presets import IMAGENET_C, MEDMNIST_C, ROBUSTMEDCLIP, PresetCorruption, Steps
from ._taps import axes_of
from ._whole import levels_of, pixels_of

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
    presets: ClassVar = {
        MEDMNIST_C: Steps(1, (0.30, 0.25, 0.20, 0.15, 0.10)),
        ROBUSTMEDCLIP: Steps(1, (0.8, 0.7, 0.6, 0.5, 0.4)),
        IMAGENET_C: Steps(1, (0.6, 0.5, 0.4, 0.3, 0.25)),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w): the blocks."""
        import torch

        levels = levels_of(region)
        repeats = []
        for number, axis in enumerate(axes_of(region), start=2):
            cells = cells_of(region, axis, severity, self.presets[self.preset])
            if cells is not None:
                levels = reduced(levels, cells.box_shares(), number)
                own_cells = torch.from_numpy(cells.positions.astype(np.int64))
                repeats.append((number, upload(own_cells, levels.device)))
        for number, own_cells in repeats:
            levels = levels.index_select(number, own_cells)
        return pixels_of(levels)


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
