"""Memory that runs out, of every kind and in every place; and devices that fail otherwise.

What fails is halved once, what fits is remembered, and what memory cannot cure is not
tried again.
"""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core import encoding
from pytest_retrieval_robust.core.cases import CLEAN, Case, Cell
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.core.memory import (
    OutOfMemory,
    is_of_the_device,
    is_out_of_memory,
    limits_of,
    or_device_error,
)
from pytest_retrieval_robust.measure import batches, breaking
from pytest_retrieval_robust.measure.breaking import find_breaking
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.first_ranks import FirstRanks
from pytest_retrieval_robust.measure.half_precision import precision_effect
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sensitivity import sensitivity_map
from pytest_retrieval_robust.measure.sweep import lane
from pytest_retrieval_robust.measure.sweep import scores as scoring
from pytest_retrieval_robust.measure.sweep.run import (
    Measured,
    SweepOptions,
    SweepResult,
    run_sweep,
)
from pytest_retrieval_robust.measure.timing.occlusion_timer import OcclusionTimer
from pytest_retrieval_robust.measure.timing.rounds import prepare_batch
from pytest_retrieval_robust.occluders.guided._probe import Probe

from ..device_errors import AcceleratorError
from ..emulated_device import emulated
from ..measure.sweep.test_devices import OnDeviceEncoder, encoder_on, ranks
from ..measure.sweep.test_sweep import RECORDS

pytestmark = pytest.mark.usefixtures("one_thread")

MEMORY: dict[str, Callable[[], Exception]] = {
    "torch": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried 2.00 GiB."),
    "cuda": lambda: AcceleratorError("CUDA error: out of memory\nCompile with"),
    "cublas": lambda: RuntimeError(
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
    ),
    "cublas handle": lambda: RuntimeError(
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"
    ),
    "cudnn": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    "cudnn handle": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"),
    "cudnn device": lambda: RuntimeError(
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"
    ),
    "cudnn host": lambda: RuntimeError(
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"
    ),
    "cufft": lambda: RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
    "cusparse": lambda: RuntimeError(
        "CUDA error: CUSPARSE_STATUS_NOT_INITIALIZED when calling"
        " `cusparseCreate(handle)`"
    ),
    "cusolver": lambda: RuntimeError("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED"),
    "nccl": lambda: RuntimeError(
        "NCCL error: unhandled cuda error. Last error: Cuda failure 2 'out of memory'"
    ),
    "hip": lambda: RuntimeError("HIP error: hipErrorOutOfMemory"),
    "mps": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 9.07 GB)"),
    "metal": lambda: RuntimeError(
        "Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)"
    ),
    "host": MemoryError,
    "torch's host": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
    ),
    "the system": lambda: OSError(12, "Cannot allocate memory"),
    "onnxruntime": lambda: Exception(
        "Failed to allocate memory for requested buffer of size 1073741824"
    ),
    "onnxruntime's arena": lambda: Exception(
        "BFCArena::AllocateRawInternal Available memory of 1024 is smaller than"
        " requested bytes of 4096"
    ),
    "tensorrt": lambda: Exception(
        "[defaultAllocator.cpp::allocate::19] Error Code 1: OutOfMemory (Requested"
        " size was 10 bytes.)"
    ),
    "tensorrt's limit": lambda: Exception(
        "Requested amount of GPU memory (1024 bytes) could not be allocated."
    ),
    "jax": lambda: Exception("RESOURCE_EXHAUSTED: Out of memory while trying"),
    "tensorflow": lambda: Exception("OOM when allocating tensor with shape[1]"),
    "c++": lambda: RuntimeError("std::bad_alloc"),
}
LOST: dict[str, Callable[[], Exception]] = {
    "address": lambda: AcceleratorError(
        "CUDA error: an illegal memory access was encountered\nCUDA kernel errors"
    ),
    "assert": lambda: AcceleratorError("CUDA error: device-side assert triggered"),
    "launch": lambda: RuntimeError("CUDA error: unspecified launch failure"),
    "ecc": lambda: RuntimeError("CUDA error: uncorrectable ECC error encountered"),
    "gone": lambda: RuntimeError("CUDA error: CUDA-capable device(s) is/are busy"),
    "cublas": lambda: RuntimeError(
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"
    ),
    "cudnn": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
}
OTHER: dict[str, Callable[[], Exception]] = {
    "value": lambda: ValueError("a size of 3 was expected"),
    "shared memory": lambda: RuntimeError(
        "out of resource: shared memory, Required: 106496, Hardware limit: 101376."
        " Reducing block sizes or `num_stages` may help."
    ),
}
ONE_OF_EACH = ("torch", "cuda", "cublas handle", "mps", "host")
"""The kinds that differ by class or by text, for the tests of places."""


