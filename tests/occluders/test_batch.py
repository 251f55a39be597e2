"""What the levels of a bound batch share is made once, gives the same bits, and is freed
with the batch.
"""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.occluders import WHOLE, Box, _batch, fills
from pytest_retrieval_robust.occluders._donors import Donors
from pytest_retrieval_robust.occluders._frames import visible_level, visible_level_of
from pytest_retrieval_robust.occluders._kept import Kept
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.cells import CellOccluder
from pytest_retrieval_robust.occluders.drawn.lines import Lines
from pytest_retrieval_robust.occluders.fills import FILLS
from pytest_retrieval_robust.occluders.scene import Scene, Setting

from .generators import CROPPED, PADDED, bits, picture

IDS = [f"image-{number}" for number in range(6)]
SIDE = 24
EACH: list[Box] = [WHOLE, CROPPED, PADDED, WHOLE, CROPPED, (0.1, 0.0, 0.9, 1.0)]
CELLS = [(level, seed) for level in (0.2, 0.6, 1.0) for seed in (0, 1)]


def setting() -> Setting:
    nothing = cast(Any, None)
    own = Setting(nothing, nothing, torch.zeros(0, 1), np.zeros(0, dtype=np.int64))
    pixels = picture(2, 3, SIDE, SIDE, seed=9)
    # Where `Setting.donors` keeps what it made.
    vars(own)["donors"] = Donors(["image-0", "other"], pixels, [WHOLE, CROPPED])
    return own


def scene(frames: Sequence[Box] = EACH, seed: int = 0) -> Scene:
    pixels = picture(len(IDS), 3, SIDE, SIDE, seed=seed)
    groups = np.arange(len(IDS))
    return Scene(setting(), range(len(IDS)), IDS, pixels, frames, groups)


def unbound(name: str) -> CellOccluder:
    occluder = load_occluder(name)
    assert isinstance(occluder, CellOccluder)
    return replace(occluder, donors=setting().donors)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each fill was made, and each image's onsets drawn."""
    counts: Counter[str] = Counter()
    filling = fills.filling
    onsets = Lines.onsets

    def counted(fill: str, canvas: fills.Canvas) -> torch.Tensor | None:
        counts[fill] += 1
        return filling(fill, canvas)

    def drawn(occluder: Lines, image_id: str, seed: int) -> Any:
        counts[image_id] += 1
        return onsets(occluder, image_id, seed)

    monkeypatch.setattr(_batch, "filling", counted)
    monkeypatch.setattr(Lines, "onsets", drawn)
    return counts


@pytest.mark.parametrize("frames", [[WHOLE] * 6, EACH], ids=["whole", "each"])
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("name", ["patches(grid=4", "box(grid=16", "lines(count=2"])
def test_a_bound_occluder_hides_as_an_unbound_one(
    name: str, fill: str, frames: list[Box]
) -> None:
    batch = scene(frames)
    occluder = unbound(f"{name},fill={fill})")
    bound = occluder.bind(batch)
    for level, seed in CELLS * 2:
        for part in (slice(0, 6), slice(0, 3), slice(3, 6)):
            ids = IDS[part]
            pixels = batch.pixels[part]
            given_to = (pixels, ids, level, seed, frames[part])
            assert torch.equal(
                bits(bound.occlude(*given_to)), bits(occluder.occlude(*given_to))
            )
            masks = [
                one.mask(ids, level, seed, SIDE, frames[part])
                for one in (bound, occluder)
            ]
            assert torch.equal(*masks)
            counted = bound.hidden_pixels(ids, level, seed, SIDE, frames[part])
            assert torch.equal(counted, masks[0].sum(dim=(1, 2, 3)))
            assert visible_level_of(counted, frames[part], SIDE) == visible_level(
                masks[0], frames[part]
            )
            assert bound.shares(ids, level, seed) == occluder.shares(ids, level, seed)


@pytest.mark.parametrize(
    ("fill", "times"),
    [
        # These follow from the pixels alone.
        ("mean", 1),
        ("blur", 1),
        # Both seeds' are kept for the second occluder.
        ("noise", 2),
        # Each is as large as the pixels, so that one is kept at a time.
        ("shuffled", 4),
        ("donor", 4),
    ],
)
def test_a_fill_is_made_once_for_all_levels(
    made: Counter[str], fill: str, times: int
) -> None:
    batch = scene()
    by_seed = sorted(CELLS, key=lambda cell: cell[1])
    for name in ("patches", "box"):
        bound = unbound(f"{name}(fill={fill})").bind(batch)
        for level, seed in by_seed:
            bound.occlude(batch.pixels[:], IDS, level, seed, EACH)
    assert made[fill] == times


