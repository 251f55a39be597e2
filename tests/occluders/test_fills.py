from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.occluders import WHOLE, Box
from pytest_retrieval_robust.occluders._donors import Donors
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.fills import CONTENT_FREE, FILLS, noise
from pytest_retrieval_robust.occluders.hashing import by_hash, host_words

from .generators import CROPPED, FRAMES, frames, levels, picture, seeds, source

SIDEWAYS: Box = (0.25, 0.0, 0.75, 1.0)
OF_ONE_IMAGE = [fill for fill in FILLS if fill != "donor"]


def all_hidden(
    fill: str, pixels: torch.Tensor, seed: int = 0, frame: Box = WHOLE
) -> torch.Tensor:
    ids = [chr(ord("a") + number) for number in range(len(pixels))]
    return Patches(fill=fill).occlude(pixels, ids, 1, seed, frame)


@pytest.mark.parametrize(
    ("fill", "value", "eight_bit"),
    [("black", 0.0, 0), ("white", 1.0, 255), ("grey", 0.5, 128)],
)
def test_constant_fills_are_what_they_are_called(
    fill: str, value: float, eight_bit: int
) -> None:
    pixels = picture(2, 3, 32, 32)
    assert (all_hidden(fill, pixels) == value).all()
    assert (all_hidden(fill, (pixels * 255).to(torch.uint8)) == eight_bit).all()


@given(st.sampled_from(CONTENT_FREE), levels, seeds)
def test_hidden_pixels_do_not_matter(fill: str, level: float, seed: int) -> None:
    occluder = Patches(4, fill)
    first = picture(2, 3, 16, 16)
    second = picture(2, 3, 16, 16, seed=1)
    mask = occluder.mask(["a", "b"], level, seed, 16, WHOLE)
    second = torch.where(mask, second, first)
    results = [
        occluder.occlude(pixels, ["a", "b"], level, seed, WHOLE)
        for pixels in (first, second)
    ]
    assert torch.equal(*results)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float64]
)
@pytest.mark.parametrize("fill", OF_ONE_IMAGE)
def test_fills_keep_the_dtype(fill: str, dtype: torch.dtype) -> None:
    assert all_hidden(fill, picture(1, 3, 16, 16).to(dtype)).dtype == dtype


@pytest.mark.parametrize("fill", ["noise", "mean", "blur", "shuffled"])
def test_fills_of_8_bit_pixels_are_those_of_floats_but_for_rounding(fill: str) -> None:
    pixels = (picture(2, 3, 32, 32) * 255).round()
    whole = all_hidden(fill, pixels.to(torch.uint8), frame=SIDEWAYS).float()
    assert (
        whole - all_hidden(fill, pixels / 255, frame=SIDEWAYS) * 255
    ).abs().max() <= 1


# mean


def test_mean_is_that_of_the_source_pixels_of_each_channel() -> None:
    pixels = picture(2, 3, 32, 32)
    result = all_hidden("mean", pixels, frame=SIDEWAYS)
    expected = pixels[..., 8:24].double().mean(dim=(2, 3), keepdim=True)
    assert (result[..., 8:24].double() - expected).abs().max() < 1e-7
    assert torch.equal(result[..., :8], pixels[..., :8])


def test_mean_keeps_a_constant_image() -> None:
    pixels = torch.full((1, 3, 224, 224), 0.1)
    assert torch.equal(
        Patches(fill="mean").occlude(pixels, ["a"], 0.5, 0, WHOLE), pixels
    )


@pytest.mark.parametrize("fill", OF_ONE_IMAGE)
def test_an_image_out_of_sight_stays_as_it_is(fill: str) -> None:
    pixels = picture(1, 3, 8, 8)
    assert torch.equal(all_hidden(fill, pixels, frame=(2, 2, 3, 3)), pixels)


# noise


def test_noise_is_uniform_gray_and_its_own_for_each_image_and_seed() -> None:
    result = all_hidden("noise", picture(2, 3, 64, 64))
    assert torch.equal(result[:, 0], result[:, 1])
    assert torch.equal(result[:, 0], result[:, 2])
    assert not torch.equal(result[0], result[1])
    assert not torch.equal(noise(["a"], 0, 8, 8, "cpu"), noise(["a"], 1, 8, 8, "cpu"))
    counts = result[:, 0].flatten().histc(16, 0, 1)
    assert (
        (counts - 512) ** 2 / 512
    ).sum() < 50  # chi-squared with 15 degrees of freedom
    assert 0 <= float(result.min()) <= float(result.max()) < 1


