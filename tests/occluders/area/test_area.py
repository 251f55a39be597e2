"""What holds for every area occluder with any parameters."""

from __future__ import annotations

import doctest
import random
from collections.abc import Callable
from dataclasses import fields
from decimal import ROUND_HALF_UP, Decimal
from importlib import import_module
from math import floor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.catalogue import Catalogue
from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.occluders import WHOLE, Occluder, OccluderEntry
from pytest_retrieval_robust.occluders import Box as Frame
from pytest_retrieval_robust.occluders.area import AreaOccluder
from pytest_retrieval_robust.occluders.area.blobs import Blobs
from pytest_retrieval_robust.occluders.area.border import Border
from pytest_retrieval_robust.occluders.area.box import PLACES, Box
from pytest_retrieval_robust.occluders.area.boxes import Boxes
from pytest_retrieval_robust.occluders.area.grid import Grid
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.area.side import EDGES, Side
from pytest_retrieval_robust.occluders.fills import CONTENT_FREE, FILLS

from ...emulated_device import emulated
from ..generators import (
    CROPPED,
    FAMILIES,
    FRAMES,
    IDS,
    PADDED,
    areas,
    bits,
    frames,
    levels,
    picture,
    seeds,
    source,
)

OF_ONE_IMAGE = [fill for fill in FILLS if fill != "donor"]
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@given(areas(OF_ONE_IMAGE), seeds, frames)
def test_level_0_is_the_identity(
    occluder: AreaOccluder, seed: int, frame: Frame
) -> None:
    pixels = picture(5, 3, 12, 12)
    assert torch.equal(occluder.occlude(pixels, IDS, 0, seed, frame), pixels)
    assert not occluder.mask(IDS, 0, seed, 12, frame).any()


@given(areas(), seeds, frames)
def test_level_1_hides_every_source_pixel_and_no_padding(
    occluder: AreaOccluder, seed: int, frame: Frame
) -> None:
    mask = occluder.mask(IDS, 1, seed, 24, frame)
    assert torch.equal(mask, source(frame, 24, 24).expand(5, 1, 24, 24))


@given(areas(), levels, levels, seeds, frames)
def test_masks_are_nested_in_the_level(
    occluder: AreaOccluder, level: float, other_level: float, seed: int, frame: Frame
) -> None:
    less, more = (
        occluder.mask(IDS, level, seed, 24, frame)
        for level in sorted((level, other_level))
    )
    assert not (less & ~more).any()


@given(areas(), levels, seeds)
def test_the_hidden_share_is_exact_to_a_cell(
    occluder: AreaOccluder, level: float, seed: int
) -> None:
    expected = int(
        (Decimal(repr(level)) * occluder.grid**2).to_integral_value(ROUND_HALF_UP)
    )
    mask = occluder.mask(IDS, level, seed, occluder.grid, WHOLE)
    assert mask.sum(dim=(1, 2, 3)).tolist() == [expected] * 5
    assert (
        occluder.shares(IDS, level, seed)
        == [occluder.achieved_level(level)] * 5
        == [expected / occluder.grid**2] * 5
    )


@given(areas(), seeds)
def test_the_order_is_a_permutation_of_the_cells(
    occluder: AreaOccluder, seed: int
) -> None:
    order = occluder.order(IDS, seed, "cpu")
    assert order.dtype == torch.int64
    assert torch.equal(
        order.flatten(1).sort(dim=1).values,
        torch.arange(occluder.grid**2).expand(5, -1),
    )


@given(areas(OF_ONE_IMAGE), levels, seeds, st.permutations(range(5)))
def test_an_image_does_not_depend_on_its_batch(
    occluder: AreaOccluder, level: float, seed: int, places: list[int]
) -> None:
    pixels = picture(5, 3, 21, 21)
    views = [WHOLE, CROPPED, PADDED, WHOLE, CROPPED]
    whole = occluder.occlude(pixels, IDS, level, seed, views)
    i = places[0]
    assert torch.equal(
        occluder.occlude(pixels[i : i + 1], [IDS[i]], level, seed, views[i])[0],
        whole[i],
    )
    moved = occluder.occlude(
        pixels[places],
        [IDS[i] for i in places],
        level,
        seed,
        [views[i] for i in places],
    )
    assert torch.equal(moved, whole[places])


