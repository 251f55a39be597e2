from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from math import floor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.errors import OcclusionError
from pytest_retrieval_robust.occluders import WHOLE, Box, Occluder
from pytest_retrieval_robust.occluders.area import visible_level
from pytest_retrieval_robust.occluders.patches import Patches

IDS = ["a", "b", "c", "d", "e"]
CROPPED: Box = (-0.25, -0.125, 1.25, 1.125)
PADDED: Box = (0.0, 0.2, 1.0, 0.8)
FRAMES = [WHOLE, CROPPED, PADDED]

levels = st.integers(0, 1000).map(lambda n: n / 1000)
grids = st.integers(1, 20)
seeds = st.integers(0, 2**64 - 1)
boxes = st.tuples(st.floats(-1, 0.4), st.floats(-1, 0.4), st.floats(0.6, 2), st.floats(0.6, 2))


def picture(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def source(box: Box, side: int) -> torch.Tensor:
    """(side, side) bool: whether a pixel's centre lies in the box."""
    left, top, right, bottom = box
    centres = [(i + 0.5) / side for i in range(side)]
    return torch.tensor([[left <= x < right and top <= y < bottom for x in centres] for y in centres])


@pytest.mark.parametrize("fill", ["black", "white", "mean", "noise"])
@pytest.mark.parametrize("frame", FRAMES)
def test_level_0_is_the_identity(fill: str, frame: Box) -> None:
    pixels = picture(5, 3, 32, 32)
    assert torch.equal(Patches(fill=fill).occlude(pixels, IDS, 0, 0, frame), pixels)


@given(boxes, grids, seeds)
def test_level_1_hides_every_source_pixel_and_no_padding(box: Box, grid: int, seed: int) -> None:
    mask = Patches(grid).mask(IDS, 1, seed, 24, box)
    assert torch.equal(mask, source(box, 24).expand(5, 1, 24, 24))


@given(levels, levels, grids, seeds, boxes)
def test_masks_are_nested_in_the_level(one: float, other: float, grid: int, seed: int, box: Box) -> None:
    less, more = (Patches(grid).mask(IDS, level, seed, 24, box) for level in sorted((one, other)))
    assert not (less & ~more).any()


@given(levels, grids, seeds)
def test_the_hidden_share_is_exact_to_a_cell(level: float, grid: int, seed: int) -> None:
    expected = int((Decimal(repr(level)) * grid * grid).to_integral_value(ROUND_HALF_UP))
    mask = Patches(grid).mask(IDS, level, seed, grid, WHOLE)
    assert mask.sum(dim=(1, 2, 3)).tolist() == [expected] * 5
    assert Patches(grid).achieved_level(level) == expected / grid**2


@given(seeds, grids)
def test_the_order_is_a_permutation_of_the_cells(seed: int, grid: int) -> None:
    order = Patches(grid).order(IDS, seed, "cpu")
    assert torch.equal(order.flatten(1).sort(dim=1).values, torch.arange(grid**2).expand(5, -1))


@given(levels, seeds, st.permutations(range(5)), st.sampled_from(["black", "mean", "noise"]))
def test_an_image_does_not_depend_on_its_batch(level: float, seed: int, places: list[int], fill: str) -> None:
    occluder, pixels = Patches(7, fill), picture(5, 3, 21, 21)
    frames = [WHOLE, CROPPED, PADDED, WHOLE, CROPPED]
    whole = occluder.occlude(pixels, IDS, level, seed, frames)
    for i in places:
        assert torch.equal(occluder.occlude(pixels[i : i + 1], [IDS[i]], level, seed, frames[i])[0], whole[i])
    moved = occluder.occlude(pixels[places], [IDS[i] for i in places], level, seed, [frames[i] for i in places])
    assert torch.equal(moved, whole[places])


@given(levels, boxes)
def test_a_pixel_belongs_to_the_cell_under_its_centre(level: float, box: Box) -> None:
    occluder, side = Patches(5), 17
    hidden = occluder.order(["x"], 3, "cpu")[0] < occluder.hidden_cells(level)
    mask, shown = occluder.mask(["x"], level, 3, side, box)[0, 0], source(box, side)
    left, top, right, bottom = box
    for y, x in shown.nonzero().tolist():
        row = floor(((y + 0.5) / side - top) / (bottom - top) * 5)
        column = floor(((x + 0.5) / side - left) / (right - left) * 5)
        assert mask[y, x] == hidden[row, column]


@given(levels, st.sampled_from(FRAMES), st.sampled_from(["black", "white", "mean", "noise"]))
def test_pixels_outside_the_mask_and_the_input_stay_bit_for_bit(level: float, frame: Box, fill: str) -> None:
    pixels = picture(2, 3, 16, 16) * 1.2 - 0.1
    pixels[0, 0, 0, :2] = torch.tensor([-0.0, torch.nan])
    before, mask = pixels.clone(), Patches(4, fill).mask(["a", "b"], level, 1, 16, frame).expand(2, 3, 16, 16)
    result = Patches(4, fill).occlude(pixels, ["a", "b"], level, 1, frame)
    assert torch.equal(result.view(torch.int32)[~mask], before.view(torch.int32)[~mask])
    assert torch.equal(pixels.view(torch.int32), before.view(torch.int32))


def test_out_is_written_and_may_be_the_pixels_themselves() -> None:
    pixels, buffer = picture(2, 3, 16, 16), torch.empty(2, 3, 16, 16)
    expected = Patches().occlude(pixels, ["a", "b"], 0.5, 0, WHOLE)
    assert Patches().occlude(pixels, ["a", "b"], 0.5, 0, WHOLE, out=buffer) is buffer
    Patches().occlude(pixels, ["a", "b"], 0.5, 0, WHOLE, out=pixels)
    assert torch.equal(buffer, expected)
    assert torch.equal(pixels, expected)


def test_seeds_and_ids_give_other_layouts() -> None:
    first, second = Patches().order(["a"], 0, "cpu"), Patches().order(["a"], 1, "cpu")
    assert not torch.equal(first, second)
    assert not torch.equal(first, Patches().order(["b"], 0, "cpu"))


def test_layouts_never_change_between_releases() -> None:
    assert Patches(3).order(["study-1"], 0, "cpu").flatten().tolist() == [7, 8, 2, 1, 0, 5, 3, 4, 6]


def test_each_cell_is_hidden_equally_often() -> None:
    mask = Patches(4).mask([str(i) for i in range(4000)], 0.25, 0, 4, WHOLE)
    share = mask.double().mean(dim=(0, 1))
    assert share.sub(0.25).abs().max() < 5 * (0.25 * 0.75 / 4000) ** 0.5


def test_models_that_crop_or_pad_hide_the_same_part_of_the_image() -> None:
    plain = Patches(8).mask(["a"], 0.4, 0, 64, WHOLE)
    cropped = Patches(8).mask(["a"], 0.4, 0, 32, (-0.5, -0.5, 1.5, 1.5))
    padded = Patches(8).mask(["a"], 0.4, 0, 128, (0.25, 0.25, 0.75, 0.75))
    assert torch.equal(cropped, plain[..., 16:48, 16:48])
    assert torch.equal(padded[..., 32:96, 32:96], plain)


def test_sizes_may_be_rectangles() -> None:
    assert Patches(2).mask(["a"], 0.5, 0, (4, 6), WHOLE).shape == (1, 1, 4, 6)


@pytest.mark.parametrize("frame", [WHOLE, PADDED, [WHOLE, PADDED]])
def test_visible_level_is_the_share_of_what_the_model_sees(frame: Box | Sequence[Box]) -> None:
    mask = Patches(10).mask(["a", "b"], 0.3, 0, 50, frame)
    assert visible_level(mask, frame) == pytest.approx(0.3)


def test_visible_level_counts_only_what_a_crop_leaves() -> None:
    mask = Patches(2).mask(["a"], 0.5, 0, 10, (0, 0, 2, 2))
    assert visible_level(mask, (0, 0, 2, 2)) in (0.0, 1.0)


def test_names_hold_what_is_not_the_default() -> None:
    assert Patches().name == "patches"
    assert Patches(grid=14, fill="mean").name == "patches(fill=mean,grid=14)"
    assert repr(Patches(14)) == "Patches(grid=14, fill='black')"
    assert isinstance(Patches(), Occluder)


def test_0_3_is_the_decimal() -> None:
    assert Patches(10).hidden_cells(0.3) == 30
    assert Patches(1).hidden_cells(0.5) == 1
    assert Patches(10).hidden_cells(0.285) == 29  # the float lies below; as a decimal it is a half


PIXELS = torch.zeros(1, 3, 8, 8)
MISUSES: dict[str, Callable[[], object]] = {
    "grid=0": lambda: Patches(0),
    "grid=257": lambda: Patches(257),
    "Did you mean 'black'": lambda: Patches(fill="blakc"),
    "level=1.5": lambda: Patches().mask(["a"], 1.5, 0, 8, WHOLE),
    "level=nan": lambda: Patches().mask(["a"], float("nan"), 0, 8, WHOLE),
    "seed=-1": lambda: Patches().mask(["a"], 0.5, -1, 8, WHOLE),
    "size=0": lambda: Patches().mask(["a"], 0.5, 0, 0, WHOLE),
    "right > left": lambda: Patches().mask(["a"], 0.5, 0, 8, (0.5, 0, 0.5, 1)),
    r"len\(frame\)=2": lambda: Patches().mask(["a"], 0.5, 0, 8, [WHOLE, WHOLE]),
    r"len\(ids\)=2": lambda: Patches().occlude(PIXELS, ["a", "b"], 0.5, 0, WHOLE),
    "dtype=torch.int32": lambda: Patches().occlude(PIXELS.int(), ["a"], 0.5, 0, WHOLE),
    r"shape=\(1, 1, 8, 8\)": lambda: Patches().occlude(PIXELS[:, :1], ["a"], 0.5, 0, WHOLE),
    "out.dtype=torch.float64": lambda: Patches().occlude(PIXELS, ["a"], 0.5, 0, WHOLE, out=PIXELS.double()),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_was_got(message: str) -> None:
    with pytest.raises(OcclusionError, match=message):
        MISUSES[message]()


def test_registration_loads_no_torch() -> None:
    code = (
        "import sys, pytest_retrieval_robust.occluders.patches as p; p.Patches().name; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("fill", ["black", "mean", "noise"])
def test_cuda_gives_the_same_bits(fill: str) -> None:
    pixels, frames = picture(3, 3, 64, 64), FRAMES
    here = Patches(fill=fill).occlude(pixels, IDS[:3], 0.3, 5, frames)
    there = Patches(fill=fill).occlude(pixels.cuda(), IDS[:3], 0.3, 5, frames)
    assert torch.equal(there.cpu(), here)