# blur


def fine_detail(pixels: torch.Tensor) -> float:
    """The power of all waves shorter than an eighth of the square."""
    side = pixels.shape[-1]
    cycles = torch.fft.fftfreq(side, 1 / side)
    power = torch.fft.fft2(pixels.double() - pixels.double().mean()).abs() ** 2
    return float(power[..., (cycles[:, None] ** 2 + cycles**2) > 8**2].sum())


def test_blur_leaves_nothing_fine() -> None:
    pixels = picture(1, 3, 64, 64)
    assert fine_detail(all_hidden("blur", pixels)) < 0.002 * fine_detail(pixels)


def test_blur_leaves_what_is_coarse() -> None:
    coarse = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    assert (all_hidden("blur", coarse) - coarse)[..., 16:-16].abs().max() < 1e-6


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255), frames)
def test_blur_keeps_a_constant_image(
    height: int, width: int, grey: int, frame: Box
) -> None:
    pixels = torch.full((1, 3, height, width), grey, dtype=torch.uint8)
    assert torch.equal(all_hidden("blur", pixels, frame=frame), pixels)
    assert (
        all_hidden("blur", pixels / 255, frame=frame) - pixels / 255
    ).abs().max() < 1e-6


@pytest.mark.parametrize("fill", ["mean", "blur", "shuffled"])
@given(frame=frames, padding=st.sampled_from([0.0, 1.0, 1e30, float("nan")]))
def test_padding_does_not_leak_in(fill: str, frame: Box, padding: float) -> None:
    shown = source(frame, 24, 24)
    other = picture(1, 3, 24, 24).masked_fill(~shown, padding)
    results = [
        all_hidden(fill, pixels, frame=frame)[..., shown]
        for pixels in (picture(1, 3, 24, 24), other)
    ]
    assert torch.equal(*results)


# shuffled


def test_shuffled_shows_the_images_own_blocks_in_the_order_of_the_words() -> None:
    pixels = picture(2, 3, 48, 64)
    seed = 5
    expected = torch.empty_like(pixels)
    for image, identity in enumerate("ab"):
        drawn = host_words(identity, seed, "shuffle", 256).tolist()
        place = {
            block: place
            for place, block in enumerate(
                sorted(range(256), key=lambda block: drawn[block])
            )
        }
        for block in range(256):
            (row, column), (top, left) = (
                divmod(number, 16) for number in (block, place[block])
            )
            expected[image, :, row * 3 : row * 3 + 3, column * 4 : column * 4 + 4] = (
                pixels[image, :, top * 3 : top * 3 + 3, left * 4 : left * 4 + 4]
            )
    assert torch.equal(all_hidden("shuffled", pixels, seed), expected)


@given(st.integers(1, 40), st.integers(1, 40), seeds, st.sampled_from(FRAMES) | frames)
def test_shuffled_shows_source_pixels_alone(
    height: int, width: int, seed: int, frame: Box
) -> None:
    numbered = (
        torch.arange(height * width)
        .reshape(1, 1, height, width)
        .expand(1, 3, -1, -1)
        .float()
    )
    shown = source(frame, height, width)
    result = all_hidden("shuffled", numbered, seed, frame)
    assert set(result[..., shown].flatten().tolist()) <= set(
        numbered[..., shown].flatten().tolist()
    )
    assert torch.equal(result[..., ~shown], numbered[..., ~shown])


def test_shuffled_is_another_order_for_each_image_and_seed() -> None:
    pixels = picture(1, 3, 32, 32).expand(2, -1, -1, -1)
    first, other = all_hidden("shuffled", pixels)
    assert not torch.equal(first, other)
    assert not torch.equal(first, all_hidden("shuffled", pixels, seed=1)[0])


# donor


def donors(*pixels: torch.Tensor, views: tuple[Box, ...] = (WHOLE, WHOLE)) -> Donors:
    return Donors(["a", "b", "c"][: len(pixels)], torch.stack(pixels), views)


def flat(value: float, side: int = 8) -> torch.Tensor:
    return torch.full((3, side, side), value)


def test_a_donor_must_be_bound() -> None:
    with pytest.raises(
        OcclusionError, match=r"got none. Bind the occluder to a data set first"
    ):
        Patches(fill="donor").occlude(picture(1, 3, 8, 8), ["a"], 0.5, 0, WHOLE)


