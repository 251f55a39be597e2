"""Where the source image lies in a prepared square: which source position each pixel
row and column shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..core.encoding import WHOLE, Box, Frame
from ..core.errors import OcclusionError
from ..core.uploads import upload
from ..core.words import counted

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True)
class View:
    """A square of `height` x `width` pixels and the boxes that source images take in
    it: one, or one per image.

    Always computed in float64 on the host, so that no device rounds a pixel into another
    cell. What follows from it alone is kept as long as the view is.
    """

    boxes: tuple[Box, ...]
    height: int
    width: int
    _kept: dict[Any, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __hash__(self) -> int:
        # Once: there may be a box per image, and a view is looked up for every level.
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.boxes, self.height, self.width))

    def _keep(self, key: object, make: Callable[[], T]) -> T:
        """What `make` gives, made once. Two threads that make it at once make the same."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    def cells(
        self, grid: int, device: torch.device | str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The cell row of each pixel row (F, H) and the cell column of each pixel
        column (F, W), int64 on the device; `grid` means padding.
        """

        def make() -> tuple[torch.Tensor, torch.Tensor]:
            rows = cells_of(self.rows, grid)
            columns = cells_of(self.columns, grid)
            return upload(rows, device), upload(columns, device)

        return self._keep(("cells", grid, str(device)), make)

    def short_cells(
        self, grid: int, device: torch.device | str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same as int16, which a compiled pass over the pixels reads faster."""

        def make() -> tuple[torch.Tensor, torch.Tensor]:
            rows, columns = self.cells(grid, device)
            return rows.short(), columns.short()

        return self._keep(("short cells", grid, str(device)), make)

    def pixels_of_cells(
        self, grid: int, device: torch.device | str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """How many pixel rows each cell row has, and pixel columns each cell column: (F,
        grid) int64 each.
        """

        def make() -> tuple[torch.Tensor, torch.Tensor]:
            rows, columns = self.cells(grid, "cpu")
            return (
                upload(_counted(rows, grid), device),
                upload(_counted(columns, grid), device),
            )

        return self._keep(("pixels", grid, str(device)), make)

    def inside(self, device: torch.device | str) -> torch.Tensor:
        """(F, 1, H, W) bool on the device: whether a pixel shows the source."""
        rows, columns = self.cells(1, device)
        return ((rows == 0)[:, :, None] & (columns == 0)[:, None, :])[:, None]

    def chosen(self, numbers: Sequence[int], on_device: torch.Tensor) -> View:
        """The view of the images of these numbers, which are also given on the device:
        cells that are known there are looked up, not computed again.
        """
        if len(self.boxes) == 1:
            return self
        boxes = tuple(self.boxes[number] for number in numbers)
        view = View(boxes, self.height, self.width)
        device = str(on_device.device)
        for key, value in list(self._kept.items()):
            if key[0] == "cells" and key[2] == device:
                rows, columns = value
                view._kept[key] = (
                    rows.index_select(0, on_device),
                    columns.index_select(0, on_device),
                )
        return view

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


def _counted(cells: torch.Tensor, grid: int) -> torch.Tensor:
    """(F, grid): how often each cell occurs in (F, N) numbers of cells."""
    counts = cells.new_zeros((len(cells), grid + 1))
    # The last one counts padding.
    return counts.scatter_add_(1, cells, cells.new_ones(cells.shape))[:, :grid]


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
    return _same_view(View(tuple(_checked_box(box) for box in boxes), height, width))


@lru_cache(maxsize=16)
def _same_view(view: View) -> View:
    """The first of several equal views, which keeps what was computed of it."""
    return view


def _boxes_of(frame: Frame, images: int) -> list[Box]:
    is_one_box = len(frame) == 4 and isinstance(frame[0], Real)
    if is_one_box:
        return [cast(Box, frame)]
    boxes = [cast(Box, box) for box in frame]
    if len(boxes) != images:
        raise OcclusionError(
            f"Expected one box or one per image, got len(frame)={len(boxes)} for"
            f" {counted(images, 'image')}. Give (left, top, right, bottom), or as many of them as"
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
    # The mask hides no padding, so its sum needs no restriction to the source.
    return visible_level_of(mask.sum(dim=(1, 2, 3)), frame, size)


def visible_level_of(
    hidden_pixels: torch.Tensor, frame: Frame, size: int | tuple[int, int]
) -> float:
    """`visible_level` of images of which so many pixels are hidden, (B,)."""
    rows, columns = view_of(frame, len(hidden_pixels), size).cells(1, "cpu")
    showing = ((rows == 0).sum(1) * (columns == 0).sum(1)).clamp(min=1)
    shares = hidden_pixels.cpu().double() / showing.double()
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
