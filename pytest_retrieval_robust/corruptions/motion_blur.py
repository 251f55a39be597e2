"""`motion-blur`: a patient who moved, in a direction of each image's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, cos, radians, sin
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..occluders.hashing import WORD_BITS, host_words
from . import CorruptionEntry
from ._presets import IMAGENET_C, PresetCorruption, Steps
from ._shifted import sum_of_copies
from ._size import scale_of
from ._taps import per_image
from ._whole import WEIGHTS, levels_of, pixels_of, whole_weights

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

_DEVIATIONS = Steps(0, (3, 5, 8, 12, 15))
"""In pixels of a source of 224 x 224 pixels, as the radii are."""


@dataclass(frozen=True)
class MotionBlur(PresetCorruption):
    """Each pixel's mean with what lies on one side of it, on a line, weighted by half a
    Gaussian.

    The line leaves the horizontal by -45 to 45 degrees, which follow from the seed and
    the image's id. It is 2 r + 1 pixels long at the published radius r; lengths hold for
    a source of 224 x 224 pixels and grow with the side.
    """

    preset: str = IMAGENET_C

    family: ClassVar[str] = "motion-blur"
    rises_by_film: ClassVar[bool] = False
    presets: ClassVar = {IMAGENET_C: Steps(0, (10, 15, 15, 15, 20))}

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): the blurred pixels."""
        scale = scale_of(region)
        length = 2 * self.parameter(severity) * scale
        deviation = _DEVIATIONS.at(severity) * scale

        def moved(number: int, levels: torch.Tensor) -> torch.Tensor:
            degrees = angle_of(region.ids[number], region.seed)
            return sum_of_copies(levels, line_weights(length, deviation, degrees))

        return pixels_of(per_image(levels_of(region), moved), WEIGHTS)


def angle_of(identity: str, seed: int) -> float:
    """An image's direction in degrees, in [-45, 45)."""
    (word,) = host_words(identity, seed, "motion-blur", 1).tolist()
    return float(word / (1 << WORD_BITS) * 90 - 45)


@lru_cache(maxsize=256)
def line_weights(
    length: float, deviation: float, degrees: float
) -> dict[tuple[int, int], float]:
    """The whole weights of pixels (rows, columns) away on a line of that length."""
    steps = np.arange(ceil(length) + 1)
    shares = np.exp(-0.5 * (steps / deviation) ** 2)
    # The last pixel comes in by and by as the line grows.
    shares *= (length + 1 - steps).clip(0, 1)
    angle = radians(degrees)
    weights: dict[tuple[int, int], float] = {}
    for step, weight in zip(
        steps.tolist(), whole_weights(shares).tolist(), strict=True
    ):
        if weight:
            # Pixels are rounded half down, as in imagecorruptions.
            offset = (ceil(step * sin(angle) - 0.5), ceil(step * cos(angle) - 0.5))
            weights[offset] = weights.get(offset, 0) + weight
    return weights


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=MotionBlur.family,
            summary="a patient who moved, in a direction of each image's own",
            parameters={"preset": str},
            build=MotionBlur,
        )
    )
