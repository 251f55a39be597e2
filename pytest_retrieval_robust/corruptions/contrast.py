"""`contrast`: grey values nearer to the image's mean, or further from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import CorruptionError
from . import CorruptionEntry
from ._presets import IMAGENET_C, MEDMNIST_C, ROBUSTMEDCLIP, PresetCorruption, Steps

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

DIRECTIONS = ("down", "up")
_EXACT_BITS = 24
"""A float32 holds whole numbers up to 2**24 exactly."""
RAISED: Mapping[str, Steps] = {
    MEDMNIST_C: Steps(1, (1.1, 1.2, 1.3, 1.4, 1.6)),
    ROBUSTMEDCLIP: Steps(1, (1.1, 1.2, 1.3, 1.4, 1.6)),
}


@dataclass(frozen=True)
class Contrast(PresetCorruption):
    """Distances from the mean grey value of the image, times the parameter.

    `direction` is `down`, the default, or `up`, of which `imagenet-c` has none. The
    mean is that of all channels over the pixels that show the source.

    >>> Contrast(direction="up").name
    'contrast(direction=up)'
    """

    direction: str = "down"

    family: ClassVar[str] = "contrast"
    presets: ClassVar = {
        MEDMNIST_C: Steps(1, (0.9, 0.8, 0.7, 0.6, 0.4)),
        ROBUSTMEDCLIP: Steps(1, (0.9, 0.8, 0.7, 0.6, 0.4)),
        IMAGENET_C: Steps(1, (0.4, 0.3, 0.2, 0.1, 0.05)),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.direction not in DIRECTIONS:
            raise CorruptionError(
                f"Expected direction out of {', '.join(DIRECTIONS)}, got"
                f" direction={self.direction!r}. Choose one of them."
            )
        if self.direction == "up" and self.preset not in RAISED:
            raise CorruptionError(
                f"Expected a preset of raised contrast out of {', '.join(RAISED)}, got"
                f" preset={self.preset!r}. Choose one of them, or direction=down."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w) or (b, 1, h, w): the pixels at that contrast."""
        steps = RAISED if self.direction == "up" else self.presets
        factor = steps[self.preset].at(severity)
        mean = _mean_greys(region.greys)
        return (region.greys - mean).mul_(factor).add_(mean).clamp_(0, 1)


def _mean_greys(pixels: torch.Tensor) -> torch.Tensor:
    """(b, 1, 1, 1) float32. Whole numbers are summed, so that no order or device counts.

    Grey values are rounded so that a float32 holds the sum of a row, 2**-16 for up to
    255 columns.
    """
    import torch

    bits = _EXACT_BITS - pixels.shape[3].bit_length()
    rows = (pixels * (1 << bits)).round_().sum(dim=3)
    total = rows.to(torch.int64).sum(dim=(1, 2)) << (_EXACT_BITS - bits)
    mean = (total // pixels[0].numel()).to(torch.float32) / (1 << _EXACT_BITS)
    return mean[:, None, None, None]


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Contrast.family,
            summary="grey values nearer to their mean, or further from it",
            parameters={"preset": str, "direction": str},
            build=Contrast,
        )
    )
