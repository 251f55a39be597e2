"""Where the ranks of a run lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_retrieval_robust.gate.arrays import RunStore

RANKS = np.arange(1, 9)


@pytest.fixture(autouse=True)
def room_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pytest_retrieval_robust.gate.arrays._MOST_BYTES_IN_MEMORY", 2 * RANKS.nbytes
    )


def test_a_process_alone_writes_only_what_memory_has_no_room_for(
    tmp_path: Path,
) -> None:
    store = RunStore(tmp_path, alone=True)
    for key in ("a", "b", "c", "a"):
        store.save(key, ranks=RANKS)
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]
    assert all(np.array_equal((store.load(key) or {})["ranks"], RANKS) for key in "abc")


def test_a_process_that_shares_writes_everything(tmp_path: Path) -> None:
    worker, controller = RunStore(tmp_path), RunStore(tmp_path, alone=True)
    for key in "abc":
        worker.save(key, ranks=RANKS)
    assert all(
        np.array_equal((controller.load(key) or {})["ranks"], RANKS) for key in "abc"
    )
    assert controller.load("d") is None
