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
from ._whole import values_of
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
    rises_by_film: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise CorruptionError(
                "Expected a share of the side of more than 0 and at most 1, got"
                f" share={self.share!r}. Use 0.2 for a fifth."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): the moved pixels."""
        rows, columns = axes_of(region)

        def moved(number: int, values: torch.Tensor) -> torch.Tensor:
            down, right = direction_of(region.ids[number], region.seed)
            return _moved(
                values,
                _Move(rows, round(down * self.share * severity * rows.length)),
                _Move(columns, round(right * self.share * severity * columns.length)),
            )

        return per_image(values_of(region), moved)


def direction_of(identity: str, seed: int) -> tuple[float, float]:
    """How far an image moves down and to the right, on a circle of radius 1."""
    (word,) = host_words(identity, seed, "shift", 1).tolist()
    angle = word / (1 << WORD_BITS) * 2 * pi
    return sin(angle), cos(angle)


@dataclass(frozen=True, eq=False)
class _Move:
    """A move along an axis by whole pixels: down or to the right where it is positive."""

    axis: Axis
    steps: int

    @property
    def outside(self) -> int:
        """How many pixels show what lies outside of the source."""
        wanted = self.axis.positions - self.steps / self.axis.length
        return int(is_outside(wanted).sum())

    @property
    def padding(self) -> tuple[int, int]:
        """Pixels of black before and after; as many are cut off on the other side."""
        return self.steps, -self.steps


def _moved(values: torch.Tensor, down: _Move, right: _Move) -> torch.Tensor:
    """The values moved along both axes."""
    moves = (right, down)
    # Where no crop hides a part, all that comes in is black.
    if all(move.outside == min(abs(move.steps), move.axis.pixels) for move in moves):
        from torch.nn.functional import pad

        within = [_within(move) for move in moves]
        return pad(values, within[0].padding + within[1].padding)
    for number, move in ((2, down), (3, right)):
        values = _moved_along(values, number, move)
    return values


def _within(move: _Move) -> _Move:
    """The move, by no more than all pixels."""
    pixels = move.axis.pixels
    return _Move(move.axis, max(-pixels, min(move.steps, pixels)))


def _moved_along(values: torch.Tensor, number: int, move: _Move) -> torch.Tensor:
    import torch

    axis = move.axis
    sources = axis.nearest(np.arange(axis.pixels) - move.steps)
    moved = values.index_select(
        number, upload(torch.from_numpy(sources), values.device)
    )
    start = 0 if move.steps > 0 else axis.pixels - move.outside
    moved.narrow(number, start, move.outside).zero_()
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
