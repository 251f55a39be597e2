"""What hidden pixels are replaced by: black, white, the image's own mean, or noise without content."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import OcclusionError
from .hashing import WORD_BITS, integer_device, words

if TYPE_CHECKING:
    import torch

FILLS = ("black", "white", "mean", "noise")
_NOISE_BITS = 24  # what a float32 holds exactly, so that conversion cannot differ between devices
_SUM_BITS = 51  # a float64 adds whole numbers exactly below 2**53; pixels may overshoot the 0..1 scale up to 4


def check_fill(fill: str) -> None:
    """Raise `OcclusionError` where `fill` is not one of `FILLS`."""
    if fill in FILLS:
        return
    close = difflib.get_close_matches(str(fill), FILLS, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Use one of these names."
    raise OcclusionError(f"Expected a fill out of {', '.join(FILLS)}, got fill={fill!r}. {hint}")


def filling(
    fill: str, pixels: torch.Tensor, ids: Sequence[str], seed: int, rows: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """The values that hidden pixels get: a tensor that broadcasts to `pixels`, of its dtype and device.

    `pixels` is (B, 3, H, W); `rows` (B or 1, H) and `columns` (B or 1, W) are true where the square shows the source.
    """
    import torch

    if fill == "mean":
        return source_mean(pixels, rows, columns)
    if fill == "noise":
        return noise(ids, seed, pixels.shape[2], pixels.shape[3], pixels.device).to(pixels.dtype)
    return torch.full((1, 1, 1, 1), 1.0 if fill == "white" else 0.0, dtype=pixels.dtype, device=pixels.device)


def noise(ids: Sequence[str], seed: int, height: int, width: int, device: torch.device | str) -> torch.Tensor:
    """(B, 1, H, W) float32, uniform in [0, 1), from (seed, image id, pixel position): bit-identical on all devices."""
    import torch

    counters = torch.arange(height * width, dtype=torch.int64, device=integer_device(device))
    top = words(ids, seed, "noise", counters) >> (WORD_BITS - _NOISE_BITS)
    return (top.to(torch.float32) / (1 << _NOISE_BITS)).reshape(-1, 1, height, width).to(device)


def source_mean(pixels: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """(B, 3, 1, 1): the mean of each channel over the image's own source pixels, hidden ones included.

    Pixels are rounded to a fixed grid, 2**-35 for a 224-pixel square, far finer than an 8-bit source. Their float64
    sum is then exact, so the mean does not depend on the batch, the device or the order of the summation.
    """
    import torch

    device = integer_device(pixels.device)
    inside = (rows[:, :, None] & columns[:, None, :]).to(device)[:, None]
    steps = 2.0 ** (_SUM_BITS - (pixels.shape[2] * pixels.shape[3]).bit_length())
    wide = pixels.to(device, torch.promote_types(pixels.dtype, torch.float32))
    whole = (wide * steps).round_().masked_fill_(~inside, 0.0)
    count = inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = whole.sum(dim=(2, 3), keepdim=True, dtype=torch.float64) / count / steps
    return mean.to(pixels.dtype).to(pixels.device)
