"""`mirrored`: the film the wrong way round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..core.uploads import upload
from . import CorruptionEntry
from ._taps import axes_of
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class Mirrored(ImageCorruption):
    """Left and right exchanged about the middle of the source, by whole pixels.

    A switch: every severity above 0 is the same. Where a model's crop shows more of one
    side than of the other, what it cut off is shown as the nearest column.
    """

    family: ClassVar[str] = "mirrored"

    def changed(self, region: Region, severity: float) -> torch.Tensor:  # noqa: ARG002
        """(b, 3, h, w): the mirrored pixels."""
        import torch

        _, columns = axes_of(region)
        opposite = 1 - columns.positions
        numbers = np.rint((opposite - columns.positions[0]) * columns.length)
        sources = columns.nearest(numbers.astype(np.int64))
        if (sources == np.arange(columns.pixels)[::-1]).all():
            return region.pixels.flip(3)
        on_device = upload(torch.from_numpy(sources), region.shown.device)
        return region.pixels.index_select(3, on_device)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Mirrored.family,
            summary="the film the wrong way round",
            parameters={},
            build=Mirrored,
            is_switch=True,
        )
    )
