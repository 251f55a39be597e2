"""What `encode` puts into the store is all that the suite needs, bit for bit."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.measure.embeddings import store as stores
from pytest_retrieval_robust.measure.embeddings.shards import ModelShards
from pytest_retrieval_robust.measure.embeddings.store import FOLDER, EmbeddingStore
from pytest_retrieval_robust.run.encode.notes import PartNote

from .suites import BATCHES, PAIRS, Suite

Encode = Callable[..., tuple[int, str]]
Rows = NDArray[np.float32]
Change = Callable[[str, str], None]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    suite = Suite(pytester.path)
    suite.write()
    return suite


@pytest.fixture
def change(suite: Suite) -> Change:
    """Change the encoder of the suite."""

    def replace(old: str, new: str) -> None:
        text = (suite.folder / "conftest.py").read_text()
        assert old in text
        suite.write(text.replace(old, new))

    return replace


@pytest.fixture
def encode(suite: Suite, capsys: pytest.CaptureFixture[str]) -> Encode:
    """Run `encode` in this process; returns its exit status and what it printed."""

    def run(*words: str, cache: str = "cache") -> tuple[int, str]:
        capsys.readouterr()
        status = main(["encode", *suite.arguments(cache, *words)])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def run_suite(suite: Suite, pytester: pytest.Pytester, cache: str) -> bytes:
    """The ranks of a run of the suite, saved under the name of its cache."""
    arguments = suite.arguments(cache, f"--robust-results=results-{cache}")
    assert pytester.runpytest_inprocess(*arguments).ret == 0
    return suite.ranks(f"results-{cache}")


def shards(cache: Path) -> dict[str, bytes]:
    """Every shard of a cache folder by its key."""
    return {
        file.key: file.path.read_bytes()
        for file in EmbeddingStore(cache / FOLDER).files()
    }


def test_a_run_after_all_parts_encodes_nothing_and_has_the_same_ranks(
    suite: Suite, encode: Encode, pytester: pytest.Pytester
) -> None:
    alone = run_suite(suite, pytester, "alone")
    for cache, parts in (
        ("one", [["--part=1/1"]]),
        ("two", [["--part", "2/2"], ["--part=1/2"]]),
        ("three", [["--part=3/3"], ["--part=1/3", "--steal"]]),
    ):
        for part in parts:
            assert encode(*part, cache=cache)[0] == 0
        before = shards(suite.folder / cache)
        assert before == shards(suite.folder / "alone")
    # Nothing is left for a part that comes late, and no image is looked at again.
    status, late = encode("--part=2/3", "--steal", cache="three")
    assert (status, "taken over" in late) == (0, False)
    # Its own ones are looked for, whatever others say of them.
    assert "batches 0 done, 2 found" in late
    assert run_suite(suite, pytester, "three") == alone
    assert set(suite.from_store("results-three")) == {PAIRS}
    assert shards(suite.folder / "three") == before


def test_the_closing_lines_say_what_was_done_and_what_to_do_next(
    suite: Suite, encode: Encode
) -> None:
    # Batches of images, and as many of reports.
    status, first = encode("--part=1/2")
    assert status == 0
    assert (
        "free on synthetic-cxr(pairs=24), part 1/2: batches 4 done, 0 found, 0 failed"
        in first
    )
    assert "parts of 2 seen in this store: 1\n" in first
    assert "next: run the parts of 2 that were not seen: 2." in first
    _, second = encode("--part", "2/2")
    # The first part needed the whole gallery, for the occluder that looks at it.
    assert "batches 1 done, 1 found" in second
    assert "parts of 2 seen in this store: 1, 2\n" in second
    assert "next: pytest --robust-models=free '--robust-datasets=syn" in second
    check_notes(suite.folder / "cache" / FOLDER / "parts")
    # What is encoded otherwise is other work: nothing was seen of its first part.
    _, other = encode("--part=2/2", "--robust-occluders=patches")
    assert "parts of 2 seen in this store: 2\n" in other
    assert "batches 0 done, 2 found, 0 failed, 0 not kept" in other


def check_notes(folder: Path) -> None:
    """The notes of one sweep tell of no patient, and are their owner's alone."""
    (note,) = folder.glob("*/1-of-2.json")
    fields = {field.name for field in dataclasses.fields(PartNote)}
    assert json.loads(note.read_text()).keys() == fields
    if os.name == "posix":
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
        assert modes == {0o700, 0o600}


# What fails or is not kept


