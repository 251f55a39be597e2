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
from ._whole import WEIGHTS, levels_of, once, pixels_of
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

_DEGREES = Steps(0, (2, 5.25, 8.5, 11.75, 15))


_PAIR = 16
"""Bits by which the right one of two levels in an int32 is moved."""


@dataclass(frozen=True, eq=False)
class _Look:
    """Which pairs of neighbours each pixel of a region shows, and what they count."""

    above: torch.Tensor
    """(h * w,) int64: numbers of pairs, row by row, of a region with a margin of 1."""
    below: torch.Tensor
    """(h * w,) the pairs below them."""
    weights: torch.Tensor
    """(4, h * w) int32 that add up to `WEIGHTS`, or zeros for black: of the pair above,
    left and right, and of that below.
    """


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
    rises_by_film: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.degrees <= 45:
            raise CorruptionError(
                "Expected an angle of more than 0 and at most 45 degrees, got"
                f" degrees={self.degrees!r}. Use 15, the largest that was published for"
                " radiographs."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): the turned pixels."""
        import torch

        degrees = _DEGREES.at(severity) * (self.degrees / _DEGREES.published[-1])

        def turned(number: int, levels: torch.Tensor) -> torch.Tensor:
            sign = -1 if turns_left(region.ids[number], region.seed) else 1
            look = once(region, f"turned {sign}", lambda: _look(region, sign * degrees))
            return torch.stack([_seen(channel, look) for channel in levels[0]])[None]

        return pixels_of(per_image(levels_of(region), turned), WEIGHTS)


def _seen(channel: torch.Tensor, look: _Look) -> torch.Tensor:
    """(h, w) sums of the levels of a channel with whole weights."""
    from torch.nn.functional import pad

    framed = pad(channel[None, None], (1, 1, 1, 1), mode="replicate")[0, 0].int()
    # Gathering is what takes time: two neighbours are one number.
    pairs = (framed[:, :-1] | (framed[:, 1:] << _PAIR)).flatten()
    above = pairs.index_select(0, look.above)
    below = pairs.index_select(0, look.below)
    left = (1 << _PAIR) - 1
    total = (above & left).mul_(look.weights[0])
    total += above.bitwise_right_shift_(_PAIR).mul_(look.weights[1])
    total += (below & left).mul_(look.weights[2])
    total += below.bitwise_right_shift_(_PAIR).mul_(look.weights[3])
    return total.float().reshape(channel.shape)


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

    # Rows share out all weights, and each row's columns share out the row's.
    lower = np.rint(from_above * WEIGHTS)
    upper = WEIGHTS - lower
    upper_right = np.rint(upper * from_left)
    lower_right = np.rint(lower * from_left)
    weights = np.stack(
        [upper - upper_right, upper_right, lower - lower_right, lower_right]
    )
    weights[:, is_outside(wanted_rows) | is_outside(wanted_columns)] = 0
    # The margin's row or column is number 0. Beyond it all are like the last one.
    pair_rows = above.clip(-1, rows.pixels - 1) + 1
    pair_columns = left.clip(-1, columns.pixels - 1) + 1
    per_row = columns.pixels + 1
    pairs = pair_rows * per_row + pair_columns
    device = region.shown.device
    return _Look(
        above=upload(torch.from_numpy(pairs), device),
        below=upload(torch.from_numpy(pairs + per_row), device),
        weights=upload(torch.from_numpy(weights.astype(np.int32)), device),
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
