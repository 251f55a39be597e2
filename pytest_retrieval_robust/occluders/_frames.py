"""Where the source image lies in a prepared square: which source position each pixel
row and column shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Real
from typing import TYPE_CHECKING, cast

from ..core.encoding import WHOLE, Box, Frame
from ..core.errors import OcclusionError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class View:
    """A square of `height` x `width` pixels and the boxes that source images take in
    it: one, or one per image.

    Always computed in float64 on the host, so that no device rounds a pixel into another cell.
    """

    boxes: tuple[Box, ...]
    height: int
    width: int

    @cached_property
    def rows(self) -> torch.Tensor:
        """(F, H) float64: the relative position in the source of each pixel row's
        centre; in 0..1 where it shows it.
        """
        return self._positions(1, self.height)

    @cached_property
    def columns(self) -> torch.Tensor:
        """(F, W) float64: the same of each pixel column."""
        return self._positions(0, self.width)

    def _positions(self, axis: int, pixels: int) -> torch.Tensor:
        import torch

        start, stop = self._edges(axis)
        centres = torch.arange(pixels, dtype=torch.float64, device="cpu") + 0.5
        return (centres / pixels - start) / (stop - start)

    def _edges(self, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        boxes = torch.tensor(self.boxes, dtype=torch.float64, device="cpu")
        edges = boxes.reshape(-1, 4)
        return edges[:, axis, None], edges[:, axis + 2, None]

    def pixels_at(self, axis: int, positions: torch.Tensor) -> torch.Tensor:
        """(F, ...) int64: the pixel of an axis (0: columns, 1: rows) that shows each
        relative position, or the nearest one that shows the source.
        """
        import torch

        pixels = self.height if axis else self.width
        own_positions = self.rows if axis else self.columns
        inside = (own_positions >= 0) & (own_positions < 1)
        numbers = torch.arange(pixels, device="cpu")
        first = torch.where(inside, numbers, pixels - 1).amin(1)
        last = torch.where(inside, numbers, 0).amax(1)
        # Where no pixel shows the source, `first` lies beyond `last`.
        last = torch.maximum(first, last)

        start, stop = self._edges(axis)
        in_square = start + positions.flatten(1) * (stop - start)
        nearest = (in_square * pixels).floor().to(torch.int64)
        nearest = nearest.clamp(first[:, None], last[:, None])
        return nearest.reshape(positions.shape)

    def landing(self, axis: int, grid: int) -> torch.Tensor:
        """(F, N, grid) int64: where each pixel of an axis lands when its block is laid
        over each block of that axis.
        """
        import torch

        in_blocks = (self.rows if axis else self.columns) * grid
        within_block = (in_blocks - in_blocks.floor())[:, :, None]
        blocks = torch.arange(grid, dtype=torch.float64, device="cpu")
        return self.pixels_at(axis, (blocks + within_block) / grid)

    def fits(self, grid: int) -> bool:
        """Whether each cell of the source is the same whole number of pixels, and the
        source fills the square.
        """
        fills_square = self.boxes == (WHOLE,)
        return fills_square and self.height % grid == 0 and self.width % grid == 0


def cells_of(positions: torch.Tensor, grid: int) -> torch.Tensor:
    """The cell, 0..grid-1, under each relative position; `grid` where it lies outside
    of the source.
    """
    import torch

    inside = (positions >= 0) & (positions < 1)
    numbers = (positions * grid).floor().clamp(0, grid - 1).to(torch.int64)
    return torch.where(inside, numbers, grid)


@lru_cache(maxsize=16)
def cells(view: View, grid: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The cell row of each pixel row (F, H) and the cell column of each pixel column
    (F, W); `grid` means padding.
    """
    rows = cells_of(view.rows, grid).to(device)
    columns = cells_of(view.columns, grid).to(device)
    return rows, columns


def view_of(frame: Frame, images: int, size: int | tuple[int, int]) -> View:
    """The checked view of a batch; `OcclusionError` for boxes that fit neither the
    images nor the sides.
    """
    height, width = _checked_size(size)
    boxes = _boxes_of(frame, images)
    different = dict.fromkeys(boxes)
    # Most data and models have one box for all: then every step is done once per batch.
    if len(different) == 1:
        boxes = list(different)
    return View(tuple(_checked_box(box) for box in boxes), height, width)


def _boxes_of(frame: Frame, images: int) -> list[Box]:
    is_one_box = len(frame) == 4 and isinstance(frame[0], Real)
    if is_one_box:
        return [cast(Box, frame)]
    boxes = [cast(Box, box) for box in frame]
    if len(boxes) != images:
        raise OcclusionError(
            f"Expected one box or one per image, got len(frame)={len(boxes)} for"
            f" {images} images. Give (left, top, right, bottom), or as many of them as"
            " there are ids."
        )
    return boxes


def visible_level(mask: torch.Tensor, frame: Frame) -> float:
    """The share of hidden pixels among those that show the source image, as the model
    sees it; mean over the batch.

    It differs from the hidden share of the source where the model crops, and by the
    rounding of cells to pixels.

    Args:
        mask: (B, 1, H, W) bool, as `mask` gives it.
        frame: The frame that the mask was made for.
    """
    size = (mask.shape[2], mask.shape[3])
    return visible_share(hidden_pixels(mask).cpu(), frame, size)


def hidden_pixels(mask: torch.Tensor) -> torch.Tensor:
    """(B,) int64 where the mask is: how many pixels of each image it hides."""
    return mask.sum(dim=(1, 2, 3))


def visible_share(
    hidden: torch.Tensor, frame: Frame, size: int | tuple[int, int]
) -> float:
    """`visible_level` of the (B,) `hidden_pixels` of a mask of that size, on the host."""
    rows, columns = cells(view_of(frame, len(hidden), size), 1, "cpu")
    # A mask hides no padding, so its pixels need no restriction to the source.
    showing = ((rows == 0).sum(1) * (columns == 0).sum(1)).clamp(min=1)
    shares = hidden.double() / showing.double()
    return float(shares.mean()) if len(shares) else 0.0


def _checked_box(box: Box) -> Box:
    edges = tuple(float(edge) for edge in box)
    if len(edges) == 4 and all(map(math.isfinite, edges)):
        left, top, right, bottom = edges
        if right > left and bottom > top:
            return left, top, right, bottom
    raise OcclusionError(
        "Expected a frame (left, top, right, bottom) with right > left and bottom >"
        f" top, got frame={box!r}. Use (0, 0, 1, 1) where the image fills the square."
    )


def _checked_size(size: int | Sequence[int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    are_sides = all(isinstance(side, int) and side >= 1 for side in sides)
    if len(sides) != 2 or not are_sides:
        raise OcclusionError(
            f"Expected a side or (height, width) in pixels, got size={size!r}. Use 224"
            " or (224, 224)."
        )
    return sides[0], sides[1]
