"""What hidden pixels are replaced by.

On a radiograph black means air, so the fill is part of the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import OcclusionError
from ._checks import check_choice
from ._frames import View, cells
from .hashing import WORD_BITS, integer_device, places, words

if TYPE_CHECKING:
    import torch

    from ._donors import Donors

CONTENT_FREE = ("black", "white", "grey", "noise")
"""Fills that hold nothing of any image: what they hide cannot matter, and at level 1
nothing is left.
"""
DONOR = "donor"
FILLS = (*CONTENT_FREE, "mean", "blur", "shuffled", DONOR)
_CONSTANTS = {"black": (0.0, 0), "white": (1.0, 255), "grey": (0.5, 128)}
_NOISE_BITS = (
    24  # what a float32 holds exactly, so that conversion cannot differ between devices
)
# a float64 adds whole numbers exactly below 2**53; pixels may overshoot the 0..1 scale
# up to 4
_SUM_BITS = 51
_SHUFFLED_GRID = 16
_BLUR_GRID, _BLUR_PASSES, _BLUR_WIDTH = (
    32,
    3,
    5,
)  # a bell that leaves nothing finer than an eighth of the square


@dataclass(frozen=True, repr=False)
class Canvas:
    """What a fill may look at: the pixels, (B, 3, H, W), which images they are, and
    where these lie in the square.
    """

    pixels: torch.Tensor
    ids: Sequence[str]
    seed: int
    view: View
    donors: Donors | None = None

    @property
    def inside(self) -> torch.Tensor:
        """(F, 1, H, W) bool on the host: whether a pixel shows the source."""
        rows, columns = cells(self.view, 1, "cpu")
        return ((rows == 0)[:, :, None] & (columns == 0)[:, None, :])[:, None]


def check_fill(fill: str) -> None:
    """Raise `OcclusionError` where `fill` is not one of `FILLS`."""
    check_choice("fill", fill, FILLS)


def filling(fill: str, canvas: Canvas) -> torch.Tensor | None:
    """The values that hidden pixels get: a tensor that broadcasts to the pixels, of
    their dtype; None for black.

    * `black`, `white`, `grey`: 0, 1 and 0.5 (0, 255 and 128 of uint8);
    * `noise`: uniform grey noise of its own for each (seed, image id), bit-identical on
      all devices;
    * `mean`: of each channel of the image's own source pixels, hidden ones included,
      bit-identical on all devices;
    * `blur`: the image without anything finer than an eighth of the square;
    * `shuffled`: the image's own 16 x 16 blocks in another order, drawn from (seed, image id);
    * `donor`: the same place of another image, out of a fixed set of the data set (`Donors`).
    """
    import torch

    pixels = canvas.pixels
    if fill in _CONSTANTS:
        value = _CONSTANTS[fill][pixels.dtype == torch.uint8]
        return (
            None
            if value == 0
            else torch.full(
                (1, 1, 1, 1), value, dtype=pixels.dtype, device=pixels.device
            )
        )
    if fill == DONOR:
        if canvas.donors is None:
            raise OcclusionError(
                "Expected donors for fill='donor', got none. Bind the occluder to a"
                " data set first: occluder.bind(scene), which evaluate() and the"
                " fixtures do by themselves."
            )
        return canvas.donors.filling(canvas)
    makers = {
        "noise": _noise,
        "mean": source_mean,
        "blur": blurred,
        "shuffled": shuffled,
    }
    return makers[fill](canvas)


def _noise(canvas: Canvas) -> torch.Tensor:
    import torch

    pixels = canvas.pixels
    drawn = noise(
        canvas.ids, canvas.seed, pixels.shape[2], pixels.shape[3], pixels.device
    )
    return (
        (drawn * 256).to(torch.uint8)
        if pixels.dtype == torch.uint8
        else drawn.to(pixels.dtype)
    )


def noise(
    ids: Sequence[str], seed: int, height: int, width: int, device: torch.device | str
) -> torch.Tensor:
    """(B, 1, H, W) float32, uniform in [0, 1), from (seed, image id, pixel position):
    bit-identical on all devices.
    """
    import torch

    counters = torch.arange(
        height * width, dtype=torch.int64, device=integer_device(device)
    )
    top = words(ids, seed, "noise", counters) >> (WORD_BITS - _NOISE_BITS)
    return (
        (top.to(torch.float32) / (1 << _NOISE_BITS))
        .reshape(-1, 1, height, width)
        .to(device)
    )


def source_mean(canvas: Canvas) -> torch.Tensor:
    """(B, 3, 1, 1): the mean of each channel over the image's own source pixels, hidden
    ones included.

    Pixels are rounded to a fixed grid, 2**-35 for a 224-pixel square, far finer than an
    8-bit source. Their float64 sum is then exact, so the mean does not depend on the
    batch, the device or the order of the summation.
    """
    import torch

    pixels = canvas.pixels
    device = integer_device(pixels.device)
    inside = canvas.inside.to(device)
    steps = 2.0 ** (_SUM_BITS - (pixels.shape[2] * pixels.shape[3]).bit_length())
    if pixels.dtype == torch.uint8:
        steps = 1.0
    wide = pixels.to(device, torch.promote_types(pixels.dtype, torch.float32))
    whole = (wide * steps).round_().masked_fill_(~inside, 0.0)
    count = inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = whole.sum(dim=(2, 3), keepdim=True, dtype=torch.float64) / count / steps
    return _as_pixels(mean, pixels).to(pixels.device)


def blurred(canvas: Canvas) -> torch.Tensor:
    """(B, 3, H, W): means of a coarse grid, smoothed by three box filters, over the
    source's own pixels alone.
    """
    import torch
    from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

    pixels = canvas.pixels
    size = (pixels.shape[2], pixels.shape[3])
    coarse = (min(size[0], _BLUR_GRID), min(size[1], _BLUR_GRID))
    inside = canvas.inside.to(pixels.device, torch.float32)
    fields = [torch.where(inside > 0, pixels.float(), 0.0), inside]
    for number, field in enumerate(fields):
        means = adaptive_avg_pool2d(field, coarse)
        for _ in range(_BLUR_PASSES):
            means = avg_pool2d(means, _BLUR_WIDTH, stride=1, padding=_BLUR_WIDTH // 2)
        fields[number] = interpolate(
            means, size=size, mode="bilinear", align_corners=False
        )
    # Padding weighs nothing, in the picture and in the weights alike, so that none of it leaks in.
    return _as_pixels(fields[0] / fields[1].clamp(min=1e-6), pixels)


def shuffled(canvas: Canvas) -> torch.Tensor:
    """(B, 3, H, W): each block of the source shows another one of the same image."""
    import torch

    pixels, grid, view = canvas.pixels, _SHUFFLED_GRID, canvas.view
    device = integer_device(pixels.device)
    blocks = torch.arange(grid**2, dtype=torch.int64, device=device)
    moved = places(words(canvas.ids, canvas.seed, "shuffle", blocks) * grid**2 + blocks)
    rows, columns = cells(view, grid, device)
    # Padding is given a block too: whatever it shows, no mask hides it.
    own = (
        rows.clamp(max=grid - 1)[:, :, None] * grid
        + columns.clamp(max=grid - 1)[:, None, :]
    )
    target = moved.gather(1, own.expand(len(pixels), -1, -1).flatten(1)).reshape(
        -1, view.height, view.width
    )
    row = _picked(view.landing(1, grid), target // grid)
    column = _picked(view.landing(0, grid), (target % grid).mT).mT
    index = (
        (row * view.width + column).flatten(1)[:, None].expand(-1, pixels.shape[1], -1)
    )
    return pixels.flatten(2).gather(2, index.to(pixels.device)).reshape(pixels.shape)


def _picked(landing: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
    """The pixel, (B, N, M), where each pixel of an axis lands in the block of that
    number; `landing` is (F, N, G).
    """
    return landing.to(block.device).expand(len(block), -1, -1).gather(2, block)


def _as_pixels(values: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Of the dtype of the pixels, rounded where these are whole numbers."""
    import torch

    return (values.round().clamp(0, 255) if pixels.dtype == torch.uint8 else values).to(
        pixels.dtype
    )
