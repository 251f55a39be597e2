"""How a sweep's progress is shown, beside pytest's own output."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust import find_breaking, load_dataset, load_model
from pytest_retrieval_robust.core.progress import Progress
from pytest_retrieval_robust.run.progress_line import (
    LogLines,
    ProgressShow,
    TerminalLine,
    fitting,
    progress_line,
)
from pytest_retrieval_robust.run.xdist.progress import (
    WorkerProgress,
    forget_worker,
    read_progress,
)

from ..forked_runs import forked

HALF = Progress("tiny", "synthetic-cxr", 0.3, 1500, 3000, 1500, 30.0)


class Screen:
    """A line of a terminal that knows the two sequences that are used."""

    def __init__(self, before: str) -> None:
        self.cells = list(before)
        self.cursor = len(before)

    def write(self, text: str) -> None:
        for sign, back, erase in re.findall(r"([^\x1b])|\x1b\[(\d+)D|(\x1b\[K)", text):
            if sign:
                self.cells[self.cursor : self.cursor + 1] = sign
                self.cursor += 1
            elif erase:
                del self.cells[self.cursor :]
            else:
                self.cursor -= int(back)

    @property
    def text(self) -> str:
        return "".join(self.cells)


class Reporter:
    """What is asked of pytest's terminal reporter, without capturing."""

    def __init__(self, before: int) -> None:
        self.screen = Screen("." * before)
        self._tw = SimpleNamespace(fullwidth=80, width_of_current_line=before)
        plugins = SimpleNamespace(getplugin=lambda _: None)
        self.config = SimpleNamespace(pluginmanager=plugins)

    def write_raw(self, text: str, *, flush: bool) -> None:
        assert flush
        self.screen.write(text)


@given(
    lines=st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120),
        min_size=1,
        max_size=5,
    ),
    before=st.integers(0, 79),
)
def test_the_live_line_never_moves_what_pytest_writes(
    lines: list[str], before: int
) -> None:
    reporter: Any = Reporter(before)
    display = TerminalLine(reporter)
    for line in lines:
        display.show(line)
        assert reporter.screen.cursor == before
        assert len(reporter.screen.text) < 80
        assert reporter.screen.text.startswith("." * before)
    display.erase()
    reporter.screen.write(".")
    assert reporter.screen.text == "." * (before + 1)


@given(
    parts=st.lists(
        st.text(
            st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","),
            min_size=1,
        )
    ),
    room=st.integers(0, 79),
)
def test_of_a_line_whole_parts_are_left_out(parts: list[str], room: int) -> None:
    text = fitting(f" {', '.join(parts)}", room)
    assert len(text) <= room or text == f" {', '.join(parts)}"
    assert text.strip().split(", ") in [
        [""],
        parts,
        *(parts[1:end] for end in range(1, len(parts) + 1)),
    ]


SHOWN_IN_A_TEST = """
from pytest_retrieval_robust.core.progress import Progress
from pytest_retrieval_robust.run.progress_line import TerminalLine, progress_line


def test_mine(request):
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    half = Progress("tiny", "synthetic-cxr", 0.3, 1500, 3000, 1500, 30.0)
    print("captured")
    TerminalLine(reporter).show(progress_line([half]))
"""


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_the_line_has_the_width_of_the_terminal_and_not_of_what_pytest_captured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capture: str
) -> None:
    # Given explicitly: GNU readline, which pytest imports, sets a COLUMNS of its own for
    # the processes that this one starts.
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "test_mine.py").write_text(SHOWN_IN_A_TEST)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 58, 0, 0))

    def on_the_terminal() -> int:
        os.dup2(theirs, 1)
        options = ["-p", "no:cacheprovider", f"--capture={capture}"]
        return pytest.main([*options, "test_mine.py"])

    assert forked(on_the_terminal, tmp_path).ret == 0
    printed = os.read(ours, 10_000).decode()
    os.close(theirs)
    os.close(ours)
    # Behind "test_mine.py " there is room for the numbers alone.
    assert "\x1b[K level 0.3: 50 %, 50 images/s, 0:30 left\x1b[40D" in printed
    assert ("captured" in printed) == (capture == "no")