@pytest.mark.parametrize("kind", MEMORY)
def test_every_kind_of_memory_is_known_also_behind_another_error(kind: str) -> None:
    error = MEMORY[kind]()
    assert is_out_of_memory(error)
    wrapped = ValueError("my encoder failed")
    wrapped.__cause__ = error
    assert is_out_of_memory(wrapped)


@pytest.mark.parametrize("kind", [*LOST, *OTHER])
def test_what_fewer_inputs_do_not_cure_is_no_memory(kind: str) -> None:
    error = {**LOST, **OTHER}[kind]()
    assert not is_out_of_memory(error)
    assert is_of_the_device(error) == (kind in LOST)


def test_a_device_that_is_lost_while_memory_is_freed_is_lost() -> None:
    lost = LOST["launch"]()
    lost.__context__ = MEMORY["torch"]()
    assert not is_out_of_memory(lost)


# Places


@dataclass
class Room:
    """Has room for so many at a time, and counts the attempts that fail."""

    error: Callable[[], Exception]
    most: int = 3
    failures: int = 0

    def require(self, count: int) -> None:
        if count > self.most:
            self.failures += 1
            raise self.error()


@dataclass
class Small(OnDeviceEncoder):
    """Has room for few images or reports at a time."""

    images: Room | None = None
    reports: Room | None = None

    def encode_images(self, pixels: Tensor) -> Tensor:
        if self.images is not None:
            self.images.require(len(pixels))
        return super().encode_images(pixels)

    def encode_reports(self, texts: Any) -> Tensor:
        if self.reports is not None:
            self.reports.require(len(texts))
        return super().encode_reports(texts)


@dataclass(frozen=True)
class Place:
    """Where memory runs out, and what is measured there."""

    spoil: Callable[[Room, Small, pytest.MonkeyPatch], None]
    """Make room scarce."""
    measure: Callable[[Small], Any]


def swept(model: Small) -> Any:
    cells = [
        (cell, load_occluder(cell.occluder))
        for cell in (
            Cell("patches", 0.4, 1),
            Cell("salient(grid=2)", 0.4, 1),
        )
    ]
    return ranks(
        run_sweep(model, pairs_of(RECORDS), cells, (1,), SweepOptions(batch_size=8))
    )


def searched(model: Small) -> Any:
    result = find_breaking(model, RECORDS, k=3, grid=4, images=5)
    return result.masks.tolist(), result.ranks_before.tolist()


def mapped(model: Small) -> Any:
    heat = sensitivity_map(model, RECORDS, grid=4, images=5)
    return np.round(heat.rows, 4).tolist()


def halved(model: Small) -> Any:
    effect = precision_effect(model, encoder_on(device=model.device), RECORDS)
    return {name: part["count"] for name, part in effect.items()}


def first_ranked(model: Small) -> Any:
    first = FirstRanks(model, RECORDS, 9)
    changes = first.hidden(load_occluder("patches"), 0.4, 1).changes
    return [(change.before, change.after) for change in changes]


