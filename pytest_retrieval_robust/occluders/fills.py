"""What hidden pixels are replaced by.

On a radiograph black means air, so the fill is part of the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import OcclusionError
from ._checks import check_choice
from ._frames import View, cells, view_of
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
"""Of floating pixels and of uint8 ones."""
# A float32 holds as many bits exactly, so that conversion cannot differ between devices.
_NOISE_BITS = 24
# A float64 adds whole numbers exactly below 2**53. Pixels may overshoot the 0..1 scale
# up to 4.
_SUM_BITS = 51
_SHUFFLED_GRID = 16
# Three box filters make a bell that leaves nothing finer than an eighth of the square.
_BLUR_GRID = 32
_BLUR_PASSES = 3
_BLUR_WIDTH = 5


@dataclass(frozen=True, repr=False)
class Canvas:
    """What a fill may look at: the pixels, which images they are, and their view."""

    pixels: torch.Tensor
    """(B, 3, H, W)."""
    ids: Sequence[str]
    seed: int
    view: View
    """Where the images lie in the square."""
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
    * `donor`: the same part of another image, out of a fixed set of the data set (`Donors`).
    """
    if fill in _CONSTANTS:
        return _constant(fill, canvas.pixels)
    makers = {
        "noise": _noise,
        "mean": source_mean,
        "blur": blurred,
        "shuffled": shuffled,
        DONOR: donated,
    }
    return makers[fill](canvas)


def _constant(fill: str, pixels: torch.Tensor) -> torch.Tensor | None:
    import torch

    of_floats, of_bytes = _CONSTANTS[fill]
    value = of_bytes if pixels.dtype == torch.uint8 else of_floats
    # Black needs no tensor: `hide` writes it without one.
    if value == 0:
        return None
    return torch.full((1, 1, 1, 1), value, dtype=pixels.dtype, device=pixels.device)


def _noise(canvas: Canvas) -> torch.Tensor:
    import torch

    pixels = canvas.pixels
    height, width = pixels.shape[2:]
    drawn = noise(canvas.ids, canvas.seed, height, width, pixels.device)
    if pixels.dtype == torch.uint8:
        return (drawn * 256).to(torch.uint8)
    return drawn.to(pixels.dtype)


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
    top_bits = words(ids, seed, "noise", counters) >> (WORD_BITS - _NOISE_BITS)
    uniform = top_bits.to(torch.float32) / (1 << _NOISE_BITS)
    return uniform.reshape(-1, 1, height, width).to(device)


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
    if pixels.dtype == torch.uint8:
        steps = 1.0
    else:
        pixel_bits = (pixels.shape[2] * pixels.shape[3]).bit_length()
        steps = 2.0 ** (_SUM_BITS - pixel_bits)
    wide = pixels.to(device, torch.promote_types(pixels.dtype, torch.float32))
    whole = (wide * steps).round_().masked_fill_(~inside, 0.0)
    # An image that the model crops away has no pixel inside: its mean is 0, and unused.
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

    def smooth(field: torch.Tensor) -> torch.Tensor:
        means = adaptive_avg_pool2d(field, coarse)
        for _ in range(_BLUR_PASSES):
            means = avg_pool2d(means, _BLUR_WIDTH, stride=1, padding=_BLUR_WIDTH // 2)
        return interpolate(means, size=size, mode="bilinear", align_corners=False)

    # Padding weighs nothing, in the picture and in the weights alike, so that none of it
    # leaks in.
    inside = canvas.inside.to(pixels.device, torch.float32)
    picture = smooth(torch.where(inside > 0, pixels.float(), 0.0))
    weights = smooth(inside)
    return _as_pixels(picture / weights.clamp(min=1e-6), pixels)


def shuffled(canvas: Canvas) -> torch.Tensor:
    """(B, 3, H, W): each block of the source shows another one of the same image."""
    import torch

    pixels = canvas.pixels
    view = canvas.view
    grid = _SHUFFLED_GRID
    device = integer_device(pixels.device)

    # Which block each block shows: a permutation drawn for each image.
    blocks = torch.arange(grid**2, dtype=torch.int64, device=device)
    keys = words(canvas.ids, canvas.seed, "shuffle", blocks) * grid**2 + blocks
    shown_block = places(keys)

    # The same of each pixel. Padding gets a block too: no mask hides it, whatever it shows.
    rows, columns = cells(view, grid, device)
    own_row = rows.clamp(max=grid - 1)[:, :, None]
    own_column = columns.clamp(max=grid - 1)[:, None, :]
    own_block = own_row * grid + own_column
    blocks_of_pixels = own_block.expand(len(pixels), -1, -1).flatten(1)
    target = shown_block.gather(1, blocks_of_pixels)
    target = target.reshape(-1, view.height, view.width)

    # The pixel at the same position within the shown block.
    row = _landing_in(view.landing(1, grid), target // grid)
    column = _landing_in(view.landing(0, grid), (target % grid).mT).mT
    index = (row * view.width + column).flatten(1)[:, None]
    index = index.expand(-1, pixels.shape[1], -1).to(pixels.device)
    return pixels.flatten(2).gather(2, index).reshape(pixels.shape)


def _landing_in(landing: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
    """The pixel, (B, N, M), where each pixel of an axis lands in the block of that
    number; `landing` is (F, N, G).
    """
    return landing.to(block.device).expand(len(block), -1, -1).gather(2, block)


def donated(canvas: Canvas) -> torch.Tensor:
    """(B, 3, H, W): the same relative position of each image's donor, which (seed, image
    id) choose.
    """
    import torch

    donors = canvas.donors
    if donors is None:
        raise OcclusionError(
            "Expected donors for fill='donor', got none. Bind the occluder to a data"
            " set first: occluder.bind(scene). evaluate() and the fixtures do it for"
            " you."
        )
    view = canvas.view
    chosen = [donors.number_for(image_id, canvas.seed) for image_id in canvas.ids]
    count = len(chosen)
    pixels = donors.pixels[chosen].to(canvas.pixels.device)
    frames = [donors.frames[number] for number in chosen]
    donors_view = view_of(frames, count, (view.height, view.width))
    rows = donors_view.pixels_at(1, view.rows.expand(count, -1)).to(pixels.device)
    columns = donors_view.pixels_at(0, view.columns.expand(count, -1)).to(pixels.device)
    in_rows = pixels.take_along_dim(rows[:, None, :, None], 2)
    values = in_rows.take_along_dim(columns[:, None, None, :], 3)
    # Donors are prepared on the 0..1 scale, whatever the pixels are.
    if canvas.pixels.dtype == torch.uint8:
        values = values * 255
    return _as_pixels(values, canvas.pixels)


def _as_pixels(values: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Of the dtype of the pixels, rounded where these are whole numbers."""
    import torch

    if pixels.dtype == torch.uint8:
        values = values.round().clamp(0, 255)
    return values.to(pixels.dtype)
