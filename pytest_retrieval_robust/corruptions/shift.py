"""`shift`: a patient beside the middle of the film."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..core.errors import CorruptionError
from ..core.uploads import upload
from ..occluders.hashing import WORD_BITS, host_words
from . import CorruptionEntry
from ._taps import Axis, axes_of, is_outside, per_image
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class Shift(ImageCorruption):
    """Moved by `share` x severity of the source's sides, in a direction that follows from
    the seed and the image's id.

    By whole pixels of the picture, so that nothing is blurred. What comes in from outside
    of the source is black. The default of a fifth is this package's choice.
    """

    share: float = 0.2

    family: ClassVar[str] = "shift"

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise CorruptionError(
                "Expected a share of the side of more than 0 and at most 1, got"
                f" share={self.share!r}. Use 0.2 for a fifth."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w): the moved pixels."""
        rows, columns = axes_of(region)

        def moved(number: int, pixels: torch.Tensor) -> torch.Tensor:
            down, right = direction_of(region.ids[number], region.seed)
            along_rows = _moved(pixels, rows, down * self.share * severity, 2)
            return _moved(along_rows, columns, right * self.share * severity, 3)

        return per_image(region.pixels, moved)


def direction_of(identity: str, seed: int) -> tuple[float, float]:
    """How far an image moves down and to the right, on a circle of radius 1."""
    (word,) = host_words(identity, seed, "shift", 1).tolist()
    angle = word / (1 << WORD_BITS) * 2 * pi
    return sin(angle), cos(angle)


def _moved(pixels: torch.Tensor, axis: Axis, share: float, number: int) -> torch.Tensor:
    """The pixels moved along an axis by a share of the source, in whole pixels."""
    import torch

    steps = round(share * axis.length)
    if not steps:
        return pixels
    sources = axis.nearest(np.arange(axis.pixels) - steps)
    moved = pixels.index_select(
        number, upload(torch.from_numpy(sources), pixels.device)
    )
    outside = int(is_outside(axis.positions - steps / axis.length).sum())
    start = 0 if steps > 0 else axis.pixels - outside
    moved.narrow(number, start, outside).zero_()
    return moved


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Shift.family,
            summary="a patient beside the middle of the film",
            parameters={"share": float},
            build=Shift,
        )
    )
