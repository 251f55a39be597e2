"""`frame` says where the source image lies in the square: checked against the real
preprocessing with ramp images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models._formats.geometry import Geometry
from pytest_retrieval_robust.models._formats.pictures import resize_and_crop

sides = st.integers(24, 90)


def ramps(width: int, height: int) -> Image.Image:
    """An image whose red is 255 x / width and whose green is 255 y / height."""
    x = np.broadcast_to((np.arange(width) + 0.5) / width * 255, (height, width))
    y = np.broadcast_to(
        ((np.arange(height) + 0.5) / height * 255)[:, None], (height, width)
    )
    return Image.fromarray(
        np.stack([x, y, np.full_like(x, 255)], axis=-1).astype(np.uint8)
    )


def assert_frame_tells_the_truth(
    pixels: NDArray[Any], frame: tuple[float, float, float, float]
) -> None:
    """Where the square shows the image, its ramps must be the relative source
    coordinates that `frame` predicts.
    """
    left, top, right, bottom = frame
    side = pixels.shape[-1]
    centres = (np.arange(side) + 0.5) / side
    inside_x = (centres > left) & (centres < right)
    inside_y = (centres > top) & (centres < bottom)
    assert np.array_equal(pixels[2] > 0, inside_y[:, None] & inside_x[None, :])
    expected_x = ((centres - left) / (right - left) * 255)[inside_x]
    expected_y = ((centres - top) / (bottom - top) * 255)[inside_y]
    visible = pixels[:, inside_y][:, :, inside_x].astype(float)
    tolerance = 255 * 1.1 / min(side, 24) + 2  # a pixel of the source, and 8 bits
    assert np.abs(visible[0] - expected_x[None, :]).max() <= tolerance
    assert np.abs(visible[1] - expected_y[:, None]).max() <= tolerance


@settings(max_examples=25, deadline=None)
@given(width=sides, height=sides, crop=st.sampled_from([24, 31, 32]))
def test_resizing_the_short_side_and_cropping(
    width: int, height: int, crop: int
) -> None:
    prepared = resize_and_crop(32, crop, Image.Resampling.BICUBIC)(ramps(width, height))
    assert_frame_tells_the_truth(prepared.pixels, prepared.frame)


@settings(max_examples=25, deadline=None)
@given(width=sides, height=sides, crop=st.sampled_from([24, 31, 32]))
def test_pixels_are_transformers_own_but_for_its_crop(
    width: int, height: int, crop: int
) -> None:
    """Bit for bit where the margin is not 3 modulo 4: there transformers rounds half a
    pixel down, and others up.
    """
    from transformers import CLIPImageProcessor

    from pytest_retrieval_robust.models._formats.transformers.processor import (
        picture_of,
    )

    from .pil_processors import pil_version

    size = {"shortest_edge": 32}
    processor = pil_version(
        CLIPImageProcessor(size=size, crop_size={"height": crop, "width": crop})
    )
    resized = Geometry("shortest", 32, crop).resized(width, height)
    assume(all((length - crop) % 4 != 3 for length in resized))
    theirs = processor(
        images=ramps(width, height),
        do_rescale=False,
        do_normalize=False,
        return_tensors="np",
    )
    ours = picture_of("clip", processor, {}).prepare(ramps(width, height))
    assert np.array_equal(ours.pixels, np.asarray(theirs["pixel_values"][0]))


@settings(max_examples=25, deadline=None)
@given(
    width=sides, height=sides, mode=st.sampled_from(["shortest", "longest", "squash"])
)
def test_every_resize_mode_of_open_clip(width: int, height: int, mode: str) -> None:
    import open_clip

    from pytest_retrieval_robust.models._formats.open_clip.encoder import geometry_of
    from pytest_retrieval_robust.models._formats.open_clip.steps import is_geometry

    transform = open_clip.transform.image_transform(
        32, is_train=False, resize_mode=mode, fill_color=0
    )
    shaped = ramps(width, height)
    for step in filter(is_geometry, transform.transforms):
        shaped = step(shaped)
    frame = geometry_of("open_clip", {"size": 32, "resize_mode": mode}).frame(
        width, height
    )
    assert_frame_tells_the_truth(np.asarray(shaped).transpose(2, 0, 1), frame)


def test_stretching_fills_the_square_exactly() -> None:
    assert Geometry("exact", 64, 64).frame(100, 37) == (0.0, 0.0, 1.0, 1.0)


def test_an_input_that_is_no_fixed_square_is_refused() -> None:
    from transformers import CLIPImageProcessor

    from pytest_retrieval_robust.models._formats.transformers.processor import (
        geometry_of,
    )

    with pytest.raises(
        ModelError,
        match="Expected an image processor of odd that resizes to a fixed square",
    ):
        geometry_of("odd", CLIPImageProcessor(do_center_crop=False))
    with pytest.raises(ModelError, match="fixed square"):
        geometry_of("odd", CLIPImageProcessor(crop_size={"height": 32, "width": 48}))
