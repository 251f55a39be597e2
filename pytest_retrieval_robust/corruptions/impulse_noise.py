"""`impulse-noise`: salt and pepper, as dead pixels and bad transfers leave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import CorruptionEntry
from ._noise import NoiseCorruption, uniform_words
from ._presets import IMAGENET_C, MEDMNIST_C, ROBUSTMEDCLIP, Steps

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class ImpulseNoise(NoiseCorruption):
    """Pixels that turn black or white, each with the same chance.

    The parameter is the share of pixels that do. Those of a severity are among those of
    every higher one.
    """

    family: ClassVar[str] = "impulse-noise"
    presets: ClassVar = {
        MEDMNIST_C: Steps(0, (0.01, 0.03, 0.06, 0.09, 0.17)),
        ROBUSTMEDCLIP: Steps(0, (0.005, 0.01, 0.013, 0.017, 0.02)),
        IMAGENET_C: Steps(0, (0.03, 0.06, 0.09, 0.17, 0.27)),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w) or (b, 1, h, w): the pixels with salt and pepper."""
        import torch

        drawn = self._kept(region, uniform_words)
        # Pepper is drawn from the lower end of the words, salt from the upper one.
        half = max(1, round(self.parameter(severity) / 2 * 2**32))
        salt = (drawn >= 2**31 - half).to(torch.float32)
        not_pepper = (drawn >= half - 2**31).to(torch.float32)
        return torch.maximum(region.greys, salt).minimum(not_pepper)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=ImpulseNoise.family,
            summary="salt and pepper: pixels that turn black or white",
            parameters={"preset": str},
            build=ImpulseNoise,
        )
    )
