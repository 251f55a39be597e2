"""What only corruptions of focus, motion, codec, resolution and geometry promise."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.core.errors import CorruptionError
from pytest_retrieval_robust.corruptions import WHOLE, Box
from pytest_retrieval_robust.corruptions.crop import Crop, sides_of
from pytest_retrieval_robust.corruptions.focus_blur import FocusBlur, gaussian_weights
from pytest_retrieval_robust.corruptions.jpeg import Jpeg
from pytest_retrieval_robust.corruptions.mirrored import Mirrored
from pytest_retrieval_robust.corruptions.motion_blur import MotionBlur, line_weights
from pytest_retrieval_robust.corruptions.pixelation import Pixelation
from pytest_retrieval_robust.corruptions.resampling import Resampling
from pytest_retrieval_robust.corruptions.rotation import Rotation, turns_left
from pytest_retrieval_robust.corruptions.shift import Shift, direction_of
from pytest_retrieval_robust.corruptions.zoom import Zoom

from .generators import pictures

NEVER_NEARER: dict[str, Any] = {
    "focus-blur": FocusBlur(),
    "disc": FocusBlur(preset="imagenet-c"),
    "motion-blur": MotionBlur(),
    "jpeg": Jpeg(),
    "resampling": Resampling(),
}
"""Those whose mean distance rises for every smooth picture, not only for films."""
ids = st.sampled_from(["a", "b", "c", "d"])
seeds = st.integers(0, 2**32)


def smooth(seed: int, side: int = 96) -> torch.Tensor:
    """(1, 3, side, side) waves and blobs."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 12, 12, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return fine.clamp(0, 1)


def after(
    corruption: Any,
    severity: float,
    pixels: torch.Tensor,
    *,
    identity: str = "a",
    seed: int = 0,
    frame: Box = WHOLE,
) -> torch.Tensor:
    changed: torch.Tensor = corruption.corrupt(
        pixels, [identity] * len(pixels), severity, seed, frame
    )
    return changed


@settings(max_examples=8)
@given(st.sampled_from(sorted(NEVER_NEARER)), seeds, ids)
def test_no_smooth_picture_comes_nearer_to_the_clean_one(
    name: str, seed: int, identity: str
) -> None:
    pixels = smooth(seed)
    before = 0.0
    for step in range(1, 6):
        changed = after(
            NEVER_NEARER[name], step / 5, pixels, identity=identity, seed=seed
        )
        distance = float((changed - pixels).abs().mean())
        assert distance >= before
        before = distance


