"""`focus-blur`: a film that lay out of focus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, isqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from . import CorruptionEntry
from ._presets import IMAGENET_C, MEDMNIST_C, ROBUSTMEDCLIP, PresetCorruption, Steps
from ._shifted import COLUMNS, ROWS, padded_by, sum_along
from ._size import scale_of
from ._whole import LEVELS, WEIGHTS, levels_from, levels_of, pixels_of, whole_weights

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

_KERNEL_SIDES = Steps(1, (3, 5, 7, 9, 11))


@dataclass(frozen=True)
class FocusBlur(PresetCorruption):
    """A weighted mean of each pixel's neighbourhood.

    Presets `medmnist-c` and `robustmedclip`: a Gaussian, cut off at a kernel's side k of 3
    to 11 pixels, with the standard deviation 0.15 k + 0.35 that torchvision derives of it.
    Preset `imagenet-c`: a disc with a radius of 3 to 10 pixels (its `defocus_blur`,
    without the smoothing of the disc's edge). Pixels are those of a source of 224 x 224
    pixels; at other sizes the lengths grow with the side.
    """

    family: ClassVar[str] = "focus-blur"
    rises_by_film: ClassVar[bool] = False
    presets: ClassVar = {
        MEDMNIST_C: _KERNEL_SIDES,
        ROBUSTMEDCLIP: _KERNEL_SIDES,
        IMAGENET_C: Steps(0, (3, 4, 6, 8, 10)),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): the blurred pixels."""
        levels = levels_of(region)
        scale = scale_of(region)
        if self.preset == IMAGENET_C:
            return disc_mean(levels, self.parameter(severity) * scale)
        weights = gaussian_weights(self.parameter(severity), scale)
        along_rows = levels_from(sum_along(levels, weights, ROWS))
        return pixels_of(sum_along(along_rows, weights, COLUMNS), WEIGHTS)


@lru_cache(maxsize=64)
def gaussian_weights(side: float, scale: float) -> tuple[float, ...]:
    """Whole weights, an odd number of them, of the Gaussian with a kernel of that side;
    `scale` pixels are one of the published size.
    """
    deviation = (0.15 * side + 0.35) * scale
    radius = (side - 1) / 2 * scale
    reach = ceil(radius)
    distances = np.abs(np.arange(-reach, reach + 1))
    # The last neighbours come in by and by as the radius grows.
    shares = np.exp(-0.5 * (distances / deviation) ** 2)
    shares *= (radius + 1 - distances).clip(0, 1)
    halves = whole_weights(shares)
    # The rounding of sums from one end favours neither side.
    symmetric = (halves + halves[::-1]) // 2
    symmetric[reach] += WEIGHTS - symmetric.sum()
    return tuple(symmetric.tolist())


def disc_mean(levels: torch.Tensor, radius: float) -> torch.Tensor:
    """The mean, on the 0..1 scale, of all pixels whose centres lie within
    `radius` pixels.
    """
    reach = int(radius)
    half_widths = [isqrt(int(radius**2) - row**2) for row in range(reach + 1)]
    height, width = levels.shape[-2:]
    # int32: a disc may have more than 2**12 pixels.
    padded = padded_by(levels, reach, reach).int()
    # The sum of a row's pixels up to a half-width grows by one on either side.
    run = padded.narrow(COLUMNS, reach, width).clone()
    total = run.new_zeros(levels.shape)
    pixels = 0
    for half_width in range(reach + 1):
        if half_width:
            run += padded.narrow(COLUMNS, reach - half_width, width)
            run += padded.narrow(COLUMNS, reach + half_width, width)
        for row in range(-reach, reach + 1):
            if half_widths[abs(row)] == half_width:
                total += run.narrow(ROWS, reach + row, height)
                pixels += 2 * half_width + 1
    mean = total.float().mul_(1 / (LEVELS * pixels))
    return mean.clamp_(max=1)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=FocusBlur.family,
            summary="a film out of focus: a Gaussian or a disc",
            parameters={"preset": str},
            build=FocusBlur,
        )
    )
