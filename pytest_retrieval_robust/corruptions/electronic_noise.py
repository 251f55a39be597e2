"""`electronic-noise`: Gaussian noise, as a detector's electronics add it."""

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
class ElectronicNoise(NoiseCorruption):
    """A normal deviate per pixel, of the same standard deviation everywhere.

    The parameter is that deviation, in units of the range from black to white.

    >>> ElectronicNoise(preset="imagenet-c").name
    'electronic-noise(preset=imagenet-c)'
    """

    family: ClassVar[str] = "electronic-noise"
    presets: ClassVar = {
        MEDMNIST_C: Steps(0, (0.04, 0.08, 0.12, 0.18, 0.26)),
        ROBUSTMEDCLIP: Steps(0, (0.04, 0.05, 0.06, 0.07, 0.08)),
        IMAGENET_C: Steps(0, (0.08, 0.12, 0.18, 0.26, 0.38)),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w) or (b, 1, h, w): the pixels with noise."""
        noise = self._kept(region, normal_deviates) * self.parameter(severity)
        return (region.greys + noise).clamp_(0, 1)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=ElectronicNoise.family,
            summary="Gaussian noise, the same in dark and bright parts",
            parameters={"preset": str},
            build=ElectronicNoise,
        )
    )
