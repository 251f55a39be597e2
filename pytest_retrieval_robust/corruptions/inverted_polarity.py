"""`inverted-polarity`: black and white swapped, as a reader that ignores MONOCHROME1
shows a film.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import CorruptionEntry
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class InvertedPolarity(ImageCorruption):
    """Grey values p become 1 - p. A switch: every severity above 0 is the same."""

    family: ClassVar[str] = "inverted-polarity"

    def changed(self, region: Region, severity: float) -> torch.Tensor:  # noqa: ARG002
        """(b, 3, h, w) or (b, 1, h, w): the negative, as bytes where they are bytes."""
        if not region.shown.is_floating_point():
            return region.shown.bitwise_not()
        return 1 - region.greys


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=InvertedPolarity.family,
            summary="black and white swapped (MONOCHROME1 shown as MONOCHROME2)",
            parameters={},
            build=InvertedPolarity,
            is_switch=True,
        )
    )
