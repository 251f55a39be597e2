"""What hidden pixels are replaced by.

On a radiograph black means air, so the fill is part of the case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import OcclusionError
from ..core.uploads import upload
from ._checks import check_choice
from ._frames import View, view_of
from .hashing import WORD_BITS, integer_device, places, words

if TYPE_CHECKING:
    import torch

    from ..core.normalisation import Normalisation
    from ._donors import Donors

CONTENT_FREE = ("black", "white", "grey", "noise")
"""Fills that hold nothing of any image: what they hide cannot matter, and at level 1
nothing is left.
"""
DONOR = "donor"
OF_PIXELS = ("mean", "blur", "shuffled")
"""Fills that are made of the image's own pixels."""
WITHOUT_SEED = ("black", "white", "grey", "mean", "blur")
FILLS = (*CONTENT_FREE, *OF_PIXELS, DONOR)
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
_PART = 1 << 21
"""Pixels whose 64-bit numbers are in memory together: 16 MB of each kind."""


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


def network_filling(
    fill: str, canvas: Canvas, normalisation: Normalisation
) -> torch.Tensor:
    """`filling` as a network's input: of the normalisation's dtype, with three channels.

    The pixels of the canvas are floating, on the normalisation's device.
    """
    import torch

    values = filling(fill, canvas)
    if values is None:
        pixels = canvas.pixels
        values = torch.zeros((1, 1, 1, 1), dtype=pixels.dtype, device=pixels.device)
    return normalisation(values)


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

    integers_on = integer_device(device)
    counters = torch.arange(height * width, dtype=torch.int64, device=integers_on)
    uniform = torch.empty(
        (len(ids), height * width), dtype=torch.float32, device=integers_on
    )
    for part in _parts(len(ids), height * width):
        drawn = words(ids[part], seed, "noise", counters)
        drawn >>= WORD_BITS - _NOISE_BITS
        uniform[part] = drawn.to(torch.float32) / (1 << _NOISE_BITS)
    return uniform.reshape(-1, 1, height, width).to(device)


def _parts(images: int, pixels: int) -> Iterator[slice]:
    """The images in parts whose 64-bit numbers, one per pixel, need little memory."""
    size = max(1, _PART // max(1, pixels))
    for start in range(0, images, size):
        yield slice(start, start + size)


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
    inside = canvas.view.inside(device)
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
    inside = canvas.view.inside(pixels.device).float()
    picture = smooth(torch.where(inside > 0, pixels.float(), 0.0))
    weights = smooth(inside)
    return _as_pixels(picture / weights.clamp(min=1e-6), pixels)


def shuffled(canvas: Canvas) -> torch.Tensor:
    """(B, 3, H, W): each block of the source shows another one of the same image."""
    import torch

    pixels = canvas.pixels
    view = canvas.view
    device = integer_device(pixels.device)
    blocks = torch.arange(_SHUFFLED_GRID**2, dtype=torch.int64, device=device)
    rows, columns = view.cells(_SHUFFLED_GRID, device)
    landing_rows = upload(view.landing(1, _SHUFFLED_GRID), device)
    landing_columns = upload(view.landing(0, _SHUFFLED_GRID), device)
    result = torch.empty_like(pixels, memory_format=torch.contiguous_format)

    for part in _parts(len(pixels), view.height * view.width):
        # Which block each block shows: a permutation drawn for each image.
        keys = words(canvas.ids[part], canvas.seed, "shuffle", blocks)
        shown_block = places(keys * _SHUFFLED_GRID**2 + blocks)
        target = _at_pixels(shown_block, _of_part(rows, part), _of_part(columns, part))
        # The pixel at the same position within the shown block.
        row = _landing_in(_of_part(landing_rows, part), target // _SHUFFLED_GRID)
        target %= _SHUFFLED_GRID
        column = _landing_in(_of_part(landing_columns, part), target.mT).mT
        index = (row * view.width + column).flatten(1)[:, None]
        index = index.expand(-1, pixels.shape[1], -1).to(pixels.device)
        shown = pixels[part].flatten(2).gather(2, index)
        result[part] = shown.reshape(result[part].shape)
    return result


def _at_pixels(
    shown_block: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """(B, H, W): the block that each pixel shows, of (B, N) those that blocks show."""
    # Padding gets a block too: no mask hides it, whatever it shows.
    own_row = rows.clamp(max=_SHUFFLED_GRID - 1)[:, :, None]
    own_column = columns.clamp(max=_SHUFFLED_GRID - 1)[:, None, :]
    own_block = own_row * _SHUFFLED_GRID + own_column
    blocks_of_pixels = own_block.expand(len(shown_block), -1, -1).flatten(1)
    target = shown_block.gather(1, blocks_of_pixels)
    return target.reshape(-1, rows.shape[1], columns.shape[1])


def _of_part(values: torch.Tensor, part: slice) -> torch.Tensor:
    """Those of some of the images; the same for all images where there is one."""
    return values if len(values) == 1 else values[part]


def _landing_in(landing: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
    """The pixel, (B, N, M), where each pixel of an axis lands in the block of that
    number; `landing` is (F, N, G).
    """
    return landing.expand(len(block), -1, -1).gather(2, block)


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
    numbers = upload(
        torch.tensor(chosen, dtype=torch.int64, device="cpu"), donors.pixels.device
    )
    pixels = donors.pixels.index_select(0, numbers).to(canvas.pixels.device)
    frames = [donors.frames[number] for number in chosen]
    donors_view = view_of(frames, count, (view.height, view.width))
    rows_shown = donors_view.pixels_at(1, view.rows.expand(count, -1))
    columns_shown = donors_view.pixels_at(0, view.columns.expand(count, -1))
    rows = upload(rows_shown, pixels.device)
    columns = upload(columns_shown, pixels.device)
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
