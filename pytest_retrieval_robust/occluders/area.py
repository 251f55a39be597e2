"""The base of area occluders: they hide exactly the asked share of the source image, cell by cell.

The occlusion task is that of arXiv 2501.09134; the cells lie in the source image's own coordinates, so that models
which crop, pad or resize differently all have the same part of the patient hidden.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from numbers import Real
from typing import TYPE_CHECKING, ClassVar, cast

from ..errors import OcclusionError
from ..options import call_name
from . import Box, Frame
from .fills import check_fill, filling
from .hashing import check_seed

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class AreaOccluder(ABC):
    """Hides the first `round(level * grid * grid)` cells of an order that a subclass gives for each image.

    By construction it is the identity at level 0, hides every source pixel at 1, is nested in the level for a fixed
    seed, exact to a cell, and bit-identical for every batch split, order, worker and device. A subclass is a frozen
    dataclass that sets `family` and gives `order`; fields that it adds become parameters of the name.

    Args:
        grid: Cells along each side of the source image, 1 to 256.
        fill: `black` (air on a radiograph), `white`, `mean` (of the image's own channels) or `noise`.
    """

    grid: int = 16
    fill: str = "black"

    family: ClassVar[str]

    def __post_init__(self) -> None:
        if not isinstance(self.grid, int) or isinstance(self.grid, bool) or not 1 <= self.grid <= 256:
            raise OcclusionError(
                f"Expected a grid from 1 to 256 cells, got grid={self.grid!r}. Use 16 for the default."
            )
        check_fill(self.fill)

    @abstractmethod
    def order(self, ids: Sequence[str], seed: int, device: torch.device | str) -> torch.Tensor:
        """(B, G, G) int64: for each image, a permutation of 0..G*G-1 that says when each cell is hidden."""

    @property
    def name(self) -> str:
        """The family's name, with the parameters that are not the defaults in alphabetical order."""
        return call_name(self.family, self)

    def hidden_cells(self, level: float) -> int:
        """How many of the `grid * grid` cells `level` hides, halves rounded up; 0.3 means the decimal 0.3."""
        _check_level(level)
        return int((Decimal(str(float(level))) * self.grid**2).to_integral_value(ROUND_HALF_UP))

    def achieved_level(self, level: float) -> float:
        """The share of cells that is hidden when `level` is asked for: within half a cell of it."""
        return self.hidden_cells(level) / self.grid**2

    def mask(
        self,
        ids: Sequence[str],
        level: float,
        seed: int,
        size: int | tuple[int, int],
        frame: Frame,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """Which pixels are hidden.

        Args:
            ids: B image ids.
            level: The share of the source image's area to hide, in [0, 1].
            seed: Which layout of the mask, from 0.
            size: The prepared square's side in pixels, or (height, width).
            frame: The box (left, top, right, bottom) that the source image takes in the square, in relative
                coordinates of the square; one for all images, or one an image.
            device: Where the mask shall lie.

        Returns:
            (B, 1, H, W) bool. A pixel belongs to the cell under its centre; padding is never hidden.

        Raises:
            OcclusionError: A level outside [0, 1], a negative seed, or boxes that fit neither the images nor the sides.
        """
        height, width = _check_size(size)
        boxes = _boxes(frame, len(ids))
        rows, columns = _source_cells(boxes, height, width, self.grid)
        return self._mask(ids, level, seed, rows.to(device), columns.to(device))

    def occlude(
        self,
        pixels: torch.Tensor,
        ids: Sequence[str],
        level: float,
        seed: int,
        frame: Frame,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Hide `level` of each image; pixels outside the mask stay as they are, bit for bit.

        Args:
            pixels: (B, 3, H, W) floating, on the 0..1 scale (a resize may overshoot it). Not changed, unless it is
                also `out`.
            ids: B image ids.
            level: The share of the source image's area to hide, in [0, 1].
            seed: Which layout of the mask, from 0.
            frame: As for `mask`.
            out: A buffer to write to, of the shape, dtype and device of `pixels`.

        Returns:
            (B, 3, H, W), `out` where it was given, else a new tensor.

        Raises:
            OcclusionError: As for `mask`, or where pixels, ids or `out` do not fit together.
        """
        import torch

        _check_pixels(pixels, ids)
        _check_out(out, pixels)
        rows, columns = _source_cells(_boxes(frame, len(ids)), pixels.shape[2], pixels.shape[3], self.grid)
        rows, columns = rows.to(pixels.device), columns.to(pixels.device)
        mask = self._mask(ids, level, seed, rows, columns)
        values = filling(self.fill, pixels, ids, seed, rows < self.grid, columns < self.grid)
        return torch.where(mask, values, pixels, out=out) if out is not None else torch.where(mask, values, pixels)

    def _mask(
        self, ids: Sequence[str], level: float, seed: int, rows: torch.Tensor, columns: torch.Tensor
    ) -> torch.Tensor:
        import torch

        check_seed(seed)
        hidden = self.order(ids, seed, rows.device) < self.hidden_cells(level)
        # One more row and column, never hidden, for the pixels that do not show the source image.
        hidden = torch.nn.functional.pad(hidden, (0, 1, 0, 1), value=False)
        if len(rows) == 1:
            return hidden.index_select(1, rows[0]).index_select(2, columns[0])[:, None]
        return hidden.take_along_dim(rows[:, :, None], 1).take_along_dim(columns[:, None, :], 2)[:, None]


def visible_level(mask: torch.Tensor, frame: Frame) -> float:
    """The share of hidden pixels among those that show the source image, as the model sees it; mean over the batch.

    It differs from `achieved_level` where the model crops, and by the rounding of cells to pixels.

    Args:
        mask: (B, 1, H, W) bool, as `mask` gives it.
        frame: The frame that the mask was made for.
    """
    rows, columns = _source_cells(_boxes(frame, mask.shape[0]), mask.shape[2], mask.shape[3], 1)
    # The mask hides no padding, so its sum needs no restriction to the source.
    shown = ((rows == 0).sum(1) * (columns == 0).sum(1)).clamp(min=1)
    shares = mask.sum(dim=(1, 2, 3)).cpu().double() / shown.double()
    return float(shares.mean()) if len(shares) else 0.0


def _source_cells(boxes: Sequence[Box], height: int, width: int, grid: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The cell row of each pixel row (F, H) and the cell column of each pixel column (F, W); `grid` means padding.

    Always computed in float64 on the host, so that no device rounds a pixel into another cell.
    """
    import torch

    edges = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    left, top, right, bottom = edges[:, :, None].unbind(1)
    return _cells(top, bottom, height, grid), _cells(left, right, width, grid)


def _cells(start: torch.Tensor, stop: torch.Tensor, pixels: int, grid: int) -> torch.Tensor:
    import torch

    centres = (torch.arange(pixels, dtype=torch.float64) + 0.5) / pixels
    position = (centres - start) / (stop - start)
    inside = (position >= 0) & (position < 1)
    cells = (position * grid).floor().clamp(0, grid - 1).to(torch.int64)
    return torch.where(inside, cells, grid)


def _boxes(frame: Frame, images: int) -> list[Box]:
    """The boxes of `frame`: one, or one an image."""
    single = len(frame) == 4 and isinstance(frame[0], Real)
    boxes = [cast(Box, frame)] if single else [cast(Box, box) for box in frame]
    if not single and len(boxes) != images:
        raise OcclusionError(
            f"Expected one box or one an image, got len(frame)={len(boxes)} for {images} images. "
            "Give (left, top, right, bottom), or as many of them as there are ids."
        )
    return [_check_box(box) for box in boxes]


def _check_box(box: Box) -> Box:
    numbers = tuple(float(edge) for edge in box)
    if (
        len(numbers) != 4
        or not all(map(math.isfinite, numbers))
        or numbers[2] <= numbers[0]
        or numbers[3] <= numbers[1]
    ):
        raise OcclusionError(
            f"Expected a frame (left, top, right, bottom) with right > left and bottom > top, got frame={box!r}. "
            "Use (0, 0, 1, 1) where the image fills the square."
        )
    return numbers


def _check_level(level: float) -> None:
    if isinstance(level, bool) or not isinstance(level, Real | Decimal) or not 0 <= level <= 1:
        raise OcclusionError(
            f"Expected a level from 0 to 1, got level={level!r}. Give the share of the image's area: 0.3 for 30 %."
        )


def _check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
        raise OcclusionError(f"Expected a side or (height, width) in pixels, got size={size!r}. Use 224 or (224, 224).")
    return sides


def _check_pixels(pixels: torch.Tensor, ids: Sequence[str]) -> None:
    if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.is_floating_point():
        raise OcclusionError(
            f"Expected floating pixels of shape (B, 3, H, W), got shape={tuple(pixels.shape)} and "
            f"dtype={pixels.dtype}. Divide 8-bit pixels by 255, and repeat grey to three channels."
        )
    if isinstance(ids, str) or len(ids) != len(pixels):
        raise OcclusionError(
            f"Expected one id an image, got len(ids)={len(ids)} for {len(pixels)} images. Give a list of B strings."
        )


def _check_out(out: torch.Tensor | None, pixels: torch.Tensor) -> None:
    if out is None:
        return
    for what in ("shape", "dtype", "device"):
        expected, got = getattr(pixels, what), getattr(out, what)
        if expected != got:
            raise OcclusionError(
                f"Expected out of the pixels' {what} {expected}, got out.{what}={got}. Use torch.empty_like(pixels)."
            )
