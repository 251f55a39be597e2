"""Searches that copies of a model share: the same on any number of devices."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pytest_retrieval_robust.core.encoding import unit_scale
from pytest_retrieval_robust.core.errors import DatasetError, ModelError
from pytest_retrieval_robust.core.progress import Progress
from pytest_retrieval_robust.measure import batches
from pytest_retrieval_robust.measure.batches import part_size
from pytest_retrieval_robust.measure.breaking import BreakingResult, run_search
from pytest_retrieval_robust.measure.search import Search

from ..core.sweeps import encoder_of
from ..emulated_device import emulated
from .sweep.test_devices import OnDeviceEncoder, encoder_on
from .sweep.test_sweep import RECORDS, Pixels

pytestmark = pytest.mark.usefixtures("one_thread")
PART = 4
IMAGES = 18


@dataclass
class Noting(Pixels):
    """Notes its threads and its batches; its rows depend on a batch's size, as rounding does."""

    threads: set[int] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)
    is_busy: bool = False

    def encode_images(self, pixels: Tensor) -> Tensor:
        assert not self.is_busy
        self.is_busy = True
        self.threads.add(threading.get_ident())
        self.sizes.append(len(pixels))
        rows = super().encode_images(pixels) + 1e-5 * len(pixels)
        self.is_busy = False
        return torch.nn.functional.normalize(rows, dim=1)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PART", PART)
    monkeypatch.setattr(batches, "PART_ON_CUDA", PART)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def searched(models: list[Any], **options: Any) -> BreakingResult:
    first, *copies = models
    search = Search(first, RECORDS, 4, "black", IMAGES, k=3, copies=lambda: copies)
    return run_search(search, **options)


def content(result: BreakingResult) -> list[bytes]:
    """Everything that a search gives for its images."""
    arrays = (
        result.numbers,
        result.masks,
        result.shares,
        result.ranks_before,
        result.ranks_after,
        result.falls,
        result.encodings,
        result.one_minimal,
    )
    return [array.tobytes() for array in arrays]


@pytest.fixture(scope="module")
def alone() -> Iterator[BreakingResult]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "PART", PART)
        yield searched([encoder_of(Noting)])


@pytest.mark.parametrize("count", [2, 3, 7])
def test_any_number_of_copies_gives_the_same_bytes(
    count: int, alone: BreakingResult
) -> None:
    told: list[Progress] = []
    models: list[Any] = [encoder_of(Noting) for _ in range(count)]
    result = searched(models, tell=told.append)
    assert content(result) == content(alone)
    assert result.outcome == alone.outcome
    # Five parts, of which each copy has a share and sees one batch at a time.
    used = [model for model in models if model.sizes]
    assert len(used) == min(count, 5)
    assert all(len(model.threads) == 1 for model in used)
    assert len({*(thread for model in used for thread in model.threads)}) == len(used)
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert done[-1] == told[-1].total


def test_which_copy_searches_a_part_does_not_depend_on_their_speed() -> None:
    def sizes(slow: int) -> list[list[int]]:
        begun = threading.Event()

        class Waiting(Noting):
            def encode_images(self, pixels: Tensor) -> Tensor:
                if self is models[slow]:
                    begun.wait(0.02)
                return super().encode_images(pixels)

        models = [encoder_of(Waiting) for _ in range(2)]
        searched(models)
        return [model.sizes for model in models]  # type: ignore[attr-defined]

    assert sizes(slow=0) == sizes(slow=1)


def test_copies_are_not_asked_for_where_one_part_is_all() -> None:
    def copies() -> list[Any]:
        raise AssertionError

    search = Search(encoder_of(Noting), RECORDS, 4, "black", PART, k=3, copies=copies)
    assert len(run_search(search).numbers) == PART


class FailingError(Exception):
    """What an encoder raises here."""


@dataclass
class Failing(Noting):
    """Fails once it was asked so often."""

    after: int = 0
    error: BaseException = field(default_factory=FailingError)

    def encode_images(self, pixels: Tensor) -> Tensor:
        if len(self.sizes) >= self.after:
            raise self.error
        return super().encode_images(pixels)


def test_the_error_of_the_first_part_that_fails_is_raised_and_the_others_end() -> None:
    late = encoder_of(Failing, after=3, name="late")
    early = encoder_of(Failing, name="early")
    patient = encoder_of(Noting)
    with pytest.raises(ModelError, match="late to return embeddings, got Failing"):
        searched([late, early, patient])
    # The third copy has one of five parts, and does not begin another.
    everything = encoder_of(Noting)
    searched([everything])
    assert len(patient.sizes) <= len(everything.sizes) / 3  # type: ignore[attr-defined]


class Slow(Noting):
    """Takes long enough for the caller to notice what another copy raised."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        time.sleep(0.02)
        return super().encode_images(pixels)


@pytest.mark.parametrize("where", ["a copy", "the caller"])
def test_an_interrupt_ends_all_copies_at_their_next_batch(where: str) -> None:
    models: list[Any] = [encoder_of(Slow) for _ in range(2)]
    if where == "a copy":
        models[0] = encoder_of(Failing, after=4, error=KeyboardInterrupt())

    def tell(progress: Progress) -> None:
        if where == "the caller" and progress.done > 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(models, tell=tell)
    complete = [encoder_of(Noting) for _ in range(2)]
    searched(complete)
    assert len(models[1].sizes) < len(complete[1].sizes)  # type: ignore[attr-defined]


def test_a_data_set_without_images_to_read_is_refused_on_copies_too() -> None:
    @dataclass(frozen=True)
    class Broken(type(RECORDS)):  # type: ignore[misc]
        skips_unreadable: bool = True

        def image(self, index: int) -> Any:
            from pytest_retrieval_robust.core.errors import UnreadableImageError

            raise UnreadableImageError(f"got nothing for {index}")

    data: Any = Broken(RECORDS.texts, RECORDS.reports)
    models = [encoder_of(Noting) for _ in range(2)]
    search = Search(models[0], data, 4, "black", IMAGES, k=3, copies=lambda: models[1:])
    with pytest.raises(DatasetError, match="images that can be read in records"):
        run_search(search)


def test_copies_on_a_gpu_find_what_the_processor_finds() -> None:
    expected = searched([encoder_on()])
    with emulated("cuda:0"):
        assert part_size("cuda:0") == PART
        models = [encoder_on(device="cuda:0") for _ in range(3)]
        assert content(searched(models)) == content(expected)


def test_a_search_uses_an_apple_gpu_from_one_thread() -> None:
    with emulated("mps") as used:
        searched([encoder_on(OnDeviceEncoder, device="mps")])
    assert used.threads == {threading.get_ident()}


@pytest.mark.parametrize("room", [3, 2])
def test_a_part_that_does_not_fit_is_searched_in_smaller_ones(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = unit_scale
    failures = []

    def upload(pixels: Any, device: str) -> Tensor:
        if len(pixels) > room:
            failures.append(len(pixels))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return scale(pixels, device)

    expected = searched([encoder_of(Pixels)])
    monkeypatch.setattr(batches, "unit_scale", upload)
    model = encoder_of(Pixels)
    result = searched([model])
    # Once: what fits is known from then on.
    assert failures == [PART]
    assert np.array_equal(result.masks, expected.masks)
    assert np.array_equal(result.ranks_after, expected.ranks_after)