def test_a_line_says_model_level_speed_and_time_left() -> None:
    assert (
        progress_line([HALF])
        == "tiny on synthetic-cxr, level 0.3: 50 %, 50 images/s, 0:30 left"
    )
    stored = Progress("tiny", "synthetic-cxr", 0.0, 10, 3000, 0, 0.1)
    assert progress_line([stored]) == "tiny on synthetic-cxr, level 0: 0 %"
    long = Progress("a", "b", 0.5, 1, 10_001, 1, 1.0)
    assert progress_line([long, HALF]).startswith(
        "a on b, level 0.5: 0 %, 1 images/s, 2:46:40 left; tiny on"
    )


def test_a_search_says_how_long_it_takes_at_most() -> None:
    search = Progress("a", "b", None, 250, 1000, 250, 10.0)
    assert (
        progress_line([search])
        == "a on b, smallest breaking occlusions: 25 %, 25 images/s, at most 0:30 left"
    )


def test_a_search_tells_of_every_encoding_and_ends_at_its_total() -> None:
    steps: list[Progress] = []
    model, dataset = load_model("tiny-cxr-clip"), load_dataset("synthetic-cxr")
    search = find_breaking(
        model, dataset, k=5, grid=2, images=3, limit=24, batch_size=4, tell=steps.append
    )
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert (
        steps[0].encoded == 0
    )  # the first batch warms up, and is no measure of the others
    assert steps[-1].encoded + steps[0].done == search.encodings.sum()
    assert steps[-1].done == steps[-1].total == 3 * search.outcome.budget
    assert {step.level for step in steps} == {None}


def test_a_worker_tells_its_controller_through_a_file(tmp_path: Path) -> None:
    WorkerProgress(tmp_path, "gw1").tell(HALF)
    WorkerProgress(tmp_path, "gw0").tell(Progress("other", "d", 0.1, 5, 5, 5, 1.0))
    (tmp_path / "progress-gw2.json").write_text("{half")
    assert [sweep.model for sweep in read_progress(tmp_path)] == ["other", "tiny"]
    forget_worker(tmp_path, "gw0")
    forget_worker(tmp_path, "gw7")
    assert [sweep.model for sweep in read_progress(tmp_path)] == ["tiny"]


def test_the_controller_shows_the_sweeps_that_are_under_way(tmp_path: Path) -> None:
    lines: list[str] = []

    class Display:
        seconds = 0.01

        def show(self, line: str) -> None:
            lines.append(line)

        def erase(self) -> None:
            lines.append("")

        def say(self, sentence: str) -> None:
            said.append(sentence)

    said: list[str] = []
    show = ProgressShow(Display())
    show.follow(tmp_path)
    for worker in ("gw0", "gw1"):
        WorkerProgress(tmp_path, worker).say("the store is small")
    WorkerProgress(tmp_path, "gw0").tell(HALF)
    WorkerProgress(tmp_path, "gw1").tell(Progress("done", "d", 0.1, 5, 5, 5, 1.0))
    for _ in range(1000):
        if lines:
            break
        time.sleep(0.01)
    show.close()
    assert said == ["the store is small"]
    assert lines[0] == progress_line([HALF])
    assert lines[-1] == ""


def test_a_log_gets_whole_lines_and_pytest_goes_on_after_them(
    run_suite: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogLines, "seconds", 0.0)
    result = run_suite("--robust-no-cache")
    measuring = [line for line in result.outlines if line.startswith("measuring ")]
    assert measuring
    assert all(
        re.fullmatch(
            r"measuring tiny-cxr-clip on synthetic-cxr, level 0\S*: \d+ %.*", line
        )
        for line in measuring
    )
    assert any(re.match(r"test_mine\.py \.+", line) for line in result.outlines)


def test_a_quick_run_logs_no_progress(
    run_suite: Callable[..., pytest.RunResult],
) -> None:
    run_suite("--robust-no-cache").stdout.no_fnmatch_line("measuring *")


def test_a_corruption_has_a_severity_in_the_line() -> None:
    corrupted = replace(HALF, family="corruption")
    assert "severity 0.3: 50 %" in progress_line([corrupted])
