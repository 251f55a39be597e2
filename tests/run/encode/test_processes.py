"""Parts as real processes: killed, told to end, and side by side."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.atomic_files import PART
from pytest_retrieval_robust.measure.embeddings.store import FOLDER, EmbeddingStore

from .suites import BATCHES, PAIRS, Suite

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
MOST_SECONDS = 300


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    # One level, and no occluder that searches: a process is to be started, not measured.
    options = (
        "--robust-models=free",
        f"--robust-datasets=synthetic-cxr(pairs={PAIRS})",
        "--robust-batch-size=8",
        "--robust-levels=0,0.3",
        "--robust-measure-only",
        "-p",
        "no:cacheprovider",
    )
    suite = Suite(tmp_path, options)
    suite.write()
    return suite


def test_parts_of_which_one_is_killed_leave_nothing_to_encode(suite: Suite) -> None:
    killed = suite.start("cache", "--part=2/2", DIE_AT="2")
    assert killed.wait(MOST_SECONDS) == -signal.SIGKILL
    # What the first batch had was kept. Its level 0 is kept too, at which it died.
    both = [suite.start("cache", f"--part={part}/2", "--steal") for part in (1, 2)]
    said = [process.communicate(timeout=MOST_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    pytest_run = [sys.executable, "-m", "pytest"]
    for cache in ("cache", "alone"):
        arguments = suite.arguments(cache, f"--robust-results=results-{cache}")
        run = suite.started([*pytest_run, *arguments], {})
        output = run.communicate(timeout=MOST_SECONDS)[0]
        assert run.returncode == 0, output
    assert set(suite.from_store("results-cache")) == {PAIRS}
    assert suite.ranks("results-cache") == suite.ranks("results-alone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_part_that_is_told_to_end_says_what_it_has_done(
    suite: Suite, number: signal.Signals
) -> None:
    process = suite.start("cache", WAIT_AT="3")
    assert process.stdout is not None
    while "waiting" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    said = process.communicate(timeout=MOST_SECONDS)[0]
    assert process.returncode == 128 + number
    assert f"batches {BATCHES + 1} done, 0 found, 0 failed, 0 not kept" in said
    assert "stopped: the process was told to end" in said
    store = suite.folder / "cache" / FOLDER
    assert list(store.rglob(f"*{PART}")) == []
    assert EmbeddingStore(store).damaged() == []