def naive_disc(grey: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Each pixel's mean with those within the radius, one by one."""
    reach = int(radius)
    padded = np.pad(grey, reach, mode="edge")
    height, width = grey.shape
    total = np.zeros_like(grey)
    count = 0
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            if row * row + column * column <= radius * radius:
                part = padded[reach + row :, reach + column :]
                total += part[:height, :width]
                count += 1
    return total / count


@pytest.mark.parametrize("severity", [0.2, 0.5, 1.0])
def test_a_disc_is_the_mean_of_all_pixels_within_its_radius(severity: float) -> None:
    blur = FocusBlur(preset="imagenet-c")
    grey = pictures(images=1, side=112)[0, 0]
    radius = blur.parameter(severity) * 112 / 224
    found = after(blur, severity, grey.expand(1, 3, -1, -1).contiguous())
    expected = naive_disc(grey.double().numpy(), radius)
    assert np.abs(found[0, 0].numpy() - expected).max() < 1 / 4000


@pytest.mark.parametrize(("side", "scale"), [(3, 1), (11, 1), (4.3, 0.4), (9, 4.6)])
def test_gaussian_weights_are_symmetric_and_add_up(side: float, scale: float) -> None:
    weights = gaussian_weights(side, scale)
    assert list(weights) == list(weights[::-1])
    assert sum(weights) == 4096
    assert min(weights) >= 0
    assert max(weights) == weights[len(weights) // 2]


@given(st.floats(0.1, 60), st.floats(0.1, 30), st.floats(-45, 45))
def test_a_line_of_motion_adds_up_and_leaves_the_pixel_itself_in(
    length: float, deviation: float, degrees: float
) -> None:
    weights = line_weights(length, deviation, degrees)
    assert sum(weights.values()) == 4096
    assert weights[0, 0] > 0
    assert all(columns >= 0 for _, columns in weights)


def naive_rotation(grey: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Turned clockwise about the middle, each pixel by itself."""
    side = len(grey)
    angle = np.radians(degrees)
    turned = np.zeros_like(grey)
    for row in range(side):
        for column in range(side):
            down = row + 0.5 - side / 2
            right = column + 0.5 - side / 2
            y = down * np.cos(angle) - right * np.sin(angle) + side / 2
            x = right * np.cos(angle) + down * np.sin(angle) + side / 2
            if not (0 <= y < side and 0 <= x < side):
                continue
            top, left = int(np.floor(y - 0.5)), int(np.floor(x - 0.5))
            for r, weight_r in ((top, 1 - (y - 0.5 - top)), (top + 1, y - 0.5 - top)):
                for c, weight_c in (
                    (left, 1 - (x - 0.5 - left)),
                    (left + 1, x - 0.5 - left),
                ):
                    value = grey[min(max(r, 0), side - 1), min(max(c, 0), side - 1)]
                    turned[row, column] += weight_r * weight_c * value
    return turned


def identity_that(turns: bool) -> str:
    return next(name for name in "abcdefgh" if turns_left(name, 0) is turns)


@pytest.mark.parametrize("to_left", [True, False])
def test_a_rotation_is_linear_interpolation_about_the_middle(to_left: bool) -> None:
    pixels = smooth(0, side=40)
    identity = identity_that(to_left)
    found = after(Rotation(), 1, pixels, identity=identity)
    expected = naive_rotation(pixels[0, 1].double().numpy(), -15 if to_left else 15)
    # Weights are whole 4096ths, and grey values whole 4080ths.
    assert np.abs(found[0, 1].numpy() - expected).max() < 1 / 1000


def test_a_rotation_to_the_right_takes_the_upper_edge_to_the_right() -> None:
    pixels = torch.zeros(1, 3, 64, 64)
    pixels[:, :, 8, 32] = 1
    changed = after(Rotation(), 1, pixels, identity=identity_that(False))
    column = int(changed[0, 0].sum(dim=0).argmax())
    assert column > 36


def test_both_directions_occur() -> None:
    turns = [turns_left(str(number), 3) for number in range(200)]
    assert 60 < sum(turns) < 140


@given(ids, seeds, st.integers(1, 100))
def test_a_shift_is_that_of_whole_pixels_and_what_comes_in_is_black(
    identity: str, seed: int, hundredths: int
) -> None:
    severity = hundredths / 100
    pixels = smooth(1, side=30)
    down, right = direction_of(identity, seed)
    rows = round(down * 0.2 * severity * 30)
    columns = round(right * 0.2 * severity * 30)
    expected = torch.zeros_like(pixels)
    for row in range(30):
        for column in range(30):
            if 0 <= row - rows < 30 and 0 <= column - columns < 30:
                source = pixels[..., row - rows, column - columns]
                expected[..., row, column] = source
    found = after(Shift(), severity, pixels, identity=identity, seed=seed)
    assert torch.equal(found, expected)


def test_a_shift_by_the_whole_side_and_more_leaves_black() -> None:
    for identity in "abcdefgh":
        down, right = direction_of(identity, 0)
        if max(abs(down), abs(right)) > 0.97:
            changed = after(
                Shift(share=1), 1, torch.ones(1, 3, 8, 8), identity=identity
            )
            assert changed.max() == 0
    wide = after(Shift(share=1), 1, torch.ones(1, 3, 8, 8), frame=(0.4, 0.4, 0.6, 0.6))
    assert wide.min() >= 0


@given(ids, seeds)
def test_what_a_crop_cuts_off_is_cut_off_at_every_higher_severity(
    identity: str, seed: int
) -> None:
    above, left = sides_of(identity, seed)
    for before in (above, left):
        assert 0 <= before < 1
        starts = [0.4 * step / 10 * before for step in range(11)]
        ends = [1 - 0.4 * step / 10 * (1 - before) for step in range(11)]
        assert starts == sorted(starts)
        assert ends == sorted(ends, reverse=True)


def test_a_crop_shows_the_window_that_follows_from_the_id() -> None:
    # A ramp tells where a pixel comes from.
    ramp = (torch.arange(100) / 100).expand(1, 3, 100, 100).contiguous()
    _, left = sides_of("a", 0)
    changed = after(Crop(), 1, ramp)[0, 0, 50]
    middles = (torch.arange(100) + 0.5) / 100
    expected = 0.4 * left + middles * 0.6 - 0.005
    assert (changed - expected).abs().max() < 1e-3


def test_a_zoom_enlarges_about_the_middle_and_a_factor_below_1_leaves_a_black_rim() -> (
    None
):
    ramp = (torch.arange(100) / 100).expand(1, 3, 100, 100).contiguous()
    middles = (torch.arange(100) + 0.5) / 100
    enlarged = after(Zoom(factor=2), 1, ramp)[0, 0, 50]
    assert (enlarged - (0.25 + middles / 2 - 0.005)).abs().max() < 1e-3
    white = torch.ones(1, 3, 100, 100)
    smaller = after(Zoom(factor=0.5), 1, white)[0, 0]
    assert smaller[25:75, 25:75].min() == 1
    assert smaller.sum() == 50 * 50


def test_a_mirrored_film_is_the_film_with_its_columns_in_reverse() -> None:
    pixels = smooth(2, side=32)
    assert torch.equal(after(Mirrored(), 0.2, pixels), pixels.flip(3))
    twice = after(Mirrored(), 1, after(Mirrored(), 1, pixels))
    assert torch.equal(twice, pixels)


def test_a_crop_that_shows_more_of_the_left_mirrors_about_the_middle_of_the_source() -> (
    None
):
    # The square shows columns 0 to 8 of a source that is 10 wide; 8 and 9 are cut off.
    pixels = (torch.arange(8) / 8).expand(1, 3, 8, 8).contiguous()
    changed = after(Mirrored(), 1, pixels, frame=(0, 0, 1.25, 1))[0, 0, 0] * 8
    assert changed.tolist() == [7, 7, 7, 6, 5, 4, 3, 2]


def test_what_a_models_crop_cut_off_comes_in_as_the_nearest_pixel_and_not_as_black() -> (
    None
):
    white = torch.ones(1, 3, 40, 40)
    cut: Box = (-0.5, -0.5, 1.5, 1.5)
    for corruption in (Rotation(), Shift(), Zoom(factor=0.8)):
        for identity in "abcd":
            assert after(corruption, 1, white, identity=identity, frame=cut).min() == 1


@pytest.mark.parametrize("corruption", [Pixelation(), Resampling()])
def test_blocks_are_those_of_the_source_whatever_a_model_shows_of_it(
    corruption: Any,
) -> None:
    # The square of 100 pixels shows the middle of a source of 200.
    pixels = smooth(3, side=200)
    whole = after(corruption, 0.8, pixels)[..., 50:150, 50:150]
    part = pixels[..., 50:150, 50:150].contiguous()
    shown = after(corruption, 0.8, part, frame=(-0.5, -0.5, 1.5, 1.5))
    assert torch.equal(shown[..., 20:80, 20:80], whole[..., 20:80, 20:80])


def test_a_picture_with_fewer_pixels_than_blocks_stays_as_it_is() -> None:
    levels = (smooth(4, side=20) * 255).round().to(torch.uint8)
    for corruption in (Pixelation(), Resampling()):
        assert torch.equal(after(corruption, 0.2, levels), levels)


@pytest.mark.parametrize("side", [112, 448])
def test_a_blur_of_a_smooth_picture_is_the_same_at_every_size(side: int) -> None:
    def shown(of_side: int) -> torch.Tensor:
        rows, columns = torch.meshgrid(
            *[(torch.arange(of_side) + 0.5) / of_side] * 2, indexing="ij"
        )
        waves = 0.5 + 0.3 * torch.sin(rows * 20) * torch.cos(columns * 17)
        return waves.expand(1, 3, -1, -1).contiguous()

    for corruption in (FocusBlur(), FocusBlur(preset="imagenet-c"), MotionBlur()):
        of_224 = after(corruption, 1, shown(224))
        pooled = torch.nn.functional.interpolate(
            after(corruption, 1, shown(side)), size=(224, 224), mode="bilinear"
        )
        inside = slice(40, -40)
        apart = (pooled - of_224)[..., inside, inside].abs().max()
        assert apart < 0.02


def test_a_pillow_without_the_codec_is_an_error_that_says_so() -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("encoder jpeg not available at /secret/path")

    with (
        mock.patch("PIL.Image.Image.save", fail),
        pytest.raises(CorruptionError, match="Install a Pillow with JPEG") as caught,
    ):
        after(Jpeg(), 1, smooth(0))
    assert "/secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Rotation(degrees=0), "degrees=0"),
        (lambda: Rotation(degrees=90), "degrees=90"),
        (lambda: Shift(share=1.5), r"share=1\.5"),
        (lambda: Crop(share=1), "share=1"),
        (lambda: Zoom(factor=1), "factor=1"),
        (lambda: Zoom(factor=float("nan")), "factor=nan"),
        (lambda: MotionBlur(preset="medmnist-c"), "preset='medmnist-c'"),
    ],
)
def test_a_parameter_out_of_range_is_an_error_that_says_what_is(
    build: Any, said: str
) -> None:
    with pytest.raises(CorruptionError, match=said):
        build()
