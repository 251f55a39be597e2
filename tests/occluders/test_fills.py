from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.occluders import WHOLE, Box
from pytest_retrieval_robust.occluders.fills import noise
from pytest_retrieval_robust.occluders.hashing import mix, words
from pytest_retrieval_robust.occluders.patches import Patches

PADDED: Box = (0.25, 0.0, 0.75, 1.0)


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def whole_word_mix(word: int) -> int:
    """The hash in Python's unbounded integers."""
    word ^= word >> 16
    word = word * 0x21F0AAAD % 2**32
    word ^= word >> 15
    word = word * 0xD35A2D97 % 2**32
    return word ^ word >> 15


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1))
def test_the_hash_is_that_of_unbounded_integers(numbers: list[int]) -> None:
    assert mix(torch.tensor(numbers)).tolist() == [whole_word_mix(number) for number in numbers]


def test_streams_of_other_purpose_are_other_words() -> None:
    counters = torch.arange(8)
    assert not torch.equal(words(["a"], 0, "order", counters), words(["a"], 0, "noise", counters))


@pytest.mark.parametrize(("fill", "value"), [("black", 0.0), ("white", 1.0)])
def test_hidden_pixels_are_black_or_white(fill: str, value: float) -> None:
    assert (Patches(fill=fill).occlude(picture(2, 3, 32, 32), ["a", "b"], 1, 0, WHOLE) == value).all()


@given(st.sampled_from(["black", "white", "noise"]), st.integers(0, 100), st.integers(0, 2**32))
def test_hidden_pixels_do_not_matter(fill: str, percent: int, seed: int) -> None:
    occluder, first, second = Patches(4, fill), picture(2, 3, 16, 16), picture(2, 3, 16, 16, seed=1)
    mask = occluder.mask(["a", "b"], percent / 100, seed, 16, WHOLE)
    second = torch.where(mask, second, first)
    results = [occluder.occlude(pixels, ["a", "b"], percent / 100, seed, WHOLE) for pixels in (first, second)]
    assert torch.equal(*results)


def test_mean_is_that_of_the_source_pixels_of_each_channel() -> None:
    pixels = picture(2, 3, 32, 32)
    result = Patches(fill="mean").occlude(pixels, ["a", "b"], 1, 0, PADDED)
    expected = pixels[..., 8:24].double().mean(dim=(2, 3), keepdim=True)
    assert (result[..., 8:24].double() - expected).abs().max() < 1e-7
    assert torch.equal(result[..., :8], pixels[..., :8])


def test_mean_keeps_a_constant_image() -> None:
    pixels = torch.full((1, 3, 224, 224), 0.1)
    assert torch.equal(Patches(fill="mean").occlude(pixels, ["a"], 0.5, 0, WHOLE), pixels)


def test_mean_of_an_image_out_of_sight_leaves_it_alone() -> None:
    pixels = picture(1, 3, 8, 8)
    assert torch.equal(Patches(fill="mean").occlude(pixels, ["a"], 1, 0, (2, 2, 3, 3)), pixels)


def test_noise_is_uniform_gray_and_its_own_for_each_image_and_seed() -> None:
    result = Patches(fill="noise").occlude(picture(2, 3, 64, 64), ["a", "b"], 1, 0, WHOLE)
    assert torch.equal(result[:, 0], result[:, 1])
    assert torch.equal(result[:, 0], result[:, 2])
    assert not torch.equal(result[0], result[1])
    assert not torch.equal(noise(["a"], 0, 8, 8, "cpu"), noise(["a"], 1, 8, 8, "cpu"))
    counts = result[:, 0].flatten().histc(16, 0, 1)
    assert ((counts - 512) ** 2 / 512).sum() < 50  # chi-squared with 15 degrees of freedom
    assert 0 <= float(result.min()) <= float(result.max()) < 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("fill", ["black", "white", "mean", "noise"])
def test_fills_keep_the_dtype(fill: str, dtype: torch.dtype) -> None:
    assert Patches(fill=fill).occlude(picture(1, 3, 16, 16).to(dtype), ["a"], 0.5, 0, WHOLE).dtype == dtype