def test_an_image_is_drawn_once_per_seed(made: Counter[str]) -> None:
    batch = scene()
    bound = load_occluder("lines").bind(batch)
    for level, seed in CELLS * 2:
        bound.mask(IDS, level, seed, SIDE, EACH)
        bound.shares(IDS, level, seed)
        bound.occlude(batch.pixels, IDS, level, seed, EACH)
    assert {image_id: made[image_id] for image_id in IDS} == dict.fromkeys(IDS, 2)


CHANGES: dict[str, Callable[[Scene], object]] = {
    "all": lambda batch: batch.pixels.mul_(0.5),
    "a part": lambda batch: batch.pixels[2:3].zero_(),
    "by an index": lambda batch: batch.pixels.index_fill_(0, torch.tensor([1]), 0.25),
    "by hiding in place": lambda batch: Patches(2).occlude(
        batch.pixels, IDS, 0.5, 0, EACH, out=batch.pixels
    ),
    "by hiding a part in place": lambda batch: Patches(2, "mean").occlude(
        batch.pixels[:3], IDS[:3], 0.5, 0, EACH[:3], out=batch.pixels[:3]
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("fill", fills.OF_PIXELS)
def test_pixels_that_were_changed_give_another_fill(fill: str, change: str) -> None:
    batch = scene()
    occluder = Patches(4, fill)
    bound = occluder.bind(batch)
    bound.occlude(batch.pixels, IDS, 0.5, 0, EACH)
    CHANGES[change](batch)
    assert torch.equal(
        bound.occlude(batch.pixels, IDS, 0.5, 0, EACH),
        occluder.occlude(batch.pixels, IDS, 0.5, 0, EACH),
    )


@pytest.mark.parametrize("fill", FILLS)
@given(st.permutations(range(6)), st.integers(0, 1), st.sampled_from(["f4", "u1"]))
def test_other_pixels_ids_and_frames_are_not_taken_for_the_batchs(
    fill: str, order: list[int], seed: int, kind: str
) -> None:
    batch = scene()
    occluder = unbound(f"patches(grid=4,fill={fill})")
    bound = occluder.bind(batch)
    bound.occlude(batch.pixels, IDS, 0.5, 0, EACH)
    other = picture(6, 3, SIDE, SIDE, seed=3)
    other = (other * 255).to(torch.uint8) if kind == "u1" else other
    ids = [IDS[number] for number in order]
    frames = [EACH[number] for number in order]
    for pixels in (other, batch.pixels.clone(), batch.pixels):
        assert torch.equal(
            bits(bound.occlude(pixels, ids, 0.5, seed, frames)),
            bits(occluder.occlude(pixels, ids, 0.5, seed, frames)),
        )


def test_pixels_without_a_version_are_looked_at_each_time() -> None:
    with torch.inference_mode():
        batch = scene()
        bound = Patches(4, "mean").bind(batch)
        bound.occlude(batch.pixels, IDS, 0.5, 0, EACH)
        batch.pixels.mul_(0.5)
        hidden = bound.occlude(batch.pixels, IDS, 0.5, 0, EACH)
        expected = Patches(4, "mean").occlude(batch.pixels, IDS, 0.5, 0, EACH)
    assert torch.equal(hidden, expected)


def test_a_scene_that_is_gone_is_not_kept() -> None:
    gc.disable()
    try:
        batch = scene()
        bound = unbound("patches(fill=shuffled)").bind(batch)
        pixels = batch.pixels
        expected = bound.occlude(pixels, IDS, 0.5, 0, EACH)
        kept = weakref.ref(batch)
        fill = weakref.ref(batch.kept_fills)
        del batch
        assert kept() is None
        assert fill() is None
        assert torch.equal(bound.occlude(pixels, IDS, 0.5, 0, EACH), expected)
        priorities = weakref.ref(bound._batch)
        del bound
        assert priorities() is None
    finally:
        gc.enable()


def test_threads_that_share_a_batch_hide_as_one_does() -> None:
    batch = scene()
    names = [f"{name}(fill={fill})" for name in ("patches", "lines") for fill in FILLS]
    bound = {name: unbound(name).bind(batch) for name in names}
    work = [(name, *cell) for name in names for cell in CELLS] * 3

    def hidden(cell: tuple[str, float, int]) -> torch.Tensor:
        name, level, seed = cell
        return bound[name].occlude(batch.pixels[:], IDS, level, seed, EACH)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(hidden, work))
    for (name, level, seed), result in zip(work, results, strict=True):
        expected = unbound(name).occlude(batch.pixels, IDS, level, seed, EACH)
        assert torch.equal(result, expected)


@dataclass(frozen=True)
class Turned(Patches):
    """Hides the cells of `patches` in another order; a user's own."""

    family: ClassVar[str] = "turned"
    turns: int = 0

    def bind(self, scene: Scene) -> Turned:
        """A changed copy of what the base class binds."""
        return replace(cast(Turned, super().bind(scene)), turns=1)

    def order(self, ids: Sequence[str], seed: int, device: Any) -> torch.Tensor:
        return super().order(ids, seed, device).rot90(self.turns, (1, 2))


def test_a_changed_copy_of_a_bound_occluder_hides_in_its_own_way() -> None:
    batch = scene()
    bound = Turned(4).bind(batch)
    other = replace(bound, turns=2)
    for occluder, turns in ((bound, 1), (other, 2), (bound, 1)):
        mask = occluder.mask(IDS, 0.5, 0, SIDE, WHOLE)
        plain = Patches(4).mask(IDS, 0.5, 0, SIDE, WHOLE)
        assert torch.equal(mask, plain.rot90(turns, (2, 3)))


class OfItsOwn(Patches):
    """A subclass with an `__init__` of its own, which is no dataclass."""

    family = "own"

    def __init__(self) -> None:
        super().__init__(4)


def test_a_subclass_with_an_init_of_its_own_can_be_bound() -> None:
    batch = scene()
    assert torch.equal(
        OfItsOwn().bind(batch).occlude(batch.pixels, IDS, 0.5, 0, EACH),
        Patches(4).occlude(batch.pixels, IDS, 0.5, 0, EACH),
    )


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda occluder: pickle.loads(pickle.dumps(occluder)),
    "replace": replace,
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_of_a_bound_occluder_hide_alike(how: str) -> None:
    batch = scene()
    bound = Patches(4, "mean").bind(batch)
    expected = bound.occlude(batch.pixels, IDS, 0.5, 0, EACH)
    copied = COPIES[how](bound)
    assert copied == bound
    assert copied.name == bound.name
    assert torch.equal(copied.occlude(batch.pixels, IDS, 0.5, 0, EACH), expected)


@pytest.mark.parametrize("level", [-0.1, 1.1, True])
@pytest.mark.parametrize("name", ["patches", "lines"])
def test_a_bound_occluder_refuses_what_an_unbound_one_does(
    name: str, level: float
) -> None:
    bound = load_occluder(name).bind(scene())
    with pytest.raises(OcclusionError, match="level"):
        bound.mask(IDS, level, 0, SIDE, EACH)
    with pytest.raises(OcclusionError, match="level"):
        bound.shares(IDS, level, 0)


# Kept


def test_what_was_used_last_is_kept() -> None:
    kept = Kept(limit=3 * 8)
    made = []

    def make(name: str) -> np.ndarray[Any, Any]:
        made.append(name)
        return np.zeros(1)

    for name in "abcacdab":
        kept.get(name, lambda name=name: make(name))  # type: ignore[misc]
    # "d" pushes out "b", which was used the longest time ago, and "b" then pushes out "c".
    assert "".join(made) == "abcdb"


def test_the_last_value_is_kept_however_large() -> None:
    kept = Kept(limit=1)
    first = kept.get("a", lambda: np.zeros(9))
    assert kept.get("a", lambda: np.ones(9)) is first
    kept.get("b", lambda: np.zeros(9))
    assert kept.get("a", lambda: np.ones(9))[0] == 1


def test_values_without_a_size_are_counted() -> None:
    kept = Kept(limit=100, most=2)
    for number in range(3):
        kept.get(number, lambda: object())
    assert kept.get(0, lambda: "made again") == "made again"


def test_a_value_that_cannot_be_made_frees_the_others() -> None:
    kept = Kept(limit=100)
    kept.get("a", lambda: "first")
    with pytest.raises(MemoryError):
        kept.get("b", _fail)
    assert kept.get("a", lambda: "again") == "again"


def _fail() -> object:
    raise MemoryError
