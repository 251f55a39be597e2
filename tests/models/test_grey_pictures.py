"""Grey images are resized as grey: the pixels are those of the long way through `RGB`."""

from __future__ import annotations

from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Grayscale, Resize

from pytest_retrieval_robust.models._formats.biovil import stretched_levels
from pytest_retrieval_robust.models._formats.geometry import Geometry
from pytest_retrieval_robust.models._formats.open_clip.steps import (
    is_geometry,
    steps_for_grey,
)
from pytest_retrieval_robust.models._formats.pictures import (
    channels_first,
    eight_bit,
    shaped,
    stretch_without_antialias,
)

GREY_MODES = ["1", "L", "LA", "La"]
FILTERS = list(Image.Resampling)


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    """Noise, ramps and constant pictures of any mode, from one pixel to a strip."""
    width = draw(st.integers(1, 160))
    height = draw(st.integers(1, 160))
    kind = draw(st.sampled_from(["noise", "ramp", "constant", "two levels"]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if kind == "noise":
        levels = random.integers(0, 256, (height, width))
    elif kind == "ramp":
        levels = np.arange(height * width).reshape(height, width) % 256
    elif kind == "constant":
        levels = np.full((height, width), random.integers(0, 256))
    else:
        levels = random.integers(0, 2, (height, width)) * 255
    grey = Image.fromarray(levels.astype(np.uint8))
    mode = draw(st.sampled_from([*GREY_MODES, "P", "RGB"]))
    if mode == "La":
        return grey.convert("LA").convert("La")
    return grey.convert(mode)


geometries = st.builds(
    Geometry,
    st.sampled_from(["shortest", "longest", "exact"]),
    st.integers(8, 70),
    st.integers(8, 70),
)


def long_way(
    image: Image.Image, geometry: Geometry, filter_: Image.Resampling
) -> NDArray[Any]:
    """Converted to `RGB` first, then resized and cropped."""
    colour = eight_bit(image).convert("RGB")
    width, height = geometry.resized(*image.size)
    left = geometry.offset(width)
    top = geometry.offset(height)
    resized = colour.resize((width, height), filter_)
    cut = resized.crop((left, top, left + geometry.side, top + geometry.side))
    planes: NDArray[Any] = np.asarray(cut).transpose(2, 0, 1)
    return planes


@settings(max_examples=300, deadline=None)
@given(image=pictures(), geometry=geometries, filter_=st.sampled_from(FILTERS))
def test_our_own_pictures_are_those_of_the_long_way(
    image: Image.Image, geometry: Geometry, filter_: Image.Resampling
) -> None:
    if min(geometry.resized(*image.size)) < 1:
        return
    prepared = shaped(geometry, filter_)(image)
    assert np.array_equal(prepared.pixels, long_way(image, geometry, filter_))
    assert prepared.pixels.flags.c_contiguous
    assert prepared.pixels.flags.writeable


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_radiograph_at_full_size_is_that_of_the_long_way(mode: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (1531, 1274), dtype=np.uint8)
    image = Image.fromarray(levels).convert(mode)
    geometry = Geometry("shortest", 224, 224)
    for filter_ in FILTERS:
        prepared = shaped(geometry, filter_)(image)
        assert np.array_equal(prepared.pixels, long_way(image, geometry, filter_))


@settings(max_examples=200, deadline=None)
@given(
    image=pictures(),
    size=st.integers(8, 70),
    resize=st.sampled_from(["shortest", "longest", "squash"]),
    interpolation=st.sampled_from(["bicubic", "bilinear"]),
    fill=st.sampled_from([0, 128]),
)
def test_open_clips_steps_give_the_same_pixels_to_grey(
    image: Image.Image, size: int, resize: str, interpolation: str, fill: int
) -> None:
    """The transforms of the installed release, on `L` and on its copy in `RGB`."""
    transform = open_clip.transform.image_transform(
        size,
        is_train=False,
        resize_mode=resize,
        interpolation=interpolation,
        fill_color=fill,
    )
    steps = [step for step in transform.transforms if is_geometry(step)]
    grey_steps = steps_for_grey(steps)
    assert grey_steps is not None
    grey = eight_bit(image).convert("L")
    if min(Geometry("longest", size, size).resized(*grey.size)) < 1:
        return
    colour = grey.convert("RGB")
    for step in steps:
        colour = step(colour)
    for step in grey_steps:
        grey = step(grey)
    assert np.array_equal(channels_first(grey), np.asarray(colour).transpose(2, 0, 1))


class _Mixed(Resize):  # type: ignore[misc]  # torchvision has no types
    """A resize that looks at all channels."""

    def forward(self, img: Any) -> Any:
        return super().forward(img.convert("HSV").convert("RGB"))


def _to_hsv() -> Any:
    # Before open_clip 3.1 there was a function, which knows `RGB` alone.
    conversion = getattr(open_clip.transform, "MaybeConvertMode", None)
    if conversion is None:
        return lambda image: image.convert("HSV")
    return conversion("HSV")


@pytest.mark.parametrize(
    "steps",
    [
        [Resize(8), Grayscale(3)],
        [lambda image: image],
        [_Mixed(8), CenterCrop(8)],
        [open_clip.transform.CenterCropOrPad(8, fill=(1, 2, 3))],
        [open_clip.transform.ResizeKeepRatio(8, random_scale_prob=0.5)],
        [_to_hsv()],
        [Compose([Resize(8)])],
    ],
)
def test_a_step_that_is_not_known_keeps_the_long_way(steps: list[Any]) -> None:
    assert steps_for_grey(steps) is None


@settings(max_examples=60, deadline=None)
@given(image=pictures(), side=st.integers(8, 90))
def test_the_resize_without_antialias_is_that_of_the_long_way(
    image: Image.Image, side: int
) -> None:
    assert_as_the_long_way(image, side)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("side", [56, 224, 448])
def test_a_large_resize_without_antialias_is_that_of_the_long_way(
    threads: int, side: int
) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (1531, 1274), dtype=np.uint8)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    assert_as_the_long_way(Image.fromarray(levels), side)
    torch.set_num_threads(before)


def assert_as_the_long_way(image: Image.Image, side: int) -> None:
    levels = np.asarray(eight_bit(image).convert("RGB"), dtype=np.float32)
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)))[None],
        size=(side, side),
        mode="bilinear",
        align_corners=False,
    )
    expected = resized[0].clamp(0, 255).numpy().astype(np.uint8)
    pixels = stretch_without_antialias(side)(image).pixels
    assert np.array_equal(pixels, expected)


@given(least=st.integers(0, 255), greatest=st.integers(0, 255))
def test_every_level_is_stretched_as_pixels_are(least: int, greatest: int) -> None:
    least, greatest = sorted((least, greatest))
    values = np.arange(least, greatest + 1).astype(np.float64)
    expected = np.zeros_like(values)
    if least != greatest:
        expected = (values - values.min()) / np.ptp(values) * 255
    levels = stretched_levels(least, greatest)
    assert len(levels) == 256
    assert levels[least : greatest + 1] == expected.astype(np.uint8).tolist()