def test_a_cell_that_fails_is_said_once_and_others_are_kept(
    suite: Suite, encode: Encode, change: Change
) -> None:
    change(
        "            at_batch(",
        '            if CALLS.count(8) == 3: return pixels * float("nan")\n#',
    )
    status, said = encode("--robust-occluders=patches")
    assert status == 1
    assert said.count("Expected embeddings of shape (8, D)") == 1
    assert f"{BATCHES} done, 0 found, {BATCHES} failed" in said
    # Reports, level 0 and 0.2.
    assert len(shards(suite.folder / "cache")) == 3 * BATCHES
    assert "fix what failed" in said


def test_a_batch_with_a_broken_image_is_kept_where_the_data_set_knows_its_files(
    suite: Suite, encode: Encode, change: Change
) -> None:
    lines = ["image,report"]
    for number in range(20):
        Image.new("L", (32, 32), 12 * number).save(suite.folder / f"{number}.png")
        lines.append(f"{number}.png,finding number {number}")
    (suite.folder / "table.csv").write_text("\n".join(lines))
    (suite.folder / "3.png").write_bytes(b"no picture")
    status, said = encode("--robust-datasets=table(path=table.csv,on_error=skip)")
    assert status == 0
    # As many of reports as of images.
    assert "batches 6 done, 0 found, 0 failed, 0 not kept" in said
    # An encoder that fails at a level is the cause, whatever is broken too.
    change(
        "if len(pixels) == 8:", "if len(pixels) == 7: raise RuntimeError\n        if 0:"
    )
    status, said = encode("--robust-datasets=table(path=table.csv,on_error=skip)")
    assert status == 1
    assert "a broken image" not in said
    assert "batches 3 done, 0 found, 3 failed, 0 not kept" in said


def test_a_model_without_a_hash_is_not_encoded(encode: Encode, change: Change) -> None:
    change('sha256="0" * 64', "sha256=None")
    status, said = encode()
    assert status == 1
    assert f"batches 0 done, 0 found, 0 failed, {BATCHES} not kept" in said
    assert "the model has no hash of its weights" in said


