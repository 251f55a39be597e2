"""`resampling`: made smaller and larger again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from . import CorruptionEntry
from ._fewer import Cells, cells_of, reduced
from ._presets import Steps
from ._taps import Axis, Taps, axes_of, sampled, taps_at
from ._whole import levels_of, pixels_of
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

_SHARES = Steps(1, (0.5, 0.35, 0.25, 0.18, 0.125))


@dataclass(frozen=True)
class Resampling(ImageCorruption):
    """Made smaller and larger again, both by linear interpolation, as an export of small
    pictures does.

    Of 224 pixels per side 112, 78, 56, 40 and 28 are left at the five steps, which are
    this package's choice. They are of the source: the same for every model. A picture
    with fewer pixels stays as it is.
    """

    family: ClassVar[str] = "resampling"

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w): what is left of the pixels."""
        levels = levels_of(region)
        taps = []
        for number, axis in enumerate(axes_of(region), start=2):
            cells = cells_of(region, axis, severity, _SHARES)
            if cells is not None:
                levels = reduced(levels, cells.triangle_shares(), number)
            taps.append(_enlarging(axis, cells, levels.device))
        return pixels_of(sampled(levels, taps[0], taps[1]))


def _enlarging(axis: Axis, cells: Cells | None, device: torch.device) -> Taps:
    """The taps of an axis' own positions among its cells."""
    if cells is None:
        return taps_at(axis, axis.positions, device)
    middles = (cells.first + np.arange(cells.shown) + 0.5) / cells.count
    return taps_at(Axis(middles, cells.count), axis.positions, device)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Resampling.family,
            summary="made smaller and larger again",
            parameters={},
            build=Resampling,
        )
    )
