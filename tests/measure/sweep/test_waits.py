"""How often a sweep on a CUDA device makes the host wait for it, and where."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Case, Cell
from pytest_retrieval_robust.core.downloads import Download
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import local
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.measure.timing.rounds import (
    measure_alone,
    prepare_batch,
    timed_rounds,
)
from pytest_retrieval_robust.models import Prepared

from ...emulated_device import Device, Wait, emulated
from .test_devices import NAMES, OnDeviceEncoder, encoder_on, ranks
from .test_sweep import RECORDS, Pixels

LEVELS = (0.2, 0.4)
CELLS = 1 + len(LEVELS)
OPTIONS = SweepOptions(batch_size=8)
BATCHES = 4
"""Of the 30 images: the last one has 6."""
SEARCHES = {
    # One look at the embeddings of all cells, hidden one at a time.
    "salient(grid=4)": 1,
    "non-salient(grid=4)": 1,
    # One for each step of a search that hides one more cell at each.
    "worst(grid=4,k=3)": 12,
}
"""Waits per batch of the occluders that look at what the model makes of its images."""


class PerImage(OnDeviceEncoder):
    """An encoder with another frame for each image, as one that crops real data has."""

    def prepare(self, image: Image.Image) -> Prepared:
        prepared = super().prepare(image)
        shift = int(np.asarray(image)[0, 0]) / 1000
        return replace(prepared, frame=(-shift, 0.1, 1.25 - shift, 0.9))


class Reading(OnDeviceEncoder):
    """An encoder that reads a number from the device at each call."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        assert pixels.sum().item() >= 0
        return super().encode_images(pixels)


@contextmanager
def batches_watched(
    device: Device, monkeypatch: pytest.MonkeyPatch, waits: list[Wait]
) -> Iterator[None]:
    """Adds the waits between the first batch that is read and the last that is kept."""
    gather = local.LocalSweep.gather

    def watched(sweep: Any, *arguments: Any) -> Any:
        before = len(device.waits)
        batches = gather(sweep, *arguments)
        waits.extend(device.waits[before:])
        return batches

    with monkeypatch.context() as patch:
        patch.setattr(local.LocalSweep, "gather", watched)
        yield


def waits_of_batches(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: type[Pixels] = OnDeviceEncoder,
    options: SweepOptions = OPTIONS,
) -> list[Wait]:
    waits: list[Wait] = []
    occluder = load_occluder(name)
    cells = [(Cell(name, level, 0), occluder) for level in LEVELS]
    with emulated("cuda:0") as device, batches_watched(device, monkeypatch, waits):
        model = encoder_on(kind, device="cuda:0")
        result = run_sweep(model, pairs_of(RECORDS), cells, (1,), options)
    assert len(ranks(result)) == CELLS
    return waits


@pytest.mark.parametrize("kind", [OnDeviceEncoder, PerImage])
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_a_cell_makes_one_thread_wait_once(
    name: str, kind: type[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = waits_of_batches(monkeypatch, name, kind)
    # The writer waits for an event after the copy of the cell's rows. The lane, which
    # keeps the device at work, waits for nothing.
    [(writer, count)] = Counter(
        (wait.kind, wait.file, wait.line) for wait in waits if wait.kind == "event"
    ).items()
    assert writer == ("event", *site_of_the_writer())
    assert count == BATCHES * CELLS
    others = [wait for wait in waits if wait.kind != "event"]
    assert len(others) == BATCHES * SEARCHES.get(name, 0), list(map(str, others))
    assert {wait.file for wait in others} <= {
        "pytest_retrieval_robust/occluders/guided/_probe.py"
    }
    by_writer = {wait.thread for wait in waits if wait.kind == "event"}
    assert by_writer.isdisjoint(wait.thread for wait in others)


def site_of_the_writer() -> tuple[str, int]:
    lines, first = inspect.getsourcelines(Download.wait)
    [offset] = [place for place, line in enumerate(lines) if "synchronize" in line]
    return "pytest_retrieval_robust/core/downloads.py", first + offset


def test_a_store_adds_no_wait_and_what_is_stored_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(OPTIONS, store=EmbeddingStore(tmp_path))
    cold = waits_of_batches(monkeypatch, "patches", options=options)
    assert [wait.kind for wait in cold] == ["event"] * BATCHES * CELLS
    assert waits_of_batches(monkeypatch, "patches", options=options) == []


def test_two_lanes_wait_for_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def copies() -> list[Pixels]:
        return [encoder_on(device="cuda:0")]

    options = replace(OPTIONS, copies=copies)
    waits = waits_of_batches(monkeypatch, "patches", options=options)
    assert [wait.kind for wait in waits] == ["event"] * BATCHES * CELLS
    assert len({wait.thread for wait in waits}) == 1


def test_a_wait_on_the_way_of_a_batch_is_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = waits_of_batches(monkeypatch, "patches", Reading)
    lines, first = inspect.getsourcelines(Reading.encode_images)
    [offset] = [place for place, line in enumerate(lines) if "item()" in line]
    named = Counter(str(wait) for wait in waits if wait.kind != "event")
    # Once more for the four images that warm the lane up.
    assert named == {
        f"value at tests/measure/sweep/test_waits.py:{first + offset}": (
            BATCHES * CELLS + 1
        )
    }


def test_rows_are_not_read_before_they_have_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def at_once(self: Download) -> Any:
        return self._on_host

    monkeypatch.setattr(Download, "wait", at_once)
    with emulated("cuda:0"):
        result = run_sweep(
            encoder_on(device="cuda:0"), pairs_of(RECORDS), [], (1,), OPTIONS
        )
    [error] = result.cells.values()
    assert "length=nan" in str(error)


def test_timers_wait_before_and_after_each_call_that_they_time() -> None:
    occluder = load_occluder("patches")
    with emulated("cuda:0") as device:
        model = encoder_on(device="cuda:0")
        batch = prepare_batch(model, RECORDS, 6)
        case = Case("pixels", "records", "patches", 0.4, 0)
        rounds = timed_rounds(model, batch, occluder, case)
        rounds.warm_up()
        device.waits.clear()
        rounds.measure(3)
        # Two calls per round, each between two waits, and none within a call.
        assert [wait.kind for wait in device.waits] == ["synchronise"] * 3 * 2 * 2
        device.waits.clear()
        alone = measure_alone(model, batch, calls=5)
        kinds = Counter(wait.kind for wait in device.waits)
    # Of each call, of those that warm up too, and of the peak of memory. The batch is
    # copied to the host and back, because the encoder may write to it.
    assert kinds["download"] == kinds["upload"] == 1
    assert kinds["synchronise"] >= 2 * 5
    assert set(kinds) == {"download", "upload", "synchronise"}
    assert alone.latency.calls == 5
