"""`resampling`: made smaller and larger again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from . import CorruptionEntry
from ._fewer import Cells, cells_of, matrix_of, reduced
from ._presets import Steps
from ._shifted import COLUMNS, ROWS
from ._taps import Axis, Taps, axes_of, sampled, taps_at
from ._whole import levels_of, once, pixels_of
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
    rises_by_film: ClassVar[bool] = False

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): what is left of the pixels."""
        rows, columns = once(region, "fewer", lambda: _fewer(region, severity))
        if rows.reducing is None and columns.reducing is None:
            return region.greys
        levels = levels_of(region)
        for number, axis in ((ROWS, rows), (COLUMNS, columns)):
            if axis.reducing is not None:
                levels = reduced(levels, axis.reducing, number)
        return pixels_of(sampled(levels, rows.enlarging, columns.enlarging))


@dataclass(frozen=True, eq=False)
class _Resampled:
    """How an axis is made smaller and larger again."""

    reducing: torch.Tensor | None
    """(m, n) whole weights; None where the axis stays as it is."""
    enlarging: Taps


def _fewer(region: Region, severity: float) -> list[_Resampled]:
    """Both axes, rows first."""
    device = region.shown.device
    return [
        _resampled(axis, cells_of(region, axis, severity, _SHARES), device)
        for axis in axes_of(region)
    ]


def _resampled(axis: Axis, cells: Cells | None, device: torch.device) -> _Resampled:
    if cells is None:
        return _Resampled(None, taps_at(axis, axis.positions, device))
    middles = (cells.first + np.arange(cells.shown) + 0.5) / cells.count
    smaller = Axis(middles, cells.count)
    return _Resampled(
        reducing=matrix_of(cells.triangle_shares(), device),
        enlarging=taps_at(smaller, axis.positions, device),
    )


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
