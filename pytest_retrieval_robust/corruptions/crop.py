"""`crop`: the margins cut off, and the rest enlarged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import CorruptionError
from ..occluders.hashing import WORD_BITS, host_words
from . import CorruptionEntry
from ._taps import Axis, Taps, axes_of, per_image, sampled, taps_at
from ._whole import levels_of, pixels_of
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class Crop(ImageCorruption):
    """`share` x severity of the source's sides is cut off, and the rest is enlarged to
    its place by linear interpolation.

    How much of it is cut off on which side follows from the seed and the image's id. What
    is cut off at one severity is also cut off at every higher one. The default of 0.4 is
    this package's choice.
    """

    share: float = 0.4

    family: ClassVar[str] = "crop"
    rises_by_film: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.9:
            raise CorruptionError(
                "Expected a share of the side of more than 0 and at most 0.9, got"
                f" share={self.share!r}. Use 0.4 for two fifths."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): what is left, enlarged."""
        cut = self.share * severity
        device = region.shown.device
        rows, columns = axes_of(region)

        def taps(axis: Axis, before: float) -> Taps:
            return taps_at(axis, cut * before + axis.positions * (1 - cut), device)

        def cropped(number: int, levels: torch.Tensor) -> torch.Tensor:
            above, left = sides_of(region.ids[number], region.seed)
            return sampled(levels, taps(rows, above), taps(columns, left))

        return pixels_of(per_image(levels_of(region), cropped))


def sides_of(identity: str, seed: int) -> tuple[float, float]:
    """Which shares of what an image loses are above and on the left."""
    above, left = (host_words(identity, seed, "crop", 2) / (1 << WORD_BITS)).tolist()
    return above, left


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Crop.family,
            summary="the margins cut off, and the rest enlarged",
            parameters={"share": float},
            build=Crop,
        )
    )
