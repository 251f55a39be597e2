"""What others have left is taken over once, whoever died, and without an end to wait for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest

from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.run.encode.marks import Kind, Marks
from pytest_retrieval_robust.run.encode.part import Part
from pytest_retrieval_robust.run.encode.shares import begins_left, begins_own
from pytest_retrieval_robust.run.encode.taking_over import SweepLeft, TakingOver

NAMES = [Kind.IMAGES.name_of(number) for number in range(30)]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of every pause, none of which is waited for."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def marks_in(folder: Path) -> Marks:
    return Marks(folder, folder / "marks")


@dataclass
class Worker:
    """A part whose encoding is a note of what it would encode."""

    part: Part
    marks: Marks
    taken: list[str] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    """Batches that end the whole sweep."""

    def encode(self, left: SweepLeft, names: Sequence[str], times: int) -> int | None:
        begins = begins_left(left.marks, self.part, times)
        before = len(self.taken)
        for name in filter(begins, names):
            if name in self.broken:
                return len(self.taken) - before or None
            self.taken.append(name)
            left.marks.note_done(name)
        return len(self.taken) - before

    def run(self) -> None:
        left = SweepLeft(0, NAMES, self.marks)
        TakingOver(self.part, self.encode, lambda: 7.0).run([left])


def test_workers_at_once_take_every_batch(tmp_path: Path) -> None:
    workers = [Worker(Part(n, 4), marks_in(tmp_path)) for n in range(1, 5)]
    ready = Barrier(len(workers))

    def run(worker: Worker) -> None:
        ready.wait()
        worker.run()

    threads = [Thread(target=run, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [name for worker in workers for name in worker.taken]
    # A batch may be taken twice: one worker looks while another is about to mark it.
    assert set(taken) == set(NAMES)
    assert marks_in(tmp_path).seen().missing(NAMES) == []


def test_what_a_dead_part_has_begun_is_taken_after_one_pause(
    tmp_path: Path, pauses: list[float]
) -> None:
    dead = marks_in(tmp_path)
    for name in NAMES[:5]:
        assert dead.begin(name, 1, Part(2, 2))
    worker = Worker(Part(1, 2), marks_in(tmp_path))
    worker.run()
    assert sorted(worker.taken) == sorted(NAMES)
    assert set(worker.taken[-5:]) == set(NAMES[:5])
    assert pauses == [7.0]


def test_failed_batches_are_left_to_their_own_part(tmp_path: Path) -> None:
    marks = marks_in(tmp_path)
    marks.note_failed(NAMES[0])
    worker = Worker(Part(1, 2), marks)
    worker.run()
    assert NAMES[0] not in worker.taken
    assert marks.seen().failed == {NAMES[0]}
    # Its part has repaired what was wrong.
    marks.note_done(NAMES[0])
    assert marks.seen().failed == frozenset()


def test_a_batch_that_ends_the_sweep_ends_it_after_all_others(tmp_path: Path) -> None:
    worker = Worker(Part(1, 2), marks_in(tmp_path), broken=frozenset(NAMES[:1]))
    worker.run()
    assert sorted(worker.taken) == sorted(NAMES[1:])


def test_where_no_mark_can_be_made_all_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "marks").write_text("a file in the way")
    worker = Worker(Part(1, 2), marks_in(tmp_path))
    worker.run()
    assert sorted(worker.taken) == sorted(NAMES)
    assert not worker.marks.work


def test_an_own_batch_that_another_part_has_begun_is_not_begun_again(
    tmp_path: Path,
) -> None:
    own = begins_own(marks_in(tmp_path), Part(1, 2))
    assert own("i0")
    # It died, and is started again.
    assert own("i0")
    assert marks_in(tmp_path).begin("i1", 1, Part(2, 2))
    assert not own("i1")


def test_a_batch_is_done_as_long_as_its_shard_is_there(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    keys = ["a" * 64, "b" * 64]
    for key in keys:
        assert store.save(key, {"rows": np.zeros(1)}, {})
    own = marks_in(tmp_path)
    own.note_failed("i0")
    own.note_done("i0", keys[0])
    assert marks_in(tmp_path).seen().ended == {"i0"}
    # Its images are replaced under their ids, and it is encoded again.
    own.note_done("i0", keys[1])
    (tmp_path / "aa" / f"{keys[0]}.npz").unlink()
    assert marks_in(tmp_path).is_done("i0")
    (tmp_path / "bb" / f"{keys[1]}.npz").unlink()
    other = marks_in(tmp_path)
    assert other.seen().missing(["i0"]) == ["i0"]
    # Who has kept it itself does not encode it for ever.
    assert own.is_done("i0")
    # The part that owns it looks for it though another one has begun it.
    assert other.begin("i0", 1, Part(2, 2))
    assert begins_own(other, Part(1, 2))("i0")


def test_a_part_is_known_by_both_its_numbers(tmp_path: Path) -> None:
    marks = marks_in(tmp_path)
    assert marks.begin("i0", 1, Part(1, 2))
    assert marks.is_begun_by("i0", Part(1, 2))
    assert not marks.is_begun_by("i0", Part(1, 3))


@pytest.mark.parametrize("text", ["", "../../elsewhere", "a", "\u00e9"])
def test_a_mark_without_a_key_is_believed(tmp_path: Path, text: str) -> None:
    marks = marks_in(tmp_path)
    marks.note_done("i0")
    (tmp_path / "marks" / "i0.done").write_text(text, encoding="utf-8")
    assert marks_in(tmp_path).is_done("i0")
