"""A run's own shards stay within the limit; older ones go, and then nothing more is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore

ROWS = {"rows": np.zeros((8, 16), np.float32)}


def key_of(number: int) -> str:
    return f"{number:02x}" * 20


def fill(folder: Path, numbers: range) -> int:
    """Shards of an earlier run, the first one unused for the longest time; the size of one."""
    store = EmbeddingStore(folder)
    for number in numbers:
        key = key_of(number)
        store.save(key, ROWS, {})
        when = 1_000_000 + number
        os.utime(folder / key[:2] / f"{key}.npz", (when, when))
    return next(store.files()).size


def kept(folder: Path) -> list[int]:
    return sorted(int(file.key[:2], 16) for file in EmbeddingStore(folder).files())


@given(
    room=st.integers(0, 12),
    used=st.sets(st.integers(0, 5)),
    written=st.integers(0, 9),
)
def test_a_run_keeps_its_beginning_and_the_limit(
    room: int, used: set[int], written: int, tmp_path_factory: object
) -> None:
    folder: Path = tmp_path_factory.mktemp("store")  # type: ignore[attr-defined]
    size = fill(folder, range(6))
    store = EmbeddingStore(folder, room * size)
    for number in used:
        assert store.load(key_of(number)) is not None
    for number in range(100, 100 + written):
        store.save(key_of(number), ROWS, {})
    if written:
        # The longest unused goes first, and none that this run used.
        unused = [number for number in range(6) if number not in used]
        too_many = max(0, 6 + written - room)
        new = min(written, max(0, room - len(used)))
        expected = [*used, *unused[min(too_many, len(unused)) :]]
        assert kept(folder) == sorted([*expected, *range(100, 100 + new)])
        assert bool(store.notes) == (new < written)
    removed = [int(file.key[:2], 16) for file in store.prune()]
    assert len(kept(folder)) <= room
    # Own ones go only where the limit is below what was used.
    own = [number for number in removed if number in used or number >= 100]
    assert not own or len(used) > room


def test_what_another_process_of_the_run_uses_is_not_removed(tmp_path: Path) -> None:
    size = fill(tmp_path, range(3))
    store = EmbeddingStore(tmp_path, 3 * size)
    store.save(key_of(100), ROWS, {})
    # Another worker loads the next one that would go.
    assert EmbeddingStore(tmp_path).load(key_of(1)) is not None
    store.save(key_of(101), ROWS, {})
    assert kept(tmp_path) == [1, 100, 101]
    store.save(key_of(102), ROWS, {})
    assert kept(tmp_path) == [1, 100, 101]
    assert "filled to its limit" in store.notes[0]


WORKER = """
import sys
import time
import numpy as np
from pathlib import Path
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
store = EmbeddingStore(Path(sys.argv[1]), limit=int(sys.argv[2]))
for number in range(60):
    key = f"{int(sys.argv[3]):02x}{number:02x}" * 10
    store.save(key, {"rows": np.zeros((8, 16), np.float32)}, {})
"""


def test_workers_keep_the_limit_together(tmp_path: Path) -> None:
    size = fill(tmp_path, range(10))
    environment = {**os.environ, "RETRIEVAL_ROBUST_SLOT": "0/3"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(40 * size), str(worker)],
            env=environment,
        )
        for worker in range(3)
    ]
    assert [process.wait() for process in started] == [0, 0, 0]
    files = list(EmbeddingStore(tmp_path).files())
    # 180 shards were written at once; each worker may be one or two ahead of its count.
    assert 36 * size <= sum(file.size for file in files) <= 44 * size


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_clock_that_is_wrong_takes_nothing_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Another machine writes beside this one, whose clock is hours off."""
    size = fill(tmp_path, range(2))
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + 3600 * hours)
    here = EmbeddingStore(tmp_path, 3 * size)
    EmbeddingStore(tmp_path).save(key_of(100), ROWS, {})
    writing = tmp_path / "64" / "half.1-0123456789abcdef.part"
    writing.write_bytes(b"half")
    for number in (101, 102):
        assert here.save(key_of(number), ROWS, {})
    # The two that nobody has used since went, and not what came meanwhile.
    assert kept(tmp_path) == [100, 101, 102]
    assert not here.save(key_of(103), ROWS, {})
    assert here.prune() == []
    assert writing.exists()
