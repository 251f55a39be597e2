"""`quantum-noise`: Poisson noise, as too few photons leave it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..core.uploads import upload
from . import CorruptionEntry
from ._noise import NoiseCorruption, uniform_words
from ._presets import IMAGENET_C, MEDMNIST_C, ROBUSTMEDCLIP, Steps

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

_GREYS = 255
_QUANTILE_BITS = 12


def _of_photons(*photons: float) -> Steps:
    """Steps of the noise's deviation at white, of the photons that make white."""
    one, two, three, four, five = (count**-0.5 for count in photons)
    return Steps(0, (one, two, three, four, five))


@dataclass(frozen=True)
class QuantumNoise(NoiseCorruption):
    """Photons that are counted: a grey value p of N expected photons at white has mean p
    and variance p / N before it is cut at white.

    Each pixel's count is drawn once, at the photons of severity 1, where its law is
    Poisson's. A lower severity has the same deviation, scaled to the variance of its
    own photons: mean and variance are Poisson's, while the values are not whole counts,
    and the skewness is that of severity 1. So no pixel is ever nearer to the clean one
    at a higher severity, and none falls below black.

    The presets publish photons at white: 60, 25, 18, 10 and 5 in `medmnist-c`. Between
    steps the deviation 1 / sqrt(N) is linear, from 0 at severity 0.
    """

    family: ClassVar[str] = "quantum-noise"
    presets: ClassVar = {
        MEDMNIST_C: _of_photons(60, 25, 18, 10, 5),
        ROBUSTMEDCLIP: _of_photons(300, 200, 150, 100, 80),
        IMAGENET_C: _of_photons(60, 25, 12, 5, 3),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w) or (b, 1, h, w): the pixels with noise."""
        import torch

        strongest = self.parameter(1)
        photons = round(strongest**-2)
        drawn = self._kept(region, uniform_words)
        # The lower half rounds the grey value up or down, so that its mean is kept; the
        # upper half draws the count.
        rounding = (drawn & 0xFFFF).to(torch.float32) / (1 << 16)
        quantile = (drawn >> (32 - _QUANTILE_BITS)) + (1 << (_QUANTILE_BITS - 1))
        greys = (region.greys * _GREYS).add_(rounding).to(torch.int32)
        places = (greys << _QUANTILE_BITS).add_(quantile).flatten()
        table = upload(torch.from_numpy(_counts(photons)), places.device)
        counted = table.index_select(0, places).reshape(greys.shape).float()
        deviation = counted.div_(photons).sub_(region.greys)
        scale = self.parameter(severity) / strongest
        return deviation.mul_(scale).add_(region.greys).clamp_(0, 1)


@lru_cache(maxsize=8)
def _counts(photons: int) -> NDArray[np.uint8]:
    """(256 * 4096,) Poisson's quantiles of (i + 0.5) / 4096 for each of 256 expectations
    from 0 to `photons`.
    """
    expected = np.arange(_GREYS + 1) / _GREYS * photons
    probability = np.exp(-expected)
    below = probability.copy()
    quantiles = (np.arange(1 << _QUANTILE_BITS) + 0.5) / (1 << _QUANTILE_BITS)
    counts = np.zeros((len(expected), len(quantiles)), dtype=np.uint8)
    # More than a count of this many is never drawn.
    for count in range(1, int(photons + 10 * photons**0.5) + 10):
        counts += quantiles[None] > below[:, None]
        probability = probability * expected / count
        below += probability
    return counts.reshape(-1)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=QuantumNoise.family,
            summary="Poisson noise of too few photons, weakest in the dark",
            parameters={"preset": str},
            build=QuantumNoise,
        )
    )
