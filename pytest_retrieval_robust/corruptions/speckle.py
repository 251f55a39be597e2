"""`speckle`: Gaussian noise in proportion to the grey value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import CorruptionEntry
from ._noise import NoiseCorruption, normal_deviates
from ._presets import IMAGENET_C, MEDMNIST_C, ROBUSTMEDCLIP, Steps

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class Speckle(NoiseCorruption):
    """Each pixel times 1 and a normal deviate.

    The parameter is the standard deviation of that deviate.
    """

    family: ClassVar[str] = "speckle"
    presets: ClassVar = {
        MEDMNIST_C: Steps(0, (0.05, 0.15, 0.2, 0.35, 0.45)),
        ROBUSTMEDCLIP: Steps(0, (0.05, 0.07, 0.1, 0.15, 0.2)),
        IMAGENET_C: Steps(0, (0.15, 0.2, 0.35, 0.45, 0.6)),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w) or (b, 1, h, w): the pixels with speckle."""
        factors = self._kept(region, normal_deviates) * self.parameter(severity)
        return (region.greys * factors).add_(region.greys).clamp_(0, 1)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Speckle.family,
            summary="Gaussian noise in proportion to the grey value",
            parameters={"preset": str},
            build=Speckle,
        )
    )