@given(areas(OF_ONE_IMAGE), levels, seeds)
def test_an_id_that_occurs_twice_is_hidden_alike(
    occluder: AreaOccluder, level: float, seed: int
) -> None:
    pixels = picture(1, 3, 16, 16).expand(2, -1, -1, -1)
    first, second = occluder.occlude(pixels, ["a", "a"], level, seed, WHOLE)
    assert torch.equal(first, second)


@given(areas(), levels, seeds, frames)
def test_a_pixel_belongs_to_the_cell_under_its_centre(
    occluder: AreaOccluder, level: float, seed: int, frame: Frame
) -> None:
    hidden = occluder.order(["x"], seed, "cpu")[0] < occluder.hidden_cells(level)
    mask = occluder.mask(["x"], level, seed, (9, 7), frame)[0, 0]
    shown = source(frame, 9, 7)
    left, top, right, bottom = frame
    for y, x in shown.nonzero().tolist():
        row = floor(((y + 0.5) / 9 - top) / (bottom - top) * occluder.grid)
        column = floor(((x + 0.5) / 7 - left) / (right - left) * occluder.grid)
        assert mask[y, x] == hidden[row, column]


@given(
    areas(OF_ONE_IMAGE),
    levels,
    st.sampled_from(FRAMES),
    st.sampled_from([torch.uint8, *FLOATS]),
)
def test_pixels_outside_the_mask_and_the_input_stay_bit_for_bit(
    occluder: AreaOccluder, level: float, frame: Frame, dtype: torch.dtype
) -> None:
    pixels = (
        picture(2, 3, 16, 16) * 1.2 - 0.1
        if dtype.is_floating_point
        else picture(2, 3, 16, 16) * 255
    )
    pixels = pixels.to(dtype)
    if dtype.is_floating_point:
        pixels[0, 0, 0, :2] = torch.tensor([-0.0, torch.nan])
    before = pixels.clone()
    mask = occluder.mask(["a", "b"], level, 1, 16, frame).expand(2, 3, 16, 16)
    result = occluder.occlude(pixels, ["a", "b"], level, 1, frame)
    assert result.dtype == dtype
    assert torch.equal(bits(result[~mask]), bits(before[~mask]))
    assert torch.equal(bits(pixels), bits(before))


@given(
    areas(CONTENT_FREE),
    levels,
    seeds,
    st.sampled_from(FRAMES),
    st.sampled_from([torch.uint8, *FLOATS]),
)
def test_what_a_content_free_fill_hides_is_gone_be_it_nan(
    occluder: AreaOccluder, level: float, seed: int, frame: Frame, dtype: torch.dtype
) -> None:
    mask = occluder.mask(["a", "b"], level, seed, 16, frame).expand(2, 3, 16, 16)
    pixels = (picture(2, 3, 16, 16) * 200).to(dtype)
    broken = pixels.masked_fill(mask, torch.nan if dtype.is_floating_point else 255)
    with_numbers, with_nan = (
        occluder.occlude(values, ["a", "b"], level, seed, frame)
        for values in (pixels, broken)
    )
    assert torch.equal(with_numbers, with_nan)


@given(areas(OF_ONE_IMAGE), levels, seeds)
def test_out_is_written_and_may_be_the_pixels_themselves(
    occluder: AreaOccluder, level: float, seed: int
) -> None:
    pixels = picture(2, 3, 16, 16)
    buffer = torch.empty(2, 3, 16, 16)
    expected = occluder.occlude(pixels, ["a", "b"], level, seed, WHOLE)
    assert (
        occluder.occlude(pixels, ["a", "b"], level, seed, WHOLE, out=buffer) is buffer
    )
    occluder.occlude(pixels, ["a", "b"], level, seed, WHOLE, out=pixels)
    assert torch.equal(buffer, expected)
    assert torch.equal(pixels, expected)


@given(areas(OF_ONE_IMAGE), levels, seeds, frames)
def test_a_single_pixel_is_an_image(
    occluder: AreaOccluder, level: float, seed: int, frame: Frame
) -> None:
    pixels = torch.full((2, 3, 1, 1), 0.25)
    mask = occluder.mask(["a", "b"], level, seed, 1, frame)
    result = occluder.occlude(pixels, ["a", "b"], level, seed, frame)
    assert mask.shape == (2, 1, 1, 1)
    assert torch.equal(result[~mask.expand_as(result)], pixels[~mask.expand_as(result)])


