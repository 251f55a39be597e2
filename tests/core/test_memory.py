"""Memory that runs out halves what is done at a time, and changes no rank."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pytest_retrieval_robust.core.calling import encode_images
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.core.errors import (
    ModelError,
)
from pytest_retrieval_robust.core.memory import (
    Limits,
    give_memory_back,
    in_pieces,
    is_out_of_memory,
    limits_of,
)
from pytest_retrieval_robust.measure.breaking import find_breaking
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import scores as scoring
from pytest_retrieval_robust.measure.sweep.run import Measured, SweepOptions, run_sweep
from pytest_retrieval_robust.models import ModelCard
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both

from ..device_errors import AcceleratorError
from ..measure.sweep.test_sweep import RECORDS, Pixels
from .sweeps import CELLS, encoder_of, ranks


@pytest.fixture(scope="module")
def undisturbed() -> dict[Cell, bytes]:
    """The ranks where memory suffices."""
    return ranks(run_sweep(encoder_of(Pixels), pairs_of(RECORDS), CELLS, (1,)))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        AcceleratorError("CUDA error: out of memory"),
        RuntimeError(
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
        ),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError(
            "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"
        ),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate"
            " memory: you tried to"
        ),
        RuntimeError("HIP out of memory"),
        MemoryError(),
        Exception("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_memory_that_runs_out_in_any_way_halves_what_is_encoded(
    error: Exception, undisturbed: dict[Cell, bytes]
) -> None:
    class Small(Pixels):
        failures = 0

        def _check(self, count: int) -> None:
            if count > 3:
                Small.failures += 1
                raise error

        def encode_images(self, pixels: Tensor) -> Tensor:
            self._check(len(pixels))
            pixels = pixels.clone()
            return super().encode_images(pixels)

        def encode_reports(self, texts: Any) -> Tensor:
            self._check(len(texts))
            return super().encode_reports(texts)

    assert is_out_of_memory(error)
    model = encoder_of(Small)
    result = run_sweep(model, pairs_of(RECORDS), CELLS, (1,))
    assert ranks(result) == undisturbed
    in_the_sweep = Small.failures
    assert in_the_sweep <= 2 * 4  # 30, 15, 7, and then 3 images, and reports, at a time
    find_breaking(model, RECORDS, k=3, grid=4, images=9)
    assert Small.failures == in_the_sweep  # what fitted is known to the search too


def test_an_error_that_wraps_one_of_memory_is_one_and_others_are_not() -> None:
    wrapped = ValueError("my encoder failed")
    wrapped.__cause__ = torch.OutOfMemoryError("CUDA out of memory")
    assert is_out_of_memory(wrapped)
    assert not is_out_of_memory(ValueError("a size of 3 was expected"))
    assert not is_out_of_memory(
        RuntimeError("CUDA error: device-side assert triggered")
    )


def test_the_parts_cover_all_once_whatever_fits() -> None:
    for fits in (1, 2, 3, 5, 64):
        limits = Limits()

        def work(part: slice, fits: int = fits) -> list[int]:
            if part.stop - part.start > fits:
                raise MemoryError
            return list(range(100)[part])

        found = list(in_pieces(17, limits, "images", work, "cpu"))
        assert [number for part in found for number in part] == list(range(17))
        assert limits.images is None if fits >= 17 else 0 < (limits.images or 0) <= fits


def test_an_error_that_no_size_avoids_leaves_the_size_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, failing = encoder_of(Pixels), encoder_of(Pixels)

    def fail(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(failing, "encode_images", fail)
    with pytest.raises(ModelError, match="Memory of cpu ran out"):
        encode_images(failing, torch.zeros(4, 3, 16, 16))
    assert limits_of(failing) == limits_of(model) == Limits()


def test_pieces_that_memory_forced_are_not_stored_as_a_whole(tmp_path: Path) -> None:
    class Once(Pixels):
        """Runs out of memory at first; pieces of another size round otherwise."""

        room = 64

        def encode_images(self, pixels: Tensor) -> Tensor:
            if len(pixels) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return torch.nn.functional.normalize(
                super().encode_images(pixels) + 1e-4 * len(pixels), dim=1
            )

        def encode_reports(self, texts: Any) -> Tensor:
            if len(texts) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return torch.nn.functional.normalize(
                super().encode_reports(texts) + 1e-4 * len(texts), dim=1
            )

    card = ModelCard("test", sha256="ab")
    undisturbed = run_sweep(encoder_of(Once, card=card), pairs_of(RECORDS), CELLS, (1,))
    disturbed = encoder_of(Once, card=card)
    disturbed.room = 5  # type: ignore[attr-defined]
    store = EmbeddingStore(tmp_path)
    run_sweep(disturbed, pairs_of(RECORDS), CELLS, (1,), SweepOptions(store=store))
    resumed = run_sweep(
        encoder_of(Once, card=card),
        pairs_of(RECORDS),
        CELLS,
        (1,),
        SweepOptions(store=store),
    )
    warm = run_sweep(
        encoder_of(Once, card=card),
        pairs_of(RECORDS),
        CELLS,
        (1,),
        SweepOptions(store=store),
    )
    assert ranks(resumed) == ranks(warm) == ranks(undisturbed)
    # A cell of text noise encodes no image.
    assert all(
        one.timing.from_store == 30
        for cell, one in warm.cells.items()
        if isinstance(one, Measured) and cell.family != "text-noise"
    )


def test_memory_that_runs_out_while_ranks_are_counted_takes_smaller_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiles: list[int] = []
    real = positive_ranks_both

    def limited(*rows: Any, tile: int, **options: Any) -> Any:
        tiles.append(tile)
        if tile > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*rows, tile=tile, **options)

    monkeypatch.setattr(scoring, "positive_ranks_both", limited)

    class Scoring(Pixels):
        def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
            return queries @ gallery.T

    model = encoder_of(Scoring)
    model.device = "cpu:0"
    result = run_sweep(model, pairs_of(RECORDS), CELLS[:2], (1,))
    assert tiles == [1024, 256, 64, 64, 64]
    monkeypatch.undo()
    assert ranks(result) == ranks(
        run_sweep(encoder_of(Scoring), pairs_of(RECORDS), CELLS[:2], (1,))
    )


@pytest.mark.skipif(sys.platform != "linux", reason="other heaps have no such call")
def test_free_pieces_of_the_heap_go_back_to_the_system() -> None:
    # One block in fifty stays, and with it the heap between them.
    blocks = [bytes(4000) for _ in range(10_000)]
    kept = blocks[::50]
    del blocks
    before = resident_bytes()
    give_memory_back("cpu")
    assert len(kept) == 200
    assert before - resident_bytes() > 20_000_000


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
