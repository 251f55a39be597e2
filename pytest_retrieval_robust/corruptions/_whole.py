"""Grey values and weights as whole numbers in float32.

Sums of products of whole numbers are exact below 2**24, in whichever order a device adds
them and whether or not it fuses a product with a sum. So an interpolation or a blur has
the same bits on every device and for every batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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

    shown = distinct(region)
    if shown.shown.dtype == torch.uint8:
        return shown.shown.float().mul_(LEVELS // 255)
    return (shown.pixels * LEVELS).round_()


def values_of(region: Region) -> torch.Tensor:
    """(b, c, h, w) the bytes, or the floats on the 0..1 scale, of which the batch is made;
    one channel as in `levels_of`. Not to be written to.
    """
    import torch

    shown = distinct(region)
    return shown.shown if shown.shown.dtype == torch.uint8 else shown.pixels


def distinct(region: Region) -> Region:
    """The region with one channel where the three are known to be equal."""
    if not _is_grey(region.shown):
        return region
    return replace(region, shown=region.shown[:, :1])


def _is_grey(shown: torch.Tensor) -> bool:
    """Whether the three channels have the same bits; False on a device, where the
    comparison would be waited for.
    """
    import torch

    if shown.device.type != "cpu":
        return False
    if shown.stride(1) == 0:
        return True
    red, green, blue = shown.unbind(1)
    if shown.dtype not in (torch.uint8, torch.float32):
        return red.equal(green) and red.equal(blue)
    # NumPy compares whole numbers many times faster than torch compares floats.
    bits = torch.uint8 if shown.dtype == torch.uint8 else torch.int32
    planes = [plane.view(bits).numpy() for plane in (red, green, blue)]
    same = (planes[0] == planes[1]).all() and (planes[0] == planes[2]).all()
    return bool(same)


def once(region: Region, key: str, make: Callable[[], T]) -> T:
    """What `make` gives, made once for all blocks of a region."""
    if key not in region.shared:
        region.shared[key] = make()
    made: T = region.shared[key]
    return made


def three_channels(values: torch.Tensor) -> torch.Tensor:
    """(b, 3, h, w): one channel shown three times, or the three."""
    return values.expand(-1, 3, -1, -1)


def pixels_of(levels: torch.Tensor, parts: int = 1) -> torch.Tensor:
    """(b, 3, h, w): sums of levels with weights that add up to `parts`, on the 0..1 scale."""
    return three_channels(levels * (1 / (LEVELS * parts)))


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