@given(areas(OF_ONE_IMAGE), levels, seeds, st.booleans())
def test_an_empty_batch_stays_empty(
    occluder: AreaOccluder, level: float, seed: int, is_one_box: bool
) -> None:
    frame: Frame | list[Frame] = WHOLE if is_one_box else []
    assert occluder.mask([], level, seed, (8, 6), frame).shape == (0, 1, 8, 6)
    for dtype in (torch.float32, torch.uint8):
        assert occluder.occlude(
            torch.zeros(0, 3, 8, 6, dtype=dtype), [], level, seed, frame
        ).shape == (0, 3, 8, 6)
    assert occluder.shares([], level, seed) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_grid_may_be_finer_than_the_image(family: str) -> None:
    occluder = FAMILIES[family](grid=256)
    mask = occluder.mask([str(number) for number in range(20)], 0.5, 0, 5, WHOLE)
    assert 0.35 < float(mask.double().mean()) < 0.65


@given(areas(), levels, seeds)
def test_models_that_crop_or_pad_hide_the_same_part_of_the_image(
    occluder: AreaOccluder, level: float, seed: int
) -> None:
    plain = occluder.mask(["a"], level, seed, 64, WHOLE)
    cropped = occluder.mask(["a"], level, seed, 32, (-0.5, -0.5, 1.5, 1.5))
    padded = occluder.mask(["a"], level, seed, 128, (0.25, 0.25, 0.75, 0.75))
    assert torch.equal(cropped, plain[..., 16:48, 16:48])
    assert torch.equal(padded[..., 32:96, 32:96], plain)


SEEDLESS = [Side(edge=edge) for edge in ("left", "right")] + [
    Box(at=place) for place in PLACES if place != "random"
]


@pytest.mark.parametrize("family", FAMILIES)
def test_seeds_and_ids_give_other_layouts(family: str) -> None:
    occluder = FAMILIES[family]()
    many = [str(number) for number in range(8)]
    first, second = (occluder.order(many, seed, "cpu") for seed in (0, 1))
    assert any(not torch.equal(first[0], order) for order in first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    "occluder",
    [*(FAMILIES[family](8) for family in FAMILIES), *SEEDLESS],
    ids=lambda occluder: str(occluder.name),
)
def test_an_order_is_put_where_whole_numbers_cannot_be_sorted(
    occluder: AreaOccluder,
) -> None:
    """It is made on the host for an Apple GPU."""
    expected = occluder.order(IDS, 0, "cpu")
    with emulated("mps"):
        order = occluder.order(IDS, 0, "mps")
        assert order.device.type == "mps"
        assert torch.equal(order.cpu(), expected)


@pytest.mark.parametrize("occluder", SEEDLESS, ids=lambda occluder: str(occluder.name))
def test_a_fixed_place_is_the_same_for_all_seeds_and_ids(
    occluder: AreaOccluder,
) -> None:
    orders = torch.cat([occluder.order(["a", "b"], seed, "cpu") for seed in (0, 1)])
    assert torch.equal(orders, orders[:1].expand_as(orders))


