"""Batches as they are read: in order, whatever each image takes, and by several threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.core.device import usable_cores
from pytest_retrieval_robust.core.encoding import WHOLE
from pytest_retrieval_robust.core.errors import (
    DatasetError,
    ModelError,
    UnreadableImageError,
)
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import core_use
from pytest_retrieval_robust.measure.sweep import feed as feed_module
from pytest_retrieval_robust.measure.sweep.batch import Batch
from pytest_retrieval_robust.measure.sweep.core_use import CoreUse
from pytest_retrieval_robust.measure.sweep.feed import Feed
from pytest_retrieval_robust.measure.sweep.pixel_buffer import PixelBuffer, Pixels
from pytest_retrieval_robust.measure.sweep.plan import SweepPlan
from pytest_retrieval_robust.models import Prepared
from pytest_retrieval_robust.occluders.severity import SeverityOccluder

from ...emulated_device import emulated
from .test_sweep import RECORDS, Records
from .test_sweep import Pixels as Encoder

LINES = load_occluder("lines")


@dataclass(frozen=True)
class Awaiting(Records):
    """Keeps back its first image until one of the second batch was opened."""

    came: threading.Event = field(default_factory=threading.Event)
    broken: frozenset[int] = frozenset()
    skips_unreadable: bool = True

    def image(self, index: int) -> Image.Image:
        if index in self.broken:
            raise UnreadableImageError("Expected a picture, got none. Fix it.")
        if index == 0:
            assert self.came.wait(30), "no image of the second batch was opened"
        if index >= 4:
            self.came.set()
        return super().image(index)


def feed_of(dataset: Records, device: str = "cuda:0", **changes: Any) -> Feed:
    options = {"changes": {}, "batch_size": 4, **changes}
    model = Encoder({}, device=device)
    pairs = pairs_of(dataset)
    return Feed(SweepPlan(model, pairs, ks=(1,), precision="fp32", **options), None)


def batches_of(feed: Feed) -> list[Batch]:
    with closing(iter(feed)) as batches:
        return list(batches)


def pixels_of(batch: Batch) -> Pixels:
    assert batch.pixels is not None
    return batch.pixels


def test_images_of_the_next_batch_begin_before_a_batch_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "DECODERS", 2)
    with emulated("cuda:0"):
        batches = batches_of(feed_of(Awaiting(RECORDS.texts, RECORDS.reports)))
    assert [batch.number for batch in batches] == list(range(8))
    model = Encoder({})
    for batch in batches:
        rows = [model.prepare(RECORDS.image(int(number))) for number in batch.images]
        expected = np.stack([prepared.pixels for prepared in rows])
        assert pixels_of(batch).stacked.numpy().tobytes() == expected.tobytes()


def test_batches_of_a_gpu_are_in_pinned_memory() -> None:
    with emulated("cuda:0"):
        for batch in batches_of(feed_of(RECORDS)):
            assert pixels_of(batch).stacked.is_pinned()
        [batch, *_] = batches_of(feed_of(RECORDS, device="cpu"))
        assert not pixels_of(batch).stacked.is_pinned()


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_broken_image_leaves_the_others_in_their_places(device: str) -> None:
    dataset = Awaiting(RECORDS.texts, RECORDS.reports, broken=frozenset({1, 5, 6}))
    dataset.came.set()
    with emulated("cuda:0"):
        first, second, *_ = batches_of(feed_of(dataset, device))
    assert first.images.tolist() == [0, 2, 3]
    assert second.images.tolist() == [4, 7]
    for batch in (first, second):
        prepared = [
            Encoder({}).prepare(RECORDS.image(int(number))).pixels
            for number in batch.images
        ]
        assert np.array_equal(pixels_of(batch).stacked.numpy(), np.stack(prepared))
        assert len(pixels_of(batch).frames) == len(batch.images)


def test_the_error_of_the_first_image_that_fails_is_raised_and_threads_end() -> None:
    class Failing(Records):
        def image(self, index: int) -> Image.Image:
            if index in (5, 9):
                raise ValueError(f"number {index}")
            return super().image(index)

    before = set(threading.enumerate())
    read = []
    with emulated("cuda:0"):
        batches = iter(feed_of(Failing(RECORDS.texts, RECORDS.reports)))
        read.append(next(batches).number)
        with pytest.raises(DatasetError, match="got ValueError"):
            next(batches)
    assert read == [0]
    assert set(threading.enumerate()) <= before


def test_a_reader_that_is_closed_begins_no_further_image() -> None:
    opened: list[int] = []

    class Counted(Records):
        def image(self, index: int) -> Image.Image:
            opened.append(index)
            return super().image(index)

    before = set(threading.enumerate())
    with emulated("cuda:0"):
        batches = iter(feed_of(Counted(RECORDS.texts, RECORDS.reports)))
        next(batches)
        batches.close()
    assert set(threading.enumerate()) <= before
    ahead = feed_module.MOST_AHEAD + 1
    assert max(opened) < 4 * (1 + ahead)


def test_large_batches_are_read_less_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    [batch, *_] = batches_of(feed_of(RECORDS, device="cpu"))
    pixels = pixels_of(batch)
    sizes = {1: 2, 2: 2, 3: 3, 100: 4}
    for batches, expected in sizes.items():
        monkeypatch.setattr(feed_module, "AHEAD_BYTES", batches * pixels.nbytes)
        assert feed_module._batches_ahead(pixels) == expected


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_missing_cells_are_drawn_while_images_are_decoded(device: str) -> None:
    assert isinstance(LINES, SeverityOccluder)
    occluders = {Cell("lines", level, 3): LINES for level in (0.2, 0.5)}
    with emulated("cuda:0"):
        [batch, *_] = batches_of(feed_of(RECORDS, device, changes=occluders))
    assert batch.drawn_ahead is not None
    for number in batch.images:
        drawing = batch.drawn_ahead.drawing(LINES, RECORDS.image_ids[number], 3)
        assert drawing is not None
    assert batch.without_data().drawn_ahead is None


@pytest.mark.parametrize("kind", ["functions", "another"])
@pytest.mark.parametrize("are_idle", [False, True])
def test_a_model_of_functions_that_leaves_cores_idle_has_batches_read_ahead(
    kind: str, are_idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_made_of_functions = kind == "functions"
    monkeypatch.setattr(
        Encoder, "may_work_elsewhere", is_made_of_functions, raising=False
    )
    monkeypatch.setattr(CoreUse, "leaves_half_idle", lambda _: are_idle)
    begun: list[int] = []

    class Counted(Records):
        def image(self, index: int) -> Image.Image:
            begun.append(index // 4)
            return super().image(index)

    feed = feed_of(Counted(RECORDS.texts, RECORDS.reports), "cpu")
    with closing(iter(feed)) as batches:
        assert next(batches).number == 0
        assert set(begun) == {0}
        assert next(batches).number == 1
        # Those that wait for their turn are handed over soon, or never.
        is_ahead = is_made_of_functions and are_idle
        assert not is_ahead or wait_until(lambda: 2 in begun)
        assert is_ahead or set(begun) == {0, 1}
        assert [batch.number for batch in batches] == list(range(2, 8))


def wait_until(holds: Callable[[], bool]) -> bool:
    for _ in range(3000):
        if holds():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("seconds", "busy", "are_idle"),
    [(2.0, 0.1, True), (2.0, 3.9, True), (2.0, 4.1, False), (2.0, 8.0, False)],
)
def test_cores_idle_if_half_of_them_had_nothing_to_do(
    seconds: float, busy: float, are_idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = {"perf_counter": 10.0, "process_time": 20.0}
    for name in clocks:
        monkeypatch.setattr(time, name, partial(clocks.__getitem__, name))
    monkeypatch.setattr(core_use, "usable_cores", lambda: 4)
    use = CoreUse()
    clocks["perf_counter"] += seconds
    clocks["process_time"] += busy
    assert use.leaves_half_idle() == are_idle


def test_images_that_differ_in_shape_are_refused_whichever_came_first() -> None:
    small, large = prepared_of(4), prepared_of(6)
    for order in ((0, 1), (1, 0)):
        buffer = PixelBuffer(2, "cpu")
        for place in order:
            buffer.put(place, (small, large)[place])
        with pytest.raises(ModelError, match=r"shapes=\[\(3, 4, 4\), \(3, 6, 6\)\]"):
            buffer.filled("pixels")


def test_images_of_two_types_are_stacked_as_numpy_stacks_them() -> None:
    whole = prepared_of(4)
    floating = Prepared(whole.pixels.astype(np.float32), WHOLE)
    expected = np.stack([whole.pixels, floating.pixels])
    for order in ((0, 1), (1, 0)):
        buffer = PixelBuffer(2, "cpu")
        for place in order:
            buffer.put(place, (whole, floating)[place])
        filled = buffer.filled("pixels")
        assert filled is not None
        assert np.array_equal(filled.stacked.numpy(), expected)


def test_a_buffer_without_images_has_no_pixels() -> None:
    assert PixelBuffer(3, "cpu").filled("pixels") is None


def test_a_host_without_memory_to_pin_gives_ordinary_memory() -> None:
    # Torch raises RuntimeError for a device that is not there, as for memory that is not.
    buffer = PixelBuffer(1, "cuda:0")
    buffer.put(0, prepared_of(4))
    filled = buffer.filled("pixels")
    assert filled is not None
    assert np.array_equal(filled.stacked.numpy()[0], prepared_of(4).pixels)


def prepared_of(side: int) -> Prepared:
    pixels = np.arange(3 * side * side, dtype=np.uint8).reshape(3, side, side)
    return Prepared(pixels, WHOLE)


def test_as_many_threads_decode_as_this_process_may_use_cores() -> None:
    assert feed_module.DECODERS == usable_cores() >= 1
