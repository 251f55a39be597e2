"""Shards on disk: whole or absent, whatever happens to them."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore, about_shard

KEY = "ab" * 20
OTHER = "cd" * 20
ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


def saved(folder: Path, key: str = KEY) -> tuple[EmbeddingStore, Path]:
    store = EmbeddingStore(folder)
    store.save(key, {"rows": ROWS}, {"model": "m"})
    return store, folder / key[:2] / f"{key}.npz"


@given(
    rows=arrays(np.float32, st.tuples(st.integers(0, 4), st.integers(1, 4))),
    flags=arrays(np.bool_, st.integers(0, 5)),
)
def test_what_was_saved_comes_back_bit_for_bit(
    rows: NDArray[np.float32],
    flags: NDArray[np.bool_],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = EmbeddingStore(tmp_path_factory.mktemp("store"))
    store.save(KEY, {"rows": rows, "flags": flags}, {})
    loaded = store.load(KEY)
    assert loaded is not None
    assert sorted(loaded) == ["flags", "rows"]
    assert loaded["rows"].tobytes() == rows.tobytes()
    assert loaded["rows"].shape == rows.shape
    assert loaded["flags"].tobytes() == flags.tobytes()
    assert store.notes == []


def test_a_key_that_was_never_saved_is_none_and_no_news(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "absent")
    assert store.load(KEY) is None
    assert store.notes == []
    assert list(store.files()) == []
    assert store.prune() == []
    assert store.damaged() == []


def test_no_changed_byte_makes_another_number(tmp_path: Path) -> None:
    store, path = saved(tmp_path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        loaded = store.load(KEY)
        # Some bytes of an archive say nothing of its members.
        assert loaded is None or np.array_equal(loaded["rows"], ROWS), position
    assert "damaged or foreign" in store.notes[0]


def test_no_cut_file_is_read(tmp_path: Path) -> None:
    store, path = saved(tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert store.load(KEY) is None
    assert [file.path for file in store.damaged()] == [path]


def test_a_damaged_shard_is_written_anew(tmp_path: Path) -> None:
    store, path = saved(tmp_path)
    path.write_bytes(b"no archive")
    assert store.load(KEY) is None
    store.save(KEY, {"rows": ROWS}, {})
    assert store.load(KEY) is not None
    assert store.damaged() == []


def test_a_shard_under_another_name_is_foreign(tmp_path: Path) -> None:
    store, path = saved(tmp_path)
    (tmp_path / OTHER[:2]).mkdir()
    (tmp_path / OTHER[:2] / f"{OTHER}.npz").write_bytes(path.read_bytes())
    assert store.load(OTHER) is None
    assert len(store.notes) == 1


@pytest.mark.parametrize(
    "encrypted", [False, True], ids=["an array", "an archive that says it is encrypted"]
)
def test_another_programs_file_is_no_shard(tmp_path: Path, encrypted: bool) -> None:
    store, path = saved(tmp_path)
    if encrypted:
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\1\2") + 8] |= 1
        path.write_bytes(content)
    else:
        np.save(path.with_suffix(".npy"), ROWS)
        path.with_suffix(".npy").replace(path)
    assert store.load(KEY) is None
    assert [file.path for file in store.damaged()] == [path]
    assert about_shard(path) in ({}, {"model": "m"})


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def test_a_shard_with_a_pickle_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store, path = saved(tmp_path / "store")
    stream = io.BytesIO()
    np.savez(
        stream,
        rows=np.array([Bomb()], dtype=object),
        key=np.frombuffer(KEY.encode(), dtype=np.uint8),
    )
    path.write_bytes(stream.getvalue())
    assert store.load(KEY) is None
    assert not (tmp_path / "exploded").exists()
    assert zipfile.is_zipfile(path)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 200 bytes: what a full disk does, after a part was written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_leaves_nothing_half_written_and_is_said_once(
    tmp_path: Path,
) -> None:
    store, path = saved(tmp_path)
    store.save(OTHER, {"rows": ROWS}, {})
    assert not path.exists()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    (note,) = store.notes
    assert note.startswith("Expected to write the embedding store, got: ")
    assert "--robust-cache-dir" in note


def test_a_folder_that_cannot_be_written_is_said_and_read_on(tmp_path: Path) -> None:
    store, _ = saved(tmp_path)
    (tmp_path / OTHER[:2]).write_text("a file where a folder belongs")
    store.save(OTHER, {"rows": ROWS}, {})
    assert len(store.notes) == 1
    assert store.load(OTHER) is None
    assert store.load(KEY) is not None


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    _, path = saved(tmp_path / "new")
    for private in (path, path.parent, path.parent.parent):
        assert private.stat().st_mode & 0o77 == 0


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    keys = [f"{number:02x}" * 20 for number in range(5)]
    for number, key in enumerate(keys):
        store.save(key, {"rows": ROWS}, {})
        when = 1_000_000 + number
        os.utime(tmp_path / key[:2] / f"{key}.npz", (when, when))
    # The oldest is used just now.
    assert store.load(keys[0]) is not None
    size = next(store.files()).size
    removed = store.prune(2 * size)
    assert [file.key for file in removed] == keys[1:4]
    assert sorted(file.key for file in store.files()) == [keys[0], keys[4]]


def test_a_folder_that_cannot_be_pruned_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = saved(tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert store.prune(0) == []
    assert len(list(store.files())) == 1


def test_a_clock_that_jumped_keeps_the_limit(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    for number, when in enumerate((0, 4_000_000_000)):
        key = f"{number:02x}" * 20
        store.save(key, {"rows": ROWS}, {})
        os.utime(tmp_path / key[:2] / f"{key}.npz", (when, when))
    assert len(store.prune(0)) == 2
    assert list(store.files()) == []


def test_what_a_killed_run_left_is_removed_but_not_what_another_is_writing(
    tmp_path: Path,
) -> None:
    store, path = saved(tmp_path)
    abandoned = path.with_suffix(".1-a.part")
    unfinished = path.with_suffix(".2-b.part")
    abandoned.write_bytes(b"half")
    unfinished.write_bytes(b"half")
    os.utime(abandoned, (1_000_000, 1_000_000))
    assert store.prune() == []
    assert not abandoned.exists()
    assert unfinished.exists()
    assert path.exists()


def test_a_shard_tells_what_it_is_of(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    assert about_shard(path) == {"model": "m"}
    path.write_bytes(b"")
    assert about_shard(path) == {}


HAMMER = """
import sys, numpy as np
from pathlib import Path
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
store = EmbeddingStore(Path(sys.argv[1]))
rng = np.random.default_rng(int(sys.argv[2]))
for _ in range(300):
    number = int(rng.integers(8))
    key = f"{number:02x}" * 20
    loaded = store.load(key)
    assert loaded is None or (loaded["rows"] == number).all()
    store.save(key, {"rows": np.full((4, 4), number, np.float32)}, {})
    if rng.random() < 0.1:
        store.prune(4000)
assert store.notes == [], store.notes
"""


def test_processes_share_a_folder_without_seeing_half_a_shard(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", HAMMER, str(tmp_path), str(seed)])
        for seed in range(3)
    ]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert EmbeddingStore(tmp_path).damaged() == []


@pytest.mark.skipif(os.name != "posix", reason="FIFOs")
@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")]
)
def test_what_is_no_file_in_place_of_a_shard_is_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    store, path = saved(tmp_path)
    path.unlink()
    make(path)
    assert store.load(path.stem) is None
    assert about_shard(path) == {}
    assert [file.path for file in store.damaged()] == [path]


def test_a_shard_that_would_expand_beyond_its_file_is_not_read(tmp_path: Path) -> None:
    store, path = saved(tmp_path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.npy", bytes(50_000_000))
    tracemalloc.start()
    assert store.load(path.stem) is None
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000
