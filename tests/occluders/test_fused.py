"""Hiding and normalising in one pass gives the bits of the long way, and goes past
nobody's own way of hiding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import pytest
import torch

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.encoding import unit_scale
from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.core.normalisation import Normalisation, on_unit_scale
from pytest_retrieval_robust.occluders import WHOLE, Frame, Occluder, _batch
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.fills import FILLS, Canvas, filling
from pytest_retrieval_robust.occluders.fused import (
    EightBitImages,
    can_hide_normalised,
    hidden_normalised,
    normalised,
)

from .generators import CROPPED, PADDED, bits, picture
from .test_batch import EACH, IDS, SIDE, scene, unbound

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
FRAMES: dict[str, Frame] = {
    "whole": WHOLE,
    "crop": CROPPED,
    "pad": PADDED,
    "one per image": EACH,
}
LEVELS = (picture(len(IDS), 3, SIDE, SIDE) * 256).to(torch.uint8)


def constants(dtype: torch.dtype) -> Normalisation:
    mean = torch.tensor([0.481, 0.458, 0.408]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.269, 0.261, 0.276]).reshape(1, 3, 1, 1)
    return Normalisation(mean, std, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_table_holds_what_the_long_way_makes_of_each_byte(
    dtype: torch.dtype,
) -> None:
    normalisation = constants(dtype)
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    levels = levels.expand(2, 3, 16, 16).contiguous()
    long_way = normalisation(unit_scale(levels.numpy(), "cpu"))
    looked_up = [
        normalisation.table[channel][levels[:, channel].long()] for channel in range(3)
    ]
    assert torch.equal(bits(torch.stack(looked_up, 1)), bits(long_way))
    assert torch.equal(bits(normalised(levels, normalisation)), bits(long_way))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("name", ["patches(grid=4", "lines(count=3"])
def test_it_gives_the_bits_of_the_long_way(name: str, fill: str, frame: str) -> None:
    occluder = unbound(f"{name},fill={fill})")
    boxes = FRAMES[frame]
    pixels = on_unit_scale(LEVELS)
    for dtype in DTYPES:
        normalisation = constants(dtype)
        for given_pixels in (pixels, None):
            images = EightBitImages(LEVELS, IDS, boxes, given_pixels)
            for level in (0.0, 0.4, 1.0):
                hidden = occluder.occlude(pixels, IDS, level, 1, boxes)
                out = torch.empty_like(LEVELS, dtype=dtype)
                result = hidden_normalised(
                    occluder, images, level, 1, normalisation, out
                )
                assert result is out
                assert torch.equal(bits(result), bits(normalisation(hidden)))


@pytest.mark.parametrize("fill", FILLS)
def test_a_bound_occluder_makes_its_fill_once_for_all_levels(
    fill: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counted(fill: str, canvas: Canvas, of: Normalisation) -> torch.Tensor:
        made.append(fill)
        values = filling(fill, canvas)
        return of(torch.zeros(1, 1, 1, 1) if values is None else values)

    monkeypatch.setattr(_batch, "network_filling", counted)
    whole = scene()
    batch = replace(whole, pixels=on_unit_scale(LEVELS))
    occluder = unbound(f"patches(grid=4,fill={fill})")
    bound = occluder.bind(batch)
    assert can_hide_normalised(bound)
    normalisation = constants(torch.bfloat16)
    for level in (0.2, 0.4, 0.8):
        for part in (slice(0, 3), slice(3, 6)):
            frames = EACH[part]
            pixels = batch.pixels[part]
            images = EightBitImages(LEVELS[part], IDS[part], frames, pixels)
            expected = occluder.occlude(pixels, IDS[part], level, 1, frames)
            result = hidden_normalised(bound, images, level, 1, normalisation)
            assert torch.equal(bits(result), bits(normalisation(expected)))
    assert made == [fill, fill]


@dataclass(frozen=True)
class Darker(Patches):
    """A user's own way of hiding."""

    family: ClassVar[str] = "darker"

    def occlude(self, pixels: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return pixels / 2


@dataclass(frozen=True)
class OtherOrder(Patches):
    """A user's own order, hidden as all are."""

    family: ClassVar[str] = "other"

    def order(self, ids: Sequence[str], seed: int, device: Any) -> torch.Tensor:
        return super().order(ids, seed, device).flip(1)


class Wrapper:
    """Passes all on but one method."""

    def __init__(self, inner: Occluder) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def occlude(self, pixels: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return pixels / 2


class Intercepting(Patches):
    """Answers for its attributes itself."""

    def __getattribute__(self, name: str) -> Any:
        if name == "occlude":
            return lambda pixels, *_, **__: pixels / 2
        return super().__getattribute__(name)


def test_an_occluder_that_hides_in_its_own_way_is_asked_itself() -> None:
    patched = Patches()
    object.__setattr__(patched, "occlude", lambda pixels, *_: pixels / 2)
    wrapper = cast(Occluder, Wrapper(Patches()))
    for own in (Darker(), wrapper, Intercepting(), patched):
        assert not can_hide_normalised(own)
    for name in ("patches", "lines", "salient", "regions", "box(fill=mean)"):
        assert can_hide_normalised(load_occluder(name))
    assert can_hide_normalised(OtherOrder())


def test_a_class_that_was_patched_is_asked_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Patches, "occlude", Darker.occlude)
    assert not can_hide_normalised(load_occluder("patches"))
    assert can_hide_normalised(load_occluder("box"))


@pytest.mark.parametrize(
    ("levels", "ids"),
    [
        (LEVELS.float(), IDS),
        (LEVELS, IDS[:2]),
        (LEVELS[:, :1], IDS),
        (LEVELS[0], IDS),
    ],
    ids=["floats", "ids", "one channel", "one image"],
)
def test_what_are_no_bytes_is_refused(levels: torch.Tensor, ids: list[str]) -> None:
    images = EightBitImages(levels, ids, WHOLE)
    with pytest.raises(OcclusionError, match="Expected uint8 levels"):
        hidden_normalised(Patches(), images, 0.5, 0, constants(torch.float32))


@pytest.mark.parametrize(
    "out",
    [torch.empty(6, 3, SIDE, SIDE), torch.empty(6, 3, 2, 2, dtype=torch.bfloat16)],
    ids=["dtype", "shape"],
)
def test_a_buffer_that_does_not_fit_is_refused(out: torch.Tensor) -> None:
    images = EightBitImages(LEVELS, IDS, WHOLE)
    with pytest.raises(OcclusionError, match="Expected out of shape"):
        hidden_normalised(Patches(), images, 0.5, 0, constants(torch.bfloat16), out)


def test_a_bad_level_and_frame_are_refused() -> None:
    normalisation = constants(torch.float32)
    images = EightBitImages(LEVELS, IDS, WHOLE)
    with pytest.raises(OcclusionError, match="level"):
        hidden_normalised(Patches(), images, 1.5, 0, normalisation)
    nowhere = EightBitImages(LEVELS, IDS, (0.0, 0.0, 0.0, 0.0))
    with pytest.raises(OcclusionError, match="frame"):
        hidden_normalised(Patches(), nowhere, 0.5, 0, normalisation)
