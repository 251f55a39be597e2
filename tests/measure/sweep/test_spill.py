"""A sweep's rows wait on disk: memory does not grow with the number of cells."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import Measured, SweepOptions, run_sweep
from pytest_retrieval_robust.measure.sweep.spill import Spill

from ...core.sweeps import encoder_of
from .test_sweep import RECORDS, Pixels

ARRAYS = st.tuples(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(st.integers(0, 5), st.integers(1, 4)),
    st.integers(0, 2**31),
)


@given(st.lists(ARRAYS, max_size=8), st.randoms(use_true_random=False))
def test_what_is_put_away_comes_back_in_any_order(
    kinds: list[Any], random: Any
) -> None:
    spill = Spill()
    arrays = [
        np.random.default_rng(seed).normal(size=shape).astype(dtype)
        for dtype, shape, seed in kinds
    ]
    waiting = list(enumerate([spill.put(array) for array in arrays]))
    random.shuffle(waiting)
    for index, array in waiting:
        assert spill.take(array).tobytes() == arrays[index].tobytes()
    spill.close()


def test_nothing_is_left_of_the_file(tmp_path: Path) -> None:
    spill = Spill([tmp_path])
    spill.put(np.ones((100, 100)))
    # It never had a name, so not even a kill leaves it.
    assert list(tmp_path.iterdir()) == []
    spill.close()


def test_without_a_folder_or_on_a_full_disk_arrays_stay_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, file: IO[bytes]) -> None:
            self._file = file

        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    real: Any = tempfile.TemporaryFile
    array = np.arange(12.0).reshape(3, 4)
    full: Any = lambda **options: Full(real(**options))  # noqa: E731
    for opened in (full, _refuse):
        monkeypatch.setattr(tempfile, "TemporaryFile", opened)
        spill = Spill([tmp_path / "missing"])
        put = spill.put(array)
        assert spill.take(put).tobytes() == array.tobytes()
        spill.close()


def _refuse(**_: Any) -> Any:
    raise PermissionError(13, "Permission denied")


class Wide(Pixels):
    """Rows so wide that they are most of what a sweep holds."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        return torch.nn.functional.normalize(
            super().encode_images(pixels).repeat(1, 40), dim=1
        )

    def encode_reports(self, texts: Any) -> Tensor:
        return torch.nn.functional.normalize(
            super().encode_reports(texts).repeat(1, 40), dim=1
        )


def test_memory_does_not_grow_with_the_number_of_cells() -> None:
    patches = load_occluder("patches")

    def peak(cells: int) -> int:
        planned = [(Cell("patches", 0.1, seed), patches) for seed in range(cells)]
        tracemalloc.start()
        try:
            result = run_sweep(
                encoder_of(Wide),
                pairs_of(RECORDS),
                planned,
                (1,),
                SweepOptions(batch_size=8),
            )
            for outcome in result.cells.values():
                assert isinstance(outcome, Measured)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # The first sweep imports and caches.
    peak(2)
    rows = len(RECORDS.texts) * 257 * 40 * 4
    # 20 more cells take less memory than the rows of four.
    assert peak(22) - peak(2) < 4 * rows
