"""Grey values and weights as whole numbers in float32.

Sums of products of whole numbers are exact below 2**24, in whichever order a device adds
them and whether or not it fuses a product with a sum. So an interpolation or a blur has
the same bits on every device and for every batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from .region import Region

T = TypeVar("T")

LEVELS = 16 * 255
"""White. Every grey value of an 8-bit image is a whole number, a multiple of 16."""
WEIGHTS = 1 << 12
"""What the weights of a pixel add up to: LEVELS * WEIGHTS < 2**24."""


def levels_of(region: Region) -> torch.Tensor:
    """(b, c, h, w) float32 whole numbers from 0 to `LEVELS`; one channel where the three
    are known to be equal, as those of a film are.
    """
    import torch

    if region.shown.dtype == torch.uint8:
        return region.channels.float().mul_(LEVELS // 255)
    return (region.greys * LEVELS).round_()


def values_of(region: Region) -> torch.Tensor:
    """(b, c, h, w) the bytes, or the floats on the 0..1 scale, of which the batch is made;
    one channel as in `levels_of`. Not to be written to.
    """
    import torch

    return region.channels if region.shown.dtype == torch.uint8 else region.greys


def once(region: Region, key: str, make: Callable[[], T]) -> T:
    """What `make` gives, made once for all blocks of a region."""
    if key not in region.shared:
        region.shared[key] = make()
    made: T = region.shared[key]
    return made


def pixels_of(levels: torch.Tensor, parts: int = 1) -> torch.Tensor:
    """Sums of levels with weights that add up to `parts`, on the 0..1 scale."""
    return levels * (1 / (LEVELS * parts))


def levels_from(sums: torch.Tensor) -> torch.Tensor:
    """Sums of levels with weights that add up to `WEIGHTS`, as levels again, in place."""
    return sums.mul_(1 / WEIGHTS).round_()


def whole_weights(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares along the last axis, which are positive in sum, as whole numbers that add up
    to exactly `WEIGHTS`; each is off by less than one.
    """
    sums: NDArray[np.float64] = shares.cumsum(axis=-1)
    rounded = np.rint(sums * (WEIGHTS / sums[..., -1:]))
    return np.diff(rounded, axis=-1, prepend=0.0)