@given(seeds, levels)
def test_no_image_is_its_own_donor(seed: int, level: float) -> None:
    occluder = Patches(4, "donor", donors=donors(flat(0.25), flat(0.75)))
    result = occluder.occlude(torch.zeros(2, 3, 8, 8), ["a", "b"], level, seed, WHOLE)
    mask = occluder.mask(["a", "b"], level, seed, 8, WHOLE)
    assert torch.equal(
        result,
        (mask * torch.tensor([0.75, 0.25]).reshape(2, 1, 1, 1)).expand_as(result),
    )


def test_every_donor_is_taken_for_other_images_and_seeds() -> None:
    occluder = Patches(4, "donor", donors=donors(flat(0.25), flat(0.75)))
    ids = [f"study-{number}" for number in range(100)]
    chosen = occluder.occlude(torch.zeros(100, 3, 8, 8), ids, 1, 0, WHOLE)[:, 0, 0, 0]
    assert 25 < int((chosen == 0.25).sum()) < 75
    assert not torch.equal(
        chosen,
        occluder.occlude(torch.zeros(100, 3, 8, 8), ids, 1, 1, WHOLE)[:, 0, 0, 0],
    )


@given(seeds, st.permutations(range(3)))
def test_a_donor_does_not_depend_on_the_batch(seed: int, places: list[int]) -> None:
    given_ids = ["x", "a", "y"]
    views = [WHOLE, CROPPED, SIDEWAYS]
    pixels = picture(3, 3, 12, 12)
    others = donors(*picture(2, 3, 12, 12, seed=1), views=(SIDEWAYS, CROPPED))
    occluder = Patches(4, "donor", donors=others)
    whole = occluder.occlude(pixels, given_ids, 0.5, seed, views)
    moved = occluder.occlude(
        pixels[places],
        [given_ids[place] for place in places],
        0.5,
        seed,
        [views[place] for place in places],
    )
    first = places[0]
    alone = occluder.occlude(
        pixels[first : first + 1], [given_ids[first]], 0.5, seed, views[first]
    )
    assert torch.equal(moved, whole[places])
    assert torch.equal(alone[0], whole[first])


def ramps(frame: Box, side: int) -> torch.Tensor:
    """(3, side, side): the relative position across, down and across in the source that
    each pixel shows; else -9.
    """
    centres = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    left, top, right, bottom = frame
    across = ((centres - left) / (right - left)).expand(side, side)
    down = ((centres - top) / (bottom - top))[:, None].expand(side, side)
    return torch.stack([across, down, across]).masked_fill(
        ~source(frame, side, side), -9
    )


@given(st.sampled_from(FRAMES) | frames, st.sampled_from(FRAMES) | frames)
def test_a_donor_shows_the_same_place_or_the_nearest_that_it_has(
    own: Box, theirs: Box
) -> None:
    side = 24
    mine = ramps(own, side)
    donated = ramps(theirs, side)
    shown = source(own, side, side)
    has = source(theirs, side, side)
    assume(bool(has.any()) and bool(shown.any()))
    result = Patches(
        4, "donor", donors=donors(donated, donated, views=(theirs, theirs))
    ).occlude(mine[None], ["x"], 1, 0, own)[0]
    for channel, size in ((0, theirs[2] - theirs[0]), (1, theirs[3] - theirs[1])):
        lowest = donated[channel][has].min()
        highest = donated[channel][has].max()
        expected = mine[channel][shown].clamp(lowest, highest)
        assert (
            result[channel][shown] - expected
        ).abs().max() <= 0.5 / side / size + 1e-9
    assert torch.equal(result[:, ~shown], mine[:, ~shown])


def test_donors_of_8_bit_pixels_are_scaled() -> None:
    occluder = Patches(4, "donor", donors=donors(flat(0.2), flat(0.2)))
    assert (
        occluder.occlude(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ["x"], 1, 0, WHOLE)
        == 51
    ).all()


@given(st.permutations([f"study-{number}" for number in range(30)]))
def test_the_donors_of_a_data_set_do_not_depend_on_its_order(ids: list[str]) -> None:
    in_order = [ids[number] for number in by_hash(ids, "donors")]
    assert in_order == [
        f"study-{number}"
        for number in by_hash([f"study-{number}" for number in range(30)], "donors")
    ]
    assert sorted(in_order) == sorted(ids)


def test_what_an_occluder_knows_of_donors_is_no_part_of_its_name() -> None:
    occluder = Patches(4, "donor", donors=donors(flat(0.2), flat(0.2)))
    assert occluder == Patches(4, "donor")
    assert occluder.name == "patches(fill=donor,grid=4)"
