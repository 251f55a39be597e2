"""Rectangles that grow one row or column at a time from a single cell to the whole
image, in whole numbers.

A rectangle grows by the row or the column that keeps it nearest to its aspect, and that
tends to the image's own as the rectangle fills the image (the aspects are those of
random erasing, arXiv 1708.04896). It may lie anywhere that it fits: a "pin" from 0 to 1
along each side says where, and a rectangle at a pin contains every smaller one at that
pin.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ...core.uploads import upload
from ..hashing import places

if TYPE_CHECKING:
    import torch

PIN_BITS = 32
# Evenly spaced in the logarithm from 0.3 to 3.3, as random erasing draws them; the
# middle one is the image's own.
ASPECTS = (0.30, 0.37, 0.45, 0.55, 0.67, 0.82, 1.0, 1.22, 1.49, 1.82, 2.22, 2.71, 3.3)
OWN_ASPECT = ASPECTS.index(1.0)


def growth(
    grid: int, aspects: torch.Tensor, across: torch.Tensor, down: torch.Tensor
) -> torch.Tensor:
    """(N, G, G) int64: the step at which each cell becomes part of N growing
    rectangles; 2 G - 2 is the last.

    Args:
        grid: G, cells along each side.
        aspects: (N,) int64 numbers into `ASPECTS`.
        across: (N,) int64 pins along the width, in [0, 2**32).
        down: (N,) int64 pins along the height.
    """
    widths, heights = (upload(steps, aspects.device) for steps in _steps(grid))
    columns = widths.index_select(0, aspects).gather(1, _lengths(grid, across))
    rows = heights.index_select(0, aspects).gather(1, _lengths(grid, down))
    return columns[:, None, :].maximum(rows[:, :, None])


def in_order(times: torch.Tensor) -> torch.Tensor:
    """(B, G, G) int64: a permutation of the cells by their times; those of one time go
    in reading order.
    """
    import torch

    by_cell = times.flatten(1)
    count = by_cell.shape[1]
    # The cell's number makes each key unique, so that no sort has a tie to break.
    keys = by_cell * count + torch.arange(count, device=by_cell.device)
    return places(keys).reshape(times.shape)


def _lengths(grid: int, pins: torch.Tensor) -> torch.Tensor:
    """(N, G): one less than the least length at which a stretch at the pin covers each cell."""
    import torch

    lengths = torch.arange(1, grid + 1, device=pins.device)
    # A stretch has one start more than it has room to move. Pins stay below 1, so the
    # highest ones put it at the far edge.
    starts = ((grid - lengths + 1) * pins[:, None]) >> PIN_BITS
    cells = torch.arange(grid, device=pins.device)
    covered = (starts[:, :, None] <= cells) & (cells < (starts + lengths)[:, :, None])
    return (~covered).sum(1)


@lru_cache(maxsize=8)
def _steps(grid: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(A, G) each: for every aspect, the step at which a rectangle reaches each width,
    and each height.
    """
    import torch

    paths = [_path(grid, aspect) for aspect in ASPECTS]
    widths, heights = zip(*paths, strict=True)
    return torch.tensor(widths, device="cpu"), torch.tensor(heights, device="cpu")


def _path(grid: int, aspect: float) -> tuple[list[int], list[int]]:
    """The steps at which a rectangle of that aspect reaches each width, and each height.

    Sums, products and quotients alone: these round alike on every processor.
    """
    widths = [0]
    heights = [0]
    for step in range(1, 2 * grid - 1):
        width = len(widths)
        height = len(heights)
        goal = _goal(aspect, 1 - width * height / grid**2)
        too_narrow = (width + 0.5) < goal * (height + 0.5)
        if height == grid or (width < grid and too_narrow):
            widths.append(step)
        else:
            heights.append(step)
    return widths, heights


def _goal(aspect: float, free: float) -> float:
    """The aspect of a rectangle that leaves a share `free` of the image."""
    if aspect >= 1:
        return 1 + (aspect - 1) * free
    return 1 / (1 + (1 / aspect - 1) * free)