def few_images(room: Room, model: Small, _: pytest.MonkeyPatch) -> None:
    model.images = room


def few_reports(room: Room, model: Small, _: pytest.MonkeyPatch) -> None:
    model.reports = room


def small_upload(module: Any) -> Callable[[Room, Small, pytest.MonkeyPatch], None]:
    scale = module.unit_scale

    def spoil(room: Room, _: Small, monkeypatch: pytest.MonkeyPatch) -> None:
        def upload(pixels: Any, device: str) -> Tensor:
            room.require(len(pixels))
            scaled: Tensor = scale(pixels, device)
            return scaled

        monkeypatch.setattr(module, "unit_scale", upload)

    return spoil


def nothing_pinned(room: Room, _: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    def pin(tensor: Tensor, *_: Any) -> Tensor:
        room.require(len(tensor) + room.most)
        return tensor

    monkeypatch.setattr(Tensor, "pin_memory", pin)


def small_fill(room: Room, _: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = Probe.prepare

    def limited(probe: Probe) -> None:
        room.require(len(probe.scene.ids))
        prepare(probe)

    monkeypatch.setattr(Probe, "prepare", limited)


def small_hiding(room: Room, _: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(load_occluder("patches"))
    occlude: Any = kind.occlude

    def limited(occluder: Any, pixels: Tensor, *rest: Any, **options: Any) -> Tensor:
        room.require(len(pixels))
        hidden: Tensor = occlude(occluder, pixels, *rest, **options)
        return hidden

    monkeypatch.setattr(kind, "occlude", limited)


def small_tiles(
    module: Any, name: str
) -> Callable[[Room, Small, pytest.MonkeyPatch], None]:
    rank = getattr(module, name)

    def spoil(room: Room, _: Small, monkeypatch: pytest.MonkeyPatch) -> None:
        def limited(*rows: Any, tile: int, **options: Any) -> Any:
            room.require(tile // 300 + room.most)
            return rank(*rows, tile=tile, **options)

        monkeypatch.setattr(module, name, limited)

    return spoil


PLACES = {
    "images of a sweep": Place(few_images, swept),
    "reports of a sweep": Place(few_reports, swept),
    "upload of a sweep": Place(small_upload(lane), swept),
    "pinned memory": Place(nothing_pinned, swept),
    "hiding": Place(small_hiding, swept),
    "ranks of a sweep": Place(small_tiles(scoring, "positive_ranks_both"), swept),
    "images of a search": Place(few_images, searched),
    "reports of a search": Place(few_reports, searched),
    "upload of a search": Place(small_upload(batches), searched),
    "fill of a search": Place(small_fill, searched),
    "ranks of a search": Place(small_tiles(breaking, "positive_ranks"), searched),
    "images of a map": Place(few_images, mapped),
    "upload of a map": Place(small_upload(batches), mapped),
    "images in half precision": Place(few_images, halved),
    "reports in half precision": Place(few_reports, halved),
    "first ranks": Place(few_images, first_ranked),
}
MOST_FAILURES = 6
"""64 images, 32, ..., 3 at a time."""


@pytest.fixture
def on_gpu() -> Iterator[None]:
    with emulated("cuda:0"):
        yield


def small_model() -> Small:
    model = encoder_on(Small, device="cuda:0")
    assert isinstance(model, Small)
    return model


@cache
def undisturbed(place: str) -> Any:
    """What is measured there with room for everything."""
    return PLACES[place].measure(small_model())


@pytest.mark.usefixtures("on_gpu")
@pytest.mark.parametrize(
    # All places ask one function which kind it is: see the test of kinds above.
    ("place", "kind"),
    list(zip(PLACES, cycle(ONE_OF_EACH), strict=False)),
)
def test_memory_that_runs_out_is_halved_once_in_every_place(
    place: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, measure = PLACES[place].spoil, PLACES[place].measure
    expected = undisturbed(place)
    model = small_model()
    room = Room(MEMORY[kind])
    spoil(room, model, monkeypatch)
    assert measure(model) == expected
    if place == "pinned memory":
        # Nothing is halved for it: what is not pinned is copied all the same.
        assert limits_of(model).scene is limits_of(model).images is None
        return
    assert 1 <= room.failures <= MOST_FAILURES
    known = room.failures
    assert measure(model) == expected
    assert room.failures == known


@pytest.mark.usefixtures("on_gpu")
def test_what_a_sweep_found_out_is_known_to_searches_maps_and_ranks() -> None:
    model = small_model()
    model.images = Room(MEMORY["cuda"])
    model.reports = Room(MEMORY["cublas"])
    swept(model)
    known = (model.images.failures, model.reports.failures)
    for measure in (searched, mapped, halved, first_ranked):
        measure(model)
    assert (model.images.failures, model.reports.failures) == known


@pytest.mark.usefixtures("on_gpu")
def test_memory_that_another_process_takes_meanwhile_halves_from_then_on() -> None:
    expected = undisturbed("images of a sweep")
    model = small_model()
    room = Room(MEMORY["torch"], most=8)

    class Taken(Room):
        """Has room for less and less."""

        def require(self, count: int) -> None:
            room.most = max(1, room.most - 1)
            room.require(count)

    model.images = Taken(MEMORY["torch"])
    assert swept(model) == expected
    # Each size fails once: the 40 versions of a batch that `salient` looks at, 20, ..., 2.
    assert 1 <= room.failures <= 6
    assert limits_of(model).images == 1


@pytest.mark.usefixtures("on_gpu")
def test_a_model_that_no_image_fits_beside_is_an_error_of_every_cell_and_is_let_go() -> (
    None
):
    model = small_model()
    room = Room(MEMORY["torch"], most=0)
    model.images = room
    patches = load_occluder("patches")
    cells = [(Cell("patches", level, 1), patches) for level in (0.2, 0.4)]
    options = SweepOptions(batch_size=8)
    result = run_sweep(model, pairs_of(RECORDS), cells, (1,), options)
    for error in result.cells.values():
        assert isinstance(error, ModelError)
        assert "Memory of cuda:0 ran out: see what else runs there" in str(error)
    # A warm-up with 4 images, and 8, 4, 2, 1 for each cell of one batch of four.
    assert room.failures <= 3 + 4 * len(result.cells)
    assert limits_of(model).images is None
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


@dataclass
class Source:
    """A run's only model, for a timer."""

    encoder: Small

    def model(self, _: str) -> Any:
        return self.encoder

    def copies(self, _: str) -> tuple[()]:
        return ()

    def change(self, case: Case) -> Any:
        return load_occluder(case.occluder)

    def timed_batch(self, _: str, __: str, images: int) -> Any:
        return prepare_batch(self.encoder, RECORDS, images)

    def alone(self, *_: Any) -> Any:
        raise AssertionError

    def reference_cost(self, *_: Any) -> None:
        return None


TIMED = Case("pixels", "records", "patches", 0.3, 0)


@pytest.mark.usefixtures("on_gpu")
@pytest.mark.parametrize("kind", ONE_OF_EACH)
@pytest.mark.parametrize("spoil", [few_images, small_upload(batches), small_hiding])
def test_a_timer_says_that_its_batch_does_not_fit_and_times_no_other(
    kind: str,
    spoil: Callable[[Room, Small, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = small_model()
    room = Room(MEMORY[kind])
    spoil(room, model, monkeypatch)
    timer = OcclusionTimer(Source(model), TIMED)
    with pytest.raises(OutOfMemory, match=r"Memory of cuda:0 ran out: see") as caught:
        timer(images=8, rounds=1)
    assert room.failures == 1
    assert str(caught.value).count("\n") == 0


# Devices that fail


@dataclass
class Losing(OnDeviceEncoder):
    """Its device fails after so many calls."""

    error: Callable[[], Exception] = LOST["launch"]
    lost_after: float = math.inf
    calls: list[int] = field(default_factory=list)
    kept: list[weakref.ref[Any]] = field(default_factory=list)

    def encode_images(self, pixels: Tensor) -> Tensor:
        self.calls.append(len(pixels))
        if len(self.calls) > self.lost_after:
            activations = pixels * 2
            self.kept += [weakref.ref(activations), weakref.ref(pixels)]
            raise self.error()
        return super().encode_images(pixels)


def losing(**changes: Any) -> Losing:
    model = encoder_on(Losing, device="cuda:0", **changes)
    assert isinstance(model, Losing)
    return model


@pytest.mark.usefixtures("on_gpu")
@pytest.mark.parametrize("kind", LOST)
def test_a_lost_device_is_said_once_a_cell_is_not_asked_again_and_keeps_the_store(
    kind: str, tmp_path: Path
) -> None:
    patches = load_occluder("patches")
    hidden = [Cell("patches", level, 1) for level in (0.2, 0.4)]

    def sweep(model: Losing, cells: Sequence[Cell] = ()) -> SweepResult:
        options = SweepOptions(batch_size=8, store=EmbeddingStore(tmp_path))
        planned = [(cell, patches) for cell in cells]
        return run_sweep(model, pairs_of(RECORDS), planned, (1,), options)

    stored = ranks(sweep(losing()))
    warm = losing()
    sweep(warm)
    # Even a warm sweep asks about a few fixed pictures, to know the model again.
    fixed = len(warm.calls)
    model = losing(error=LOST[kind], lost_after=fixed)
    result = sweep(model, hidden)
    assert isinstance(result.cells[CLEAN], Measured)
    for cell in hidden:
        error = result.cells[cell]
        assert isinstance(error, ModelError)
        assert "Look at the device and at what else runs on it" in str(error)
        assert str(error).count("\n") == 0
    # A warm-up, and one attempt per cell, of one of four batches.
    assert len(model.calls) - fixed == 1 + len(hidden)
    again = losing()
    assert ranks(sweep(again)) == stored
    assert len(again.calls) == fixed


@pytest.mark.usefixtures("on_gpu")
@pytest.mark.parametrize("kind", ["torch", *LOST])
@pytest.mark.parametrize("work", [searched, mapped, "timer"])
def test_errors_of_a_device_keep_nothing_that_lay_on_it(work: Any, kind: str) -> None:
    model = losing(error={**MEMORY, **LOST}[kind], lost_after=0)
    kept = model.kept
    kept.append(weakref.ref(model))
    errors = []
    try:
        if work == "timer":
            OcclusionTimer(Source(model), TIMED)(images=4, rounds=1)  # type: ignore[arg-type]
        else:
            work(model)
    except ModelError as error:
        errors.append(error.with_traceback(None))
    del model
    gc.collect()
    assert len(errors) == 1
    assert errors[0].__cause__ is errors[0].__context__ is None
    assert len(kept) > 1
    assert [reference() for reference in kept] == [None] * len(kept)


def test_errors_that_are_not_the_devices_are_raised_as_they_are() -> None:
    def work() -> None:
        raise ValueError("as it is")

    with pytest.raises(ValueError, match="as it is"):
        or_device_error(work, "a model to be measured", "cpu")

    def ours() -> None:
        raise ModelError("ours")

    with pytest.raises(ModelError, match="ours"):
        or_device_error(ours, "a model to be measured", "cpu")


def test_pinned_memory_that_fails_for_another_reason_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pin(*_: Any) -> Tensor:
        raise LOST["launch"]()

    with emulated("cuda:0"):
        monkeypatch.setattr(Tensor, "pin_memory", pin)
        with pytest.raises(RuntimeError, match="unspecified launch failure"):
            encoding.unit_scale(np.zeros((1, 3, 2, 2), np.uint8), "cuda:0")
