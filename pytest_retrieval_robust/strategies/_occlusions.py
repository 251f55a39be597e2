"""Drawing of levels and occlusions. The public functions of the same names check their
arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from ..occluders import WHOLE, Frame, Occluder
from ..occluders.area.blobs import Blobs
from ..occluders.area.border import Border
from ..occluders.area.box import Box
from ..occluders.area.boxes import Boxes
from ..occluders.area.grid import Grid
from ..occluders.area.patches import Patches
from ..occluders.area.side import Side
from ..occluders.fills import CONTENT_FREE

if TYPE_CHECKING:
    import torch
    from hypothesis.strategies import DrawFn
    from hypothesis.vendor.pretty import RepresentationPrinter

    from ..occluders.area import AreaOccluder

FINEST = 32
# Divisors of the usual input sizes: a cell's share of pixels is then its share of area.
_GRIDS = (32, 16, 8, 4, 2, 1)
_CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
_SHAPES = (
    *_CORNERS,
    "left",
    "right",
    "either side",
    "border",
    "box",
    "boxes",
    "grid",
    "blobs",
    "patches",
)
_SEEDS = 2**32 - 1


@dataclass(frozen=True)
class Occlusion:
    """An occluder with a level and a seed, ready to apply. Its `repr` is the call that
    makes it.

    >>> Occlusion(occluder=Patches(grid=4, fill='black'), level=0.25, seed=0)
    Occlusion(occluder=Patches(grid=4, fill='black'), level=0.25, seed=0)
    """

    occluder: Occluder
    level: float
    """The share of the source image's area to hide, or the severity, in [0, 1]."""
    seed: int

    @property
    def share(self) -> float:
        """The share of the source image's area that is hidden: exact to a cell, and the
        same for all images.

        This holds for area occluders. A severity occluder hides another share of each
        image: use `shares`.
        """
        return self.shares(["image"])[0]

    def shares(self, ids: Sequence[str]) -> list[float]:
        """The share of each image's area that is hidden."""
        return self.occluder.shares(ids, self.level, self.seed)

    def apply(
        self, pixels: torch.Tensor, ids: Sequence[str], frame: Frame = WHOLE
    ) -> torch.Tensor:
        """A copy of `pixels`, (B, 3, H, W) floating on the 0..1 scale or uint8, with
        this occlusion.
        """
        return self.occluder.occlude(pixels, ids, self.level, self.seed, frame)

    def mask(
        self,
        ids: Sequence[str],
        size: int | tuple[int, int],
        frame: Frame = WHOLE,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """(B, 1, H, W) bool, true where this occlusion hides a pixel."""
        return self.occluder.mask(ids, self.level, self.seed, size, frame, device)

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:  # noqa: ARG002 - Hypothesis gives it
        """For Hypothesis, which else prints fields that the dataclass's `repr` leaves out."""
        printer.text(repr(self))


@st.composite
def levels(draw: DrawFn, max_level: float) -> float:
    return draw(st.integers(0, int(as_written(max_level) * 100))) / 100


@st.composite
def occlusions(draw: DrawFn, max_share: float) -> Occlusion:
    shape = draw(st.sampled_from(_SHAPES))
    # Cells of the finest grid are drawn, not a level: the rounding of a level could
    # exceed the share, and a failing share stays as large while the shape and the grid
    # become simpler.
    finest = draw(st.integers(0, int(as_written(max_share) * FINEST**2)))
    grid = draw(st.sampled_from(_GRIDS))
    fill = draw(st.sampled_from(CONTENT_FREE))
    occluder = _occluder(draw, shape, grid, fill)
    hidden = finest * grid**2 // FINEST**2
    seed = _seed(draw, shape in _CORNERS, fill)
    return Occlusion(occluder, hidden / grid**2, seed)


@st.composite
def corners(draw: DrawFn, max_share: float) -> Occlusion:
    at = draw(st.sampled_from(_CORNERS))
    hidden = draw(st.integers(1, int(as_written(max_share) * FINEST**2)))
    fill = draw(st.sampled_from(CONTENT_FREE))
    return Occlusion(Box(FINEST, fill, at), hidden / FINEST**2, _seed(draw, True, fill))


def _occluder(draw: DrawFn, shape: str, grid: int, fill: str) -> AreaOccluder:
    if shape in _CORNERS:
        return Box(grid, fill, shape)
    if shape in ("left", "right", "either side"):
        return Side(grid, fill, shape.removesuffix(" side"))
    if shape == "boxes":
        return Boxes(grid, fill, draw(st.integers(1, 8)))
    if shape == "grid":
        return Grid(grid, fill, draw(st.integers(2, max(2, grid))))
    if shape == "blobs":
        return Blobs(grid, fill, draw(st.integers(1, FINEST)))
    plain: dict[str, type[AreaOccluder]] = {
        "border": Border,
        "box": Box,
        "patches": Patches,
    }
    return plain[shape](grid, fill)


def _seed(draw: DrawFn, is_fixed: bool, fill: str) -> int:
    """A corner without noise is the same for all seeds: with fewer choices, it is the
    simplest to shrink to.
    """
    if is_fixed and fill != "noise":
        return 0
    return draw(st.integers(0, _SEEDS))


def as_written(share: float) -> Fraction:
    """The decimal that a share is written as: 0.29 is 29 whole percent, though the float
    lies below.
    """
    return Fraction(str(float(share)))
