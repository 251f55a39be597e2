"""`mirrored`: the film the wrong way round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..core.uploads import upload
from . import CorruptionEntry
from ._taps import axes_of
from ._whole import once, values_of
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
        """(b, c, h, w): the mirrored pixels."""
        sources = once(region, "sources", lambda: _sources(region))
        values = values_of(region)
        if sources is None:
            return values.flip(3)
        return values.index_select(3, sources)


def _sources(region: Region) -> torch.Tensor | None:
    """(w,) which column each column shows; None for all in reverse."""
    import torch

    _, columns = axes_of(region)
    opposite = 1 - columns.positions
    numbers = np.rint((opposite - columns.positions[0]) * columns.length)
    sources = columns.nearest(numbers.astype(np.int64))
    if (sources == np.arange(columns.pixels)[::-1]).all():
        return None
    return upload(torch.from_numpy(sources), region.shown.device)


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
