"""Pictures that the authors never met, and where each geometry puts the source image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models._formats.pictures import (
    Prepare,
    eight_bit,
    fit_and_pad,
    pad_and_resize,
    resize_and_crop,
    stretch,
)

BICUBIC = Image.Resampling.BICUBIC
WAYS: dict[str, Prepare] = {
    "resize_and_crop": resize_and_crop(56, 56, BICUBIC),
    "resize_and_crop grey": resize_and_crop(
        56, 56, Image.Resampling.BILINEAR, grey=True
    ),
    "pad_and_resize": pad_and_resize(56, BICUBIC),
    "stretch": stretch(56, BICUBIC),
    "fit_and_pad": fit_and_pad(80, 56, 101.5, 83.4, antialias=False),
}
SIZES = st.tuples(st.integers(30, 150), st.integers(30, 150))


def noise(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    width, height = size
    pixels = np.random.default_rng(width * 1000 + height).integers(
        0, 256, (height, width, 3), dtype=np.uint8
    )
    return Image.fromarray(pixels).convert(mode)


@given(size=SIZES)
def test_the_crop_is_torchvisions(size: tuple[int, int]) -> None:
    theirs = Compose([Resize(56, InterpolationMode.BICUBIC), CenterCrop(56)])
    image = noise(size)
    pixels = WAYS["resize_and_crop"](image).pixels
    assert np.array_equal(pixels, np.asarray(theirs(image)).transpose(2, 0, 1))


@pytest.mark.parametrize("way", WAYS)
@given(size=SIZES)
def test_the_frame_holds_the_source(way: str, size: tuple[int, int]) -> None:
    """A white image on black: as much of the square is white as the frame covers of it,
    and in the same place.
    """
    prepared = WAYS[way](Image.new("RGB", size, (255, 255, 255)))
    white = np.clip(
        prepared.pixels[0].astype(np.float64)
        / (255 if prepared.pixels.dtype == np.uint8 else 1),
        0,
        1,
    )
    left, top, right, bottom = np.clip(prepared.frame, 0, 1) * 56
    assert (
        abs(white.sum() - (right - left) * (bottom - top)) < 60
    )  # half a pixel of each edge
    rows, columns = (np.flatnonzero(white.max(axis=axis) > 0.5) for axis in (1, 0))
    assert abs(rows[0] - top) <= 1
    assert abs(rows[-1] + 1 - bottom) <= 1
    assert abs(columns[0] - left) <= 1
    assert abs(columns[-1] + 1 - right) <= 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"],
)
def test_every_8_bit_mode_is_taken(way: str, mode: str) -> None:
    source = noise((90, 70)).convert("L" if mode in ("LA", "La", "PA") else "RGB")
    if mode in ("La", "RGBa"):
        source = source.convert(mode.upper())
    prepared = WAYS[way](source.convert(mode))
    assert prepared.pixels.shape == (3, 56, 56)
    assert prepared.pixels.std() > 0.01


def test_alpha_is_dropped_and_palettes_are_colours() -> None:
    image = noise((60, 60))
    transparent = image.copy()
    transparent.putalpha(Image.new("L", (60, 60), 0))
    assert np.array_equal(np.asarray(eight_bit(transparent)), np.asarray(image))
    few = image.quantize(16)
    assert np.array_equal(np.asarray(eight_bit(few)), np.asarray(few.convert("RGB")))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_8_bits_is_refused(way: str, mode: str) -> None:
    """PIL would cut at 255: a white picture, and a model that looks bad for no fault of its own."""
    with pytest.raises(ModelError, match=rf"mode='{mode}'"):
        WAYS[way](Image.new(mode, (60, 60), 1000))


@pytest.mark.parametrize("size", [(1, 3_000_000), (3_000_000, 1)])
@pytest.mark.parametrize("way", ["resize_and_crop", "pad_and_resize", "fit_and_pad"])
def test_a_strip_is_refused_before_it_takes_all_memory(
    way: str, size: tuple[int, int]
) -> None:
    with pytest.raises(ModelError, match=r"got size=\(\d+, \d+\), which becomes"):
        WAYS[way](Image.new("L", size))


def test_a_single_pixel_is_an_image() -> None:
    for way in WAYS.values():
        assert way(Image.new("L", (1, 1), 200)).pixels.shape == (3, 56, 56)