PINNED: dict[AreaOccluder, list[int]] = {
    Patches(3): [7, 8, 2, 1, 0, 5, 3, 4, 6],
    Patches(4): [14, 15, 7, 6, 5, 11, 9, 10, 12, 1, 4, 8, 13, 3, 2, 0],
    Box(4): [6, 7, 8, 9, 0, 1, 4, 10, 2, 3, 5, 11, 12, 13, 14, 15],
    Box(4, at="bottom-right"): [12, 9, 10, 11, 13, 6, 4, 5, 14, 7, 2, 1, 15, 8, 3, 0],
    Boxes(4, count=2): [0, 7, 8, 12, 2, 4, 9, 13, 3, 5, 10, 14, 1, 6, 11, 15],
    Blobs(4, size=2): [15, 13, 14, 12, 1, 4, 10, 5, 0, 2, 8, 7, 3, 6, 9, 11],
    Grid(4, period=2): [12, 8, 13, 9, 0, 4, 1, 5, 14, 10, 15, 11, 2, 6, 3, 7],
    Border(4): [3, 11, 10, 9, 2, 13, 15, 8, 1, 12, 14, 7, 0, 6, 5, 4],
    Side(4): [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
    Side(3, edge="right"): [6, 3, 0, 7, 4, 1, 8, 5, 2],
}


@pytest.mark.parametrize("occluder", PINNED, ids=lambda occluder: str(occluder.name))
def test_layouts_never_change_between_releases(occluder: AreaOccluder) -> None:
    assert occluder.order(["study-1"], 0, "cpu").flatten().tolist() == PINNED[occluder]


@pytest.mark.parametrize("family", ["patches", "blobs", "grid"])
def test_each_cell_is_hidden_about_equally_often(family: str) -> None:
    occluder = FAMILIES[family](grid=16)
    share = (
        occluder.mask([str(number) for number in range(4000)], 0.25, 0, 16, WHOLE)
        .double()
        .mean(dim=(0, 1))
    )
    assert (
        share.sub(0.25).abs().max()
        < {"patches": 0.035, "blobs": 0.08, "grid": 0.05}[family]
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_names_hold_what_is_not_the_default(family: str) -> None:
    assert FAMILIES[family]().name == family
    assert FAMILIES[family](grid=14, fill="mean").name == f"{family}(fill=mean,grid=14)"
    assert isinstance(FAMILIES[family](), Occluder)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_entry_takes_the_fields_that_its_class_adds(family: str) -> None:
    entry = Catalogue[OccluderEntry]("occluder", "occluders").get(family)
    own = [each for each in fields(FAMILIES[family]) if not each.kw_only]
    assert entry.parameters == {each.name: type(each.default) for each in own}
    assert entry.build is FAMILIES[family]
    assert entry.name == family


@pytest.mark.parametrize("family", FAMILIES)
def test_the_examples_of_the_docstrings_run(family: str) -> None:
    results = doctest.testmod(
        import_module(f"pytest_retrieval_robust.occluders.area.{family}")
    )
    assert (results.failed, results.attempted > 0) == (0, True)


MISUSES: dict[str, Callable[[], object]] = {
    "count=0": lambda: Boxes(count=0),
    "count=65": lambda: Boxes(count=65),
    "count=True": lambda: Boxes(count=True),
    "size=0": lambda: Blobs(size=0),
    "size=2.5": lambda: Blobs(size=2.5),  # type: ignore[arg-type]
    "period=1": lambda: Grid(period=1),
    "from 2 to 4, got period=5": lambda: Grid(grid=4, period=5),
    "at='middle'": lambda: Box(at="middle"),
    "edge='top'": lambda: Side(edge="top"),
}


@pytest.mark.parametrize("message", MISUSES)
def test_a_wrong_parameter_says_what_was_got(message: str) -> None:
    with pytest.raises(OcclusionError, match=message):
        MISUSES[message]()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"grid": 0}, "grid=0"),
        ({"grid": 257}, "grid=257"),
        ({"fill": "blakc"}, "Did you mean 'black'"),
    ],
)
def test_a_wrong_grid_or_fill_says_what_was_got(
    family: str, wrong: dict[str, int], message: str
) -> None:
    with pytest.raises(OcclusionError, match=message):
        FAMILIES[family](**wrong)  # type: ignore[arg-type]


def random_area(drawn: random.Random) -> AreaOccluder:
    grid = drawn.randint(1, 24)
    return drawn.choice(
        [
            Patches(grid),
            Border(grid),
            Box(grid, at=drawn.choice(PLACES)),
            Boxes(grid, count=drawn.randint(1, 8)),
            Blobs(grid, size=drawn.randint(1, 64)),
            Grid(grid, period=drawn.randint(2, max(2, grid))),
            Side(grid, edge=drawn.choice(EDGES)),
        ]
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_masks_in_10000_random_cases() -> None:
    drawn = random.Random(0)
    for _ in range(10_000):
        occluder = random_area(drawn)
        seed = drawn.getrandbits(64)
        level = drawn.random()
        ids = [str(drawn.getrandbits(64)) for _ in range(2)]
        boxes = [drawn.choice(FRAMES) for _ in range(2)]
        frame: Frame | list[Frame] = boxes[0] if drawn.random() < 0.5 else boxes
        size = (drawn.randint(1, 40), drawn.randint(1, 40))
        on_host, on_device = (
            occluder.mask(ids, level, seed, size, frame, device)
            for device in ("cpu", "cuda")
        )
        assert torch.equal(on_device.cpu(), on_host), (
            occluder,
            ids,
            seed,
            level,
            size,
            frame,
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    "fill", ["black", "white", "grey", "mean", "noise", "shuffled"]
)
def test_cuda_gives_the_same_pixels(fill: str) -> None:
    pixels = picture(3, 3, 64, 64)
    for family in FAMILIES.values():
        on_host = family(fill=fill).occlude(pixels, IDS[:3], 0.3, 5, FRAMES)
        on_device = family(fill=fill).occlude(pixels.cuda(), IDS[:3], 0.3, 5, FRAMES)
        assert torch.equal(on_device.cpu(), on_host), family
