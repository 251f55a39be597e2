"""Less contrast: grey values pulled towards the image's mean."""

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
class Contrast(ImageCorruption):
    """Distances from the image's mean grey value, multiplied by 1 - 0.6 x severity."""

    family: ClassVar[str] = "contrast"

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        mean = region.pixels.mean(dim=(1, 2, 3), keepdim=True)
        return (region.pixels - mean) * (1 - 0.6 * severity) + mean


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    entry = CorruptionEntry(
        "contrast", "grey values nearer to their mean", {}, Contrast
    )
    catalogue.add(entry)
