"""Blurs, codec and blocks do what the packages do that published their severities."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust.corruptions import WHOLE, motion_blur
from pytest_retrieval_robust.corruptions.focus_blur import FocusBlur
from pytest_retrieval_robust.corruptions.jpeg import Jpeg
from pytest_retrieval_robust.corruptions.motion_blur import MotionBlur
from pytest_retrieval_robust.corruptions.pixelation import Pixelation
from pytest_retrieval_robust.corruptions.resampling import Resampling

from .generators import STEPS
from .published_blurs import ANGLE, DEFOCUSED, MOVED, POINTS, picture

CHEST_QUALITIES = (50, 30, 15, 10, 7)
IMAGENET_QUALITIES = (25, 18, 15, 10, 7)
CHEST_SHARES = (0.30, 0.25, 0.20, 0.15, 0.10)
PNEUMONIA_SHARES = (0.8, 0.7, 0.6, 0.5, 0.4)
IMAGENET_SHARES = (0.6, 0.5, 0.4, 0.3, 0.25)
SHARES = [
    ("medmnist-c", CHEST_SHARES),
    ("robustmedclip", PNEUMONIA_SHARES),
    ("imagenet-c", IMAGENET_SHARES),
]


def film() -> torch.Tensor:
    """(1, 3, 224, 224) bytes of the grey picture."""
    return torch.from_numpy(picture()).expand(1, 3, -1, -1).contiguous()


def coloured() -> torch.Tensor:
    """(1, 3, 224, 224) bytes of which no two channels are equal."""
    grey = picture()
    channels = [grey, grey[::-1].copy(), grey.T.copy()]
    return torch.from_numpy(np.stack(channels))[None]


def after(corruption: Any, severity: float, pixels: torch.Tensor) -> NDArray[np.uint8]:
    """(224, 224, 3) bytes."""
    changed = corruption.corrupt(pixels, ["a"], severity, 0, WHOLE)
    values: NDArray[np.uint8] = changed[0].permute(1, 2, 0).numpy()
    return values


def farthest(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def image_of(pixels: torch.Tensor) -> Image.Image:
    return Image.fromarray(pixels[0].permute(1, 2, 0).contiguous().numpy())


@pytest.mark.parametrize("pixels", [film(), coloured()], ids=["grey", "colour"])
@pytest.mark.parametrize(
    ("preset", "qualities"),
    [
        ("medmnist-c", CHEST_QUALITIES),
        ("robustmedclip", CHEST_QUALITIES),
        ("imagenet-c", IMAGENET_QUALITIES),
    ],
)
def test_jpeg_is_what_pillow_reads_at_the_published_qualities(
    pixels: torch.Tensor, preset: str, qualities: tuple[int, ...]
) -> None:
    for severity, quality in zip(STEPS, qualities, strict=True):
        stored = BytesIO()
        image_of(pixels).save(stored, "JPEG", quality=quality)
        expected = np.asarray(Image.open(stored))
        assert np.array_equal(after(Jpeg(preset=preset), severity, pixels), expected)


@pytest.mark.parametrize("pixels", [film(), coloured()], ids=["grey", "colour"])
@pytest.mark.parametrize(("preset", "shares"), SHARES)
def test_pixelation_is_what_pillow_makes_of_the_published_shares(
    pixels: torch.Tensor, preset: str, shares: tuple[float, ...]
) -> None:
    box = Image.Resampling.BOX
    for severity, share in zip(STEPS, shares, strict=True):
        blocks = int(224 * share)
        small = image_of(pixels).resize((blocks, blocks), box)
        expected = np.asarray(small.resize((224, 224), box))
        found = after(Pixelation(preset=preset), severity, pixels)
        # Pillow counts a pixel that lies in two blocks for one of them alone.
        if 224 % blocks == 0:
            assert farthest(found, expected) <= 1
        assert np.abs(found.astype(int) - expected).mean() < 2.5


def test_resampling_is_what_pillow_makes_of_it_within_two_grey_values() -> None:
    linear = Image.Resampling.BILINEAR
    for severity, side in zip(STEPS, (112, 78, 56, 40, 28), strict=True):
        small = image_of(film()).resize((side, side), linear)
        expected = np.asarray(small.resize((224, 224), linear))
        assert farthest(after(Resampling(), severity, film()), expected) <= 2


@pytest.mark.parametrize("preset", ["medmnist-c", "robustmedclip"])
def test_the_gaussian_is_that_of_torchvision_at_the_published_kernels(
    preset: str,
) -> None:
    functional = pytest.importorskip("torchvision.transforms.functional")
    for severity, side in zip(STEPS, (3, 5, 7, 9, 11), strict=True):
        expected = functional.gaussian_blur(film(), side)[0].permute(1, 2, 0).numpy()
        found = after(FocusBlur(preset=preset), severity, film())
        # Beyond the edge torchvision mirrors the picture, ours goes on as it ends.
        inside = slice(6, -6)
        assert farthest(found[inside, inside], expected[inside, inside]) <= 1


def test_the_disc_is_that_of_imagecorruptions_but_for_its_smoothed_edge() -> None:
    for step, severity in enumerate(STEPS, start=1):
        found = after(FocusBlur(preset="imagenet-c"), severity, film())
        values = np.array([found[point][0] for point in POINTS], dtype=float)
        # imagecorruptions cuts fractions of a grey value off.
        assert np.abs(values - DEFOCUSED[step]).max() <= 2


def test_motion_is_that_of_imagecorruptions_along_the_same_line() -> None:
    with mock.patch.object(motion_blur, "angle_of", return_value=ANGLE):
        for step, severity in enumerate(STEPS, start=1):
            found = after(MotionBlur(), severity, film())
            values = np.array([found[point][0] for point in POINTS], dtype=float)
            assert np.abs(values - MOVED[step]).max() <= 1.5
