"""Rows that do not fit into memory are ranked from mapped files, with the same numbers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core import host_memory
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.core.errors import EmbeddingError
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import space as space_module
from pytest_retrieval_robust.measure.sweep.gallery import chosen_rows, require_variety
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.measure.sweep.space import RowSpace
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both

from ...core.sweeps import encoder_of, ranks
from .test_sweep import RECORDS, Pixels

CELLS = [
    (Cell(name, 0.3, 0), load_occluder(name))
    for name in ("patches", "worst(grid=4)", "patches(fill=donor)")
]


@pytest.fixture
def without_memory(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Nothing fits; the sizes of the files that are mapped instead."""
    sizes: list[int] = []
    mapped = space_module._mapped

    def counting(folder: Path, nbytes: int) -> Any:
        sizes.append(nbytes)
        return mapped(folder, nbytes)

    monkeypatch.setattr(host_memory, "free_bytes", lambda: 0)
    monkeypatch.setattr(space_module, "_mapped", counting)
    return sizes


class Symmetric(Pixels):
    """Scores pairs by itself."""

    def similarity(self, queries: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
        return queries @ gallery.T


@pytest.mark.parametrize("kind", [Pixels, Symmetric])
def test_a_sweep_without_memory_gives_the_same_bytes(
    kind: type[Pixels], request: Any
) -> None:
    def sweep() -> Any:
        options = SweepOptions(batch_size=8)
        return run_sweep(encoder_of(kind), pairs_of(RECORDS), CELLS, (1,), options)

    in_memory = sweep()
    sizes = request.getfixturevalue("without_memory")
    mapped = sweep()
    assert ranks(in_memory) == ranks(mapped)
    assert in_memory.dataset == mapped.dataset
    for cell, one in in_memory.cells.items():
        assert one.achieved_level == mapped.cells[cell].achieved_level
    rows = len(RECORDS.texts) * 257 * 4
    gallery = len(RECORDS.reports) * 257 * 4
    assert sizes.count(gallery) == 1
    assert sizes.count(rows) == 1 + len(CELLS)


@given(seed=st.integers(0, 2**32 - 1), tile=st.sampled_from([3, 7, 64]))
def test_ranks_of_mapped_rows_are_those_of_rows_in_memory(
    seed: int, tile: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(9), rng.integers(0, 9, 21)])
    # Few values, so that many pairs tie.
    queries = rng.integers(1, 4, (30, 5)).astype(np.float32)
    gallery = queries[rng.permutation(30)]
    folder = tmp_path_factory.mktemp("rows")
    mapped: list[NDArray[np.float32]] = []
    for name, rows in (("queries", queries), ("gallery", gallery)):
        np.save(folder / f"{name}.npy", rows)
        # Read-only, as a user maps a file.
        mapped.append(np.load(folder / f"{name}.npy", mmap_mode="r"))
    expected = positive_ranks_both(queries, gallery, groups, groups[::-1], tile=tile)
    got = positive_ranks_both(mapped[0], mapped[1], groups, groups[::-1], tile=tile)
    for one, other in zip(expected, got, strict=True):
        assert np.array_equal(one, other)


def test_without_room_on_a_disk_memory_has_to_do(
    without_memory: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = RowSpace((tmp_path / "absent", tmp_path))
    array = space.empty((3, 4), np.float32)
    array[:] = 7
    assert without_memory == [48, 48]
    # It never had a name.
    assert list(tmp_path.iterdir()) == []

    def refuse(**_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    ordinary = space.empty((3, 4), np.float32)
    assert ordinary.base is None
    assert ordinary.shape == (3, 4)
    assert space.empty((0, 4), np.float32).shape == (0, 4)


def test_rows_are_chosen_and_compared_piece_by_piece(
    without_memory: list[int], tmp_path: Path
) -> None:
    rows = torch.arange(5000.0).reshape(2500, 2)
    is_chosen = np.arange(2500) % 3 != 1
    chosen = chosen_rows(rows, is_chosen, RowSpace((tmp_path,)))
    assert torch.equal(chosen, rows[torch.from_numpy(is_chosen)])
    assert len(without_memory) == 1
    same = torch.ones(2500, 2)
    with pytest.raises(EmbeddingError, match="same row for all 2500"):
        require_variety(same, "reports", "m")
    # The last row alone differs.
    same[-1] = 2
    require_variety(same, "reports", "m")


RANKING = """
import sys, threading
from pathlib import Path
import numpy as np, torch
from pytest_retrieval_robust.measure.sweep import space
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both

def anonymous():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024

def watch():
    while not ended.wait(0.001):
        seen.append(anonymous())

torch.set_num_threads(1)
few = torch.from_numpy(np.random.default_rng(1).normal(size=(128, 512))).float()
positive_ranks_both(few, few[:40], np.arange(128) % 40, np.arange(40))
before = anonymous()
space.is_comfortable = lambda nbytes: False
rows = space.RowSpace((Path(sys.argv[1]),)).empty((200_000, 512), np.float32)
drawn = np.random.default_rng(0).normal(size=(1000, 512))
for start in range(0, len(rows), 1000):
    rows[start : start + 1000] = drawn
gallery = torch.from_numpy(rows[:40].copy())
groups = np.arange(200_000) % 40
seen, ended = [before], threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
ranks, back = positive_ranks_both(torch.from_numpy(rows), gallery, groups, np.arange(40))
ended.set()
watcher.join()
assert (ranks[:40] == 1).all() and (back == 1).all()
print((max(seen) - before) / rows.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux")
def test_rows_are_ranked_in_less_memory_than_they_take(tmp_path: Path) -> None:
    """Memory that no file backs grows by 60 to 80 MB, a few hundred bytes per row."""
    command = [sys.executable, "-c", RANKING, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) < 0.3
