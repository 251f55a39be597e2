"""Blurs: sums of a picture's shifted copies, weighted by whole numbers.

Beyond its edge a picture goes on as its last row or column does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

ROWS = 2
COLUMNS = 3


def sum_along(
    levels: torch.Tensor, weights: Sequence[float], axis: int
) -> torch.Tensor:
    """(b, c, h, w) each pixel's neighbours along an axis, times an odd number of weights
    whose middle is the pixel's own.
    """
    reach = len(weights) // 2
    length = levels.shape[axis]
    padded = padded_by(levels, *((reach, 0) if axis == ROWS else (0, reach)))
    total = padded.narrow(axis, 0, length) * weights[0]
    for start, weight in enumerate(weights[1:], start=1):
        if weight:
            total.add_(padded.narrow(axis, start, length), alpha=weight)
    return total


def sum_of_copies(
    levels: torch.Tensor, weights: dict[tuple[int, int], float]
) -> torch.Tensor:
    """(b, c, h, w) the pixels that lie (rows, columns) away from each, times weights."""
    import torch

    height, width = levels.shape[-2:]
    down = max(abs(rows) for rows, _ in weights)
    right = max(abs(columns) for _, columns in weights)
    padded = padded_by(levels, down, right)
    total = torch.zeros_like(levels)
    for (rows, columns), weight in weights.items():
        copy = padded.narrow(ROWS, down + rows, height)
        total.add_(copy.narrow(COLUMNS, right + columns, width), alpha=weight)
    return total


def padded_by(levels: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """The levels with so many rows and columns more on each side."""
    from torch.nn.functional import pad

    return pad(levels, (columns, columns, rows, rows), mode="replicate")