def test_a_disk_that_is_full_ends_the_part(
    encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def fill_up(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) > BATCHES + 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path.write_bytes(content)

    monkeypatch.setattr(stores, "_write_privately", fill_up)
    status, said = encode()
    assert status == 1
    assert f"batches {BATCHES} done, 0 found, 0 failed, 1 not kept" in said
    assert (
        "stopped: the store takes nothing more, because it cannot be written (No space"
        in said
    )
    assert len(written) == BATCHES + 3


def test_what_memory_cut_into_pieces_is_not_taken_over_again_and_again(
    encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddingStore, "save", lambda *_: False)
    status, said = encode("--part=1/2", "--steal")
    assert status == 1
    assert "0 done, 0 found, 0 failed, 1 not kept" in said
    assert "not kept: memory forced pieces that are smaller than a batch" in said


@pytest.mark.parametrize(("models", "status"), [("far", 1), ("fa*", 0)])
def test_a_model_that_is_not_here_is_skipped(
    encode: Encode, models: str, status: int
) -> None:
    """As in the suite, which fails for one that was named."""
    ended, said = encode(f"--robust-models={models}")
    assert ended == status
    assert "far on synthetic-cxr(pairs=24): skipped, its weights are not here" in said


def test_a_sick_machine_spoils_nothing(
    suite: Suite, encode: Encode, change: Change
) -> None:
    change(
        "        CALLS.append(len(pixels))",
        "        import os\n        if os.path.exists('sick') and len(pixels) > 4:\n"
        "            raise RuntimeError\n        CALLS.append(len(pixels))",
    )
    (suite.folder / "sick").touch()
    status, said = encode("--part=1/2", "--steal")
    assert (status, "taken over" in said) == (1, False)
    (suite.folder / "sick").unlink()
    status, said = encode("--part=2/2", "--steal")
    assert (status, "batches that have failed in other parts: 1" in said) == (1, True)
    # Its own part tries what has failed there.
    assert encode("--part=1/2", "--steal")[0] == 0
    status, said = encode("--part=1/1")
    assert (status, "batches 0 done, 6 found, 0 failed" in said) == (0, True), said


def test_a_machine_that_gets_sick_takes_nothing_more_over(
    encode: Encode, change: Change
) -> None:
    """It has one batch of its own, in three cells, and the other part has two."""
    change(
        "            at_batch(",
        "            if CALLS.count(8) > 3: raise RuntimeError\n            at_batch(",
    )
    status, said = encode("--part=2/2", "--steal", "--robust-occluders=patches")
    assert status == 1
    assert "part 2/2: batches 2 done, 0 found, 0 failed, 0 not kept" in said
    assert "other parts: batches 2 done, 0 found, 1 failed, 0 not kept" in said
    # It was tried here.
    assert "have failed in other parts" not in said


def test_marks_do_not_outlive_what_is_kept(suite: Suite, encode: Encode) -> None:
    assert encode("--part=1/2", "--steal")[0] == 0
    store = EmbeddingStore(suite.folder / "cache" / FOLDER)
    whole = shards(suite.folder / "cache")
    assert len(store.prune(0)) == len(whole)
    assert encode("--part=1/2", "--steal")[0] == 0
    assert shards(suite.folder / "cache") == whole
    # Whatever else removes a shard, the part that owns its batch looks for it.
    for file in list(store.files()):
        file.path.unlink()
    for part in ("1/2", "2/2"):
        assert encode(f"--part={part}", "--steal")[0] == 0
    assert shards(suite.folder / "cache") == whole


def test_a_note_of_another_version_is_no_note(suite: Suite, encode: Encode) -> None:
    assert encode("--part=2/2")[0] == 0
    (path,) = (suite.folder / "cache" / FOLDER).glob("parts/*/2-of-2.json")
    written = json.loads(path.read_text())
    wrong = (json.dumps({**written, "part": part}) for part in ([1], 7))
    for note in ("[]", "{}", *wrong, "no"):
        path.write_text(note)
        status, said = encode("--part=1/2")
        assert status == 0
        assert "parts of 2 seen in this store: 1\n" in said, note


def test_the_status_of_a_command_that_encodes_nothing_is_no_success(
    encode: Encode,
) -> None:
    assert encode("--version")[0] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("place", ["conftest", "collection"])
def test_a_signal_before_the_first_batch_ends_it_without_a_traceback(
    suite: Suite, encode: Encode, number: signal.Signals, place: str
) -> None:
    lines = f"import signal\nsignal.raise_signal({int(number)})\n"
    name = {"conftest": "conftest.py", "collection": "test_mine.py"}[place]
    path = suite.folder / name
    path.write_text(lines + path.read_text())
    before = {which: signal.getsignal(which) for which in signal.valid_signals()}
    try:
        status, said = encode()
    finally:
        for which in (signal.SIGTERM, signal.SIGINT):
            signal.signal(which, before[which])
    assert (status, said) == (128 + number, "stopped: run this part again\n")


def test_reports_of_other_parts_that_are_not_kept_stop_the_sweep(
    suite: Suite, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of images follow from their rows, for an occluder that looks at them."""
    save = ModelShards.save_reports
    saved = []

    def save_own(shards: ModelShards, texts: Sequence[str], rows: Rows) -> bool:
        saved.append(len(texts))
        # Two of three are of the first part.
        return len(saved) <= 2 and save(shards, texts, rows)

    monkeypatch.setattr(ModelShards, "save_reports", save_own)
    status, said = encode("--part=1/2")
    assert (status, len(saved)) == (1, BATCHES)
    assert "batches 2 done, 0 found, 0 failed, 0 not kept" in said
    assert "not kept: memory forced pieces that are smaller than a batch" in said
    assert len(shards(suite.folder / "cache")) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--robust-no-cache"], "Expected an embedding store to encode into, got"),
        (["--robust-cache-limit=100kB"], "kB, got 100.0 kB. Raise it"),
        (["--part=3/2"], "Expected I/N with I from 1 to N"),
        (["-k", "nothing"], "Expected a suite whose tests need embeddings"),
        (["--robust-cache-dir=conftest.py"], "Expected an embedding store that can be"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_encoded(
    encode: Encode, change: Change, words: list[str], sentence: str
) -> None:
    change("        CALLS.append(len(pixels))", "        raise AssertionError")
    status, said = encode(*words)
    assert (status, sentence in said) == (2, True), said


def test_pytests_own_status_is_kept_where_it_cannot_collect(
    suite: Suite, encode: Encode
) -> None:
    assert encode("--robust-no-such-option")[0] == 4
    (suite.folder / "test_broken.py").write_text("import nothing_of_this_name")
    status, said = encode()
    assert status == 2
    assert "nothing_of_this_name" in said
