"""What every corruption of the catalogue keeps, whatever it does to the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import CorruptionError
from pytest_retrieval_robust.core.names import slug
from pytest_retrieval_robust.corruptions import WHOLE, Corruption
from pytest_retrieval_robust.corruptions import Box as Frame
from pytest_retrieval_robust.run.harm import rises_by_film

from ..emulated_device import emulated
from ..occluders.generators import bits
from .generators import (
    BY_FILMS,
    BY_PIXEL,
    CORRUPTIONS,
    CROPPED,
    ENTRIES,
    FRAMES,
    IDS,
    MIXED,
    STEPS,
    frames,
    names,
    outside,
    pictures,
    seeds,
    severities,
)

NAMES = sorted(CORRUPTIONS)
NO_SCENE = cast(Any, None)


def changed(
    name: str,
    pixels: torch.Tensor,
    severity: float,
    *,
    ids: Sequence[str] = IDS,
    seed: int = 0,
    frame: Any = WHOLE,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    return CORRUPTIONS[name].corrupt(pixels, ids, severity, seed, frame, out)


@given(names, seeds, frames)
def test_severity_0_keeps_every_bit(name: str, seed: int, frame: Frame) -> None:
    pixels = pictures() * 3 - 1
    pixels[0, 0, 0, :3] = torch.tensor([torch.nan, torch.inf, -0.0])
    kept = changed(name, pixels, 0, seed=seed, frame=frame)
    assert torch.equal(bits(kept), bits(pixels))
    assert kept is not pixels


@given(names, severities, seeds, frames)
def test_pixels_stay_within_black_and_white_and_padding_keeps_its_bits(
    name: str, severity: float, seed: int, frame: Frame
) -> None:
    pixels = pictures()
    after = changed(name, pixels, severity, seed=seed, frame=frame)
    assert after.dtype == pixels.dtype
    assert after.shape == pixels.shape
    assert after.min() >= 0
    assert after.max() <= 1
    padding = outside(frame, 16)
    assert torch.equal(bits(after[:, :, padding]), bits(pixels[:, :, padding]))


@pytest.mark.parametrize("name", NAMES)
def test_every_published_step_changes_pixels(name: str) -> None:
    # A picture with fewer pixels than a step leaves of 224 stays as it is.
    pixels = pictures(images=2, side=224)
    for severity in STEPS:
        after = changed(name, pixels, severity, ids=IDS[:2])
        assert (after != pixels).flatten(1).any(dim=1).all()


@given(names, severities, seeds)
def test_a_batch_and_its_images_alone_or_in_another_order_have_the_same_bits(
    name: str, severity: float, seed: int
) -> None:
    pixels = pictures()
    together = changed(name, pixels, severity, seed=seed, frame=MIXED)
    order = [3, 0, 4, 2, 1]
    turned = changed(
        name,
        pixels[order],
        severity,
        ids=[IDS[number] for number in order],
        seed=seed,
        frame=[MIXED[number] for number in order],
    )
    assert torch.equal(turned, together[order])
    for number, identity in enumerate(IDS):
        alone = changed(
            name,
            pixels[number : number + 1],
            severity,
            ids=[identity],
            seed=seed,
            frame=MIXED[number],
        )
        assert torch.equal(alone[0], together[number])


@pytest.mark.parametrize("name", NAMES)
def test_large_batches_have_the_bits_of_small_ones(name: str) -> None:
    # More pixels than are changed together, on one thread and on two.
    pixels = pictures(images=3, side=224)
    ids = IDS[:3]
    together = changed(name, pixels, 0.5, ids=ids)
    apart = [changed(name, pixels[[n]], 0.5, ids=[ids[n]]) for n in range(3)]
    assert torch.equal(together, torch.cat(apart))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(changed(name, pixels, 0.5, ids=ids), together)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
def test_a_bound_corruption_in_several_threads_has_the_bits_of_a_fresh_one(
    name: str,
) -> None:
    pixels = pictures()
    bound = CORRUPTIONS[name].bind(NO_SCENE)
    levels = (*STEPS, 0.2)
    for seed in (0, 1):
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(
                lambda severity: bound.corrupt(pixels, IDS, severity, seed, WHOLE),  # noqa: B023
                levels,
            )
            for severity, after in zip(levels, found, strict=True):
                assert torch.equal(after, changed(name, pixels, severity, seed=seed))


@pytest.mark.parametrize("name", NAMES)
def test_bytes_change_as_floats_do(name: str) -> None:
    levels = (pictures() * 255).round().to(torch.uint8)
    for severity in (0.2, 0.7, 1):
        of_bytes = changed(name, levels, severity, frame=CROPPED)
        of_floats = changed(name, levels.float() / 255, severity, frame=CROPPED)
        assert of_bytes.dtype == torch.uint8
        assert (of_bytes.float() / 255 - of_floats).abs().max() <= 1.001 / 255


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_change_as_float32_does(name: str, dtype: torch.dtype) -> None:
    pixels = pictures().to(dtype)
    after = changed(name, pixels, 0.6)
    assert after.dtype == dtype
    of_float32 = changed(name, pixels.float(), 0.6)
    assert torch.equal(after, of_float32.to(dtype))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("frame", [*FRAMES, MIXED])
def test_a_buffer_gets_the_same_bits_even_if_it_is_the_batch_itself(
    name: str, frame: Any
) -> None:
    pixels = pictures()
    expected = changed(name, pixels, 0.6, frame=frame)
    for given_out in (torch.full_like(pixels, 7), pixels.clone()):
        result = changed(name, pixels, 0.6, frame=frame, out=given_out)
        assert result is given_out
        assert torch.equal(result, expected)
    own = pixels.clone()
    assert changed(name, own, 0.6, frame=frame, out=own) is own
    assert torch.equal(own, expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_that_does_not_lie_in_one_piece_has_the_same_bits(name: str) -> None:
    pixels = pictures()
    channels_last = pixels.to(memory_format=torch.channels_last)
    grey = pixels[:, :1].expand(-1, 3, -1, -1)
    assert torch.equal(changed(name, channels_last, 0.6), changed(name, pixels, 0.6))
    assert torch.equal(changed(name, grey, 0.6), changed(name, grey.clone(), 0.6))
    assert torch.equal(pixels, pictures())


@pytest.mark.parametrize("name", NAMES)
def test_a_grey_film_stays_grey(name: str) -> None:
    grey = pictures()[:, :1].expand(-1, 3, -1, -1).clone()
    for severity in (0.3, 1):
        after = changed(name, grey, severity)
        assert (after - after[:, :1]).abs().max() <= 1 / 255


@pytest.mark.parametrize("name", NAMES)
def test_pixels_beyond_the_scale_count_as_black_and_white_and_nan_as_black(
    name: str,
) -> None:
    pixels = pictures()
    pixels[:, :, 2:4] = 0
    pixels[:, :, 4:6] = 1
    beyond = pixels.clone()
    beyond[:, :, 2] = -0.3
    beyond[:, :, 3] = torch.nan
    beyond[:, :, 4] = 1.2
    beyond[:, :, 5] = torch.inf
    assert torch.equal(changed(name, beyond, 0.6), changed(name, pixels, 0.6))


@given(names, severities, seeds)
def test_one_pixel_no_image_and_a_frame_that_shows_nothing_are_changed_too(
    name: str, severity: float, seed: int
) -> None:
    one = pictures(images=1, side=1)
    after = changed(name, one, severity, ids=["a"], seed=seed)
    assert after.shape == one.shape
    assert 0 <= after.min() <= after.max() <= 1
    none = changed(name, one[:0], severity, ids=[], seed=seed)
    assert none.shape == (0, 3, 1, 1)
    away = changed(name, one, severity, ids=["a"], seed=seed, frame=(2, 2, 3, 3))
    assert torch.equal(away, one)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (5, 12)])
def test_pictures_need_not_be_square(name: str, shape: tuple[int, int]) -> None:
    pixels = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    for severity in (0.2, 1):
        after = changed(name, pixels, severity, ids=["a", "b"])
        assert after.shape == pixels.shape
        assert 0 <= after.min() <= after.max() <= 1


@given(names.filter(BY_PIXEL.__contains__), severities, severities, seeds)
def test_no_pixel_comes_nearer_to_the_clean_one_as_the_severity_rises(
    name: str, one: float, other: float, seed: int
) -> None:
    pixels = pictures()
    less, more = sorted((one, other))
    before = (changed(name, pixels, less, seed=seed) - pixels).abs()
    after = (changed(name, pixels, more, seed=seed) - pixels).abs()
    # Exposure looks up grey values that are rounded to a 64th of an 8-bit one.
    is_looked_up = name.endswith("exposure")
    rounding = 1 / (64 * 255) if is_looked_up else 1e-6
    assert (after >= before - rounding).all()


@pytest.fixture(scope="module")
def films() -> torch.Tensor:
    """(4, 3, 96, 96) films of the embedded data set."""
    dataset = load_dataset("synthetic-cxr")
    drawn = [
        dataset.image(number).convert("RGB").resize((96, 96)) for number in range(4)
    ]
    stacked = np.stack([np.asarray(image) for image in drawn])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_mean_distance_to_a_clean_film_never_falls(
    name: str, seed: int, films: torch.Tensor
) -> None:
    before = torch.zeros(4)
    for step in range(1, 11):
        after = changed(name, films, step / 10, ids=IDS[:4], seed=seed)
        distance = (after - films).abs().mean(dim=(1, 2, 3))
        if name in BY_FILMS:
            distance = distance.mean().expand(4)
        assert (distance >= before - 1e-6).all(), (step, before, distance)
        before = distance
    assert (before > 0).all()


def test_only_what_changes_pixels_alone_promises_a_rise_for_every_film() -> None:
    may_come_nearer = {name for name in NAMES if not rises_by_film(CORRUPTIONS[name])}
    switches = {name for name in NAMES if ENTRIES[name].is_switch}
    assert may_come_nearer == {*NAMES} - {*BY_PIXEL} - switches
    assert may_come_nearer >= {*BY_FILMS}


@pytest.mark.parametrize("name", [n for n in NAMES if ENTRIES[n].is_switch])
@settings(max_examples=5)
@given(severities.filter(bool), seeds)
def test_a_switch_is_the_same_at_every_severity_above_0(
    name: str, severity: float, seed: int
) -> None:
    pixels = pictures()
    expected = changed(name, pixels, 1, seed=seed)
    assert torch.equal(changed(name, pixels, severity, seed=seed), expected)


@pytest.mark.parametrize("device", ["cuda:0", "mps:0"])
@pytest.mark.parametrize("name", NAMES)
def test_an_emulated_device_gives_the_bits_of_the_processor(
    name: str, device: str
) -> None:
    pixels = pictures()
    expected = changed(name, pixels, 0.6, frame=MIXED)
    with emulated(device):
        after = changed(name, pixels.to(device), 0.6, frame=MIXED)
        assert after.device.type == device.partition(":")[0]
        on_host = after.cpu()
    assert torch.equal(on_host, expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "jpeg"])
def test_nothing_waits_for_a_device(name: str) -> None:
    pixels = pictures()
    with emulated("cuda:0") as device:
        on_device = pixels.to("cuda:0")
        with device.forbid_waits():
            changed(name, on_device, 0.6, frame=MIXED)


@pytest.mark.parametrize("severity", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_a_severity_outside_of_0_to_1_is_an_error(severity: Any) -> None:
    with pytest.raises(CorruptionError, match="severity from 0 to 1, got severity="):
        changed(NAMES[0], pictures(), severity)


@pytest.mark.parametrize("name", NAMES)
def test_a_decimal_severity_is_a_number(name: str) -> None:
    pixels = pictures()
    after = changed(name, pixels, cast(float, Decimal("0.6")))
    assert torch.equal(after, changed(name, pixels, 0.6))


@pytest.mark.parametrize(
    ("pixels", "ids", "said"),
    [
        (torch.zeros(3, 4, 4), IDS[:3], r"shape=\(3, 4, 4\)"),
        (torch.zeros(1, 1, 4, 4), IDS[:1], r"shape=\(1, 1, 4, 4\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int32), IDS[:1], "dtype=torch.int32"),
        (torch.zeros(2, 3, 4, 4), IDS[:1], "one id per image"),
    ],
)
def test_what_is_no_batch_of_pixels_is_an_error(
    pixels: torch.Tensor, ids: list[str], said: str
) -> None:
    with pytest.raises(CorruptionError, match=said):
        changed(NAMES[0], pixels, 0.5, ids=ids)


def test_a_seed_a_frame_or_a_buffer_that_does_not_fit_is_an_error() -> None:
    pixels = pictures()
    with pytest.raises(CorruptionError, match="seed"):
        changed(NAMES[0], pixels, 0.5, seed=-1)
    with pytest.raises(CorruptionError, match="frame"):
        changed(NAMES[0], pixels, 0.5, frame=(1, 0, 0, 1))
    with pytest.raises(CorruptionError, match="buffer of shape="):
        changed(NAMES[0], pixels, 0.5, out=pixels[:1])


@pytest.mark.parametrize("name", NAMES)
def test_entries_say_what_they_are(name: str) -> None:
    entry = ENTRIES[name]
    corruption = entry.build()
    assert isinstance(corruption, Corruption)
    assert corruption.name == name == slug(name)
    assert entry.summary
    assert repr(corruption.bind(NO_SCENE)) == repr(corruption)
