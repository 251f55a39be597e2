"""`rotation`: a film or a patient at an angle."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..core.errors import CorruptionError
from ..core.uploads import upload
from ..occluders.hashing import host_words
from . import CorruptionEntry
from ._presets import Steps
from ._taps import axes_of, is_outside, per_image
from ._whole import WEIGHTS, levels_of, pixels_of, whole_weights
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

_DEGREES = Steps(0, (2, 5.25, 8.5, 11.75, 15))


@dataclass(frozen=True, eq=False)
class _Look:
    """Which four pixels of a region each pixel shows, and what each counts."""

    pixels: torch.Tensor
    """(4, h * w) int64: numbers of pixels, row by row."""
    weights: torch.Tensor
    """(4, h * w) float32: whole numbers that add up to `WEIGHTS`, or zeros for black."""


@dataclass(frozen=True)
class Rotation(ImageCorruption):
    """Turned about the middle of the source, to the left or to the right as the seed and
    the image's id say, by linear interpolation.

    At the five steps by 2, 5.25, 8.5, 11.75 and 15 degrees, or in proportion where
    `degrees` names another angle for severity 1. What comes in from outside of the source
    is black. A model that squeezes films to a square turns the squeezed film.
    """

    degrees: float = 15.0

    family: ClassVar[str] = "rotation"

    def __post_init__(self) -> None:
        if not 0 < self.degrees <= 45:
            raise CorruptionError(
                "Expected an angle of more than 0 and at most 45 degrees, got"
                f" degrees={self.degrees!r}. Use 15, the largest that was published for"
                " radiographs."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w): the turned pixels."""
        import torch

        degrees = _DEGREES.at(severity) * (self.degrees / _DEGREES.published[-1])
        # Blocks of a region share what they look at.
        looks: dict[bool, _Look] = region.shared.setdefault(f"turned by {degrees}", {})

        def turned(number: int, levels: torch.Tensor) -> torch.Tensor:
            to_left = turns_left(region.ids[number], region.seed)
            look = looks.get(to_left)
            if look is None:
                look = _look(region, -degrees if to_left else degrees)
                looks[to_left] = look
            flat = levels.flatten(2)
            total = torch.zeros_like(flat)
            for pixels, weights in zip(look.pixels, look.weights, strict=True):
                total += flat.index_select(2, pixels).mul_(weights)
            return total.reshape(levels.shape)

        return pixels_of(per_image(levels_of(region), turned), WEIGHTS)


def turns_left(identity: str, seed: int) -> bool:
    """Whether an image turns counter-clockwise."""
    (word,) = host_words(identity, seed, "rotation", 1).tolist()
    return bool(word & 1)


def _look(region: Region, degrees: float) -> _Look:
    """Where pixels of a picture come from that is turned clockwise by so many degrees."""
    import torch

    rows, columns = axes_of(region)
    down = (rows.positions - 0.5)[:, None] * rows.length
    right = (columns.positions - 0.5)[None] * columns.length
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    wanted_rows = ((down * cosine - right * sine) / rows.length + 0.5).ravel()
    wanted_columns = ((right * cosine + down * sine) / columns.length + 0.5).ravel()
    above, from_above = rows.neighbours(wanted_rows)
    left, from_left = columns.neighbours(wanted_columns)

    shares = np.stack(
        [
            (1 - from_above) * (1 - from_left),
            (1 - from_above) * from_left,
            from_above * (1 - from_left),
            from_above * from_left,
        ],
        axis=-1,
    )
    weights = whole_weights(shares)
    weights[is_outside(wanted_rows) | is_outside(wanted_columns)] = 0
    top, bottom = (rows.nearest(above + n) * columns.pixels for n in (0, 1))
    before, after = (columns.nearest(left + n) for n in (0, 1))
    pixels = np.stack([top + before, top + after, bottom + before, bottom + after])
    device = region.shown.device
    of_taps = np.ascontiguousarray(weights.T, dtype=np.float32)
    return _Look(
        pixels=upload(torch.from_numpy(pixels), device),
        weights=upload(torch.from_numpy(of_taps), device),
    )


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Rotation.family,
            summary="a film at an angle, to the left or to the right",
            parameters={"degrees": float},
            build=Rotation,
        )
    )
