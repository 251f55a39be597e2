"""The attempts of `benchmarks.hostile`: a few of each row hold.

Its own tools also notice what does not hold.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hostile.__main__ import Result, failures, main, run, table
from benchmarks.hostile.children import in_children, start
from benchmarks.hostile.mutations import mutated, mutated_json
from benchmarks.hostile.rows import ROWS
from benchmarks.hostile.trials import Ground, Row, Trial
from benchmarks.pages import write_into


def test_a_few_attempts_of_each_row_hold(tmp_path: Path) -> None:
    """In a fork of this process, which has imported everything."""
    ended = start(lambda: main(["--quick"]), tmp_path / "output").wait(600)
    assert ended.status == 0, ended.output
    for row in ROWS:
        assert f"| {row.name} |" in ended.output


def _fails() -> str | None:
    return "it did not hold"


def _raises() -> str | None:
    raise ValueError("on purpose")


def _hangs() -> str | None:
    signal.pause()
    return None


def _dies() -> str | None:
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def _takes_memory() -> str | None:
    # Of the system itself: an allocator may have as much left from tests before.
    with mmap.mmap(-1, 200 << 20) as memory:
        for _ in range(200):
            memory.write(b"x" * (1 << 20))
    return None


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (_fails, "it did not hold"),
        (_raises, "ValueError at test_hostile.py"),
        (_hangs, "hung for more than 1 seconds"),
        (_dies, "the process died with signal 9"),
        (_takes_memory, "MiB of memory"),
    ],
)
def test_what_does_not_hold_is_said_and_the_next_attempt_is_made(
    check: Callable[[], str | None], said: str
) -> None:
    checks = [("bad", check), ("good", lambda: None)]
    # Only what hangs for ever is waited for, so that a busy machine fails nothing.
    seconds = 1 if check is _hangs else 20
    bad, good = in_children(checks, chunk=2, seconds=seconds, memory=100 << 20)
    assert said in (bad.problem or "")
    assert good == Trial("good")


def test_a_failure_reaches_the_table_and_its_count(tmp_path: Path) -> None:
    def trials(_: Ground) -> Iterator[Trial]:
        yield Trial("first")
        yield Trial("second", "not as promised")
        raise RuntimeError("the row ends early")

    results = run([Row("demo", "nothing", trials)], tmp_path, 0, quick=True)
    assert "| demo | nothing | 3 | 1 |" in table(results)
    first, second = failures(results)
    assert first == "- demo: second: not as promised"
    assert "RuntimeError" in second


def test_the_table_of_a_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- the table begins -->\nold\n<!-- the table ends -->\nb\n")
    write_into(page, "| new |")
    assert (
        page.read_text()
        == "a\n<!-- the table begins -->\n| new |\n<!-- the table ends -->\nb\n"
    )


def test_a_row_without_a_trial_is_no_success(tmp_path: Path) -> None:
    (result,) = run(
        [Row("empty", "nothing", lambda _: iter(()))], tmp_path, 0, quick=True
    )
    assert result == Result(result.row, result.file, [], result.seconds)
    assert "| empty | nothing | 0 | 0 |" in table([result])


@given(content=st.binary(min_size=1, max_size=300), seed=st.integers(0, 2**32))
def test_a_mutation_follows_from_its_seed(content: bytes, seed: int) -> None:
    assert mutated(content, random.Random(seed)) == mutated(
        content, random.Random(seed)
    )


def test_mutations_change_nearly_every_copy() -> None:
    content = bytes(range(256)) * 4
    changed = [mutated(content, random.Random(seed)) != content for seed in range(500)]
    assert sum(changed) > 450


def test_mutated_json_leaves_the_original_alone() -> None:
    data = {
        "outcomes": [{"recall": {"1": 0.5}}, {"recall": {"1": 0.25}}],
        "run": {"limit": None},
    }
    before = repr(data)
    copies = [mutated_json(data, random.Random(seed)) for seed in range(200)]
    assert repr(data) == before
    assert sum(copy != data for copy in copies) > 150
