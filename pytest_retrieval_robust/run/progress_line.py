"""How far a sweep has come, while it runs: a line that comes and goes in a terminal, a
line a minute in a log.

In a terminal the line stands behind what pytest wrote last, and the cursor goes back to
where it was: pytest's own output is never moved. It goes to a copy of standard output,
which capturing does not take away. Workers of pytest-xdist write to small files, which
the controller reads.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol, TextIO

from _pytest._io.wcwidth import wcswidth

from ..core.atomic_files import whole_file
from ..core.progress import Progress
from ..reports._text import short

if TYPE_CHECKING:
    import pytest

TERMINAL_SECONDS, LOG_SECONDS, WORKER_SECONDS = 0.5, 60.0, 1.0
_LEAST_ROOM = 24
_ERASE = "\x1b[K"
_FILES = "progress-*.json"


def progress_line(sweeps: Sequence[Progress]) -> str:
    """One line of the sweeps under way.

    >>> progress_line([Progress("clip", "mimic-cxr", 0.3, 1500, 6000, 1500, 30.0)])
    'clip on mimic-cxr, level 0.3: 25 %, 50 images/s, 1:30 left'
    """
    return "; ".join(_one(sweep) for sweep in sweeps)


def _one(sweep: Progress) -> str:
    share = 100 * sweep.done // max(sweep.total, 1)
    what = (
        "smallest breaking occlusions"
        if sweep.level is None
        else f"level {sweep.level:g}"
    )
    parts = [f"{short(sweep.model)} on {short(sweep.dataset)}, {what}: {share} %"]
    if sweep.images_per_second is not None:
        parts.append(f"{sweep.images_per_second:.3g} images/s")
    if sweep.seconds_left is not None:
        minutes, seconds = divmod(round(sweep.seconds_left), 60)
        hours = f"{minutes // 60}:{minutes % 60:02}" if minutes >= 60 else str(minutes)
        parts.append(
            f"{'at most ' if sweep.level is None else ''}{hours}:{seconds:02} left"
        )
    return ", ".join(parts)


def fitting(line: str, room: int) -> str:
    """As much of a line as there is room for, in whole parts: the model and data set go
    first, which pytest names beside it, and then the parts from the end. A number that
    is cut would be read as another one.
    """
    if wcswidth(line) <= room:
        return line
    _, comma, rest = line.partition(", ")
    parts = rest.split(", ") if comma else []
    while parts:
        text = f" {', '.join(parts)}"
        if wcswidth(text) <= room:
            return text
        parts.pop()
    return ""


class Display(Protocol):
    """Where progress is shown, at most once in so many seconds."""

    seconds: float

    def show(self, line: str) -> None: ...

    def erase(self) -> None: ...

    def close(self) -> None: ...


class TerminalDisplay:
    """Behind the cursor of a terminal."""

    seconds = TERMINAL_SECONDS

    def __init__(self, reporter: pytest.TerminalReporter, stream: TextIO) -> None:
        self._reporter, self._stream, self._shown = reporter, stream, False

    def show(self, line: str) -> None:
        room = self._width() - self._reporter._tw.width_of_current_line - 2
        text = fitting(f" {line}", room)
        if room < _LEAST_ROOM or not text:
            return
        self._shown = True
        with suppress(OSError):
            self._stream.write(f"{_ERASE}{text}\x1b[{wcswidth(text)}D")
            self._stream.flush()

    def _width(self) -> int:
        """Columns of the terminal itself: pytest asks the standard output, which it has
        captured meanwhile.
        """
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return self._reporter._tw.fullwidth

    def erase(self) -> None:
        if self._shown:
            self._shown = False
            with suppress(OSError):
                self._stream.write(_ERASE)
                self._stream.flush()

    def close(self) -> None:
        self.erase()
        with suppress(OSError):
            self._stream.close()


class LogDisplay:
    """A line of its own, at most once a minute."""

    seconds = LOG_SECONDS

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def show(self, line: str) -> None:
        capture = self._reporter.config.pluginmanager.getplugin("capturemanager")
        with suppress(OSError):
            if capture is None:
                self._write(line)
            else:
                with capture.global_and_fixture_disabled():
                    self._write(line)

    def _write(self, line: str) -> None:
        self._reporter.ensure_newline()
        self._reporter.write_line(f"measuring {line}")

    def erase(self) -> None:
        """A log keeps its lines."""

    def close(self) -> None:
        """The log is pytest's."""


class ProgressShow:
    """Shows sweeps of this process as they are told, or those of workers as their files tell."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._latest = time.monotonic()
        self._stop = Event()
        self._reader: Thread | None = None

    @classmethod
    def of(cls, config: pytest.Config) -> ProgressShow | None:
        """None where nothing is to be shown: without pytest's terminal, or with `-q`."""
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if reporter is None or config.get_verbosity() < 0:
            return None
        stream = _copy_of_terminal(reporter)
        return cls(
            LogDisplay(reporter)
            if stream is None
            else TerminalDisplay(reporter, stream)
        )

    def tell(self, progress: Progress) -> None:
        """Called by a sweep after each batch."""
        if progress.done >= progress.total:
            self._display.erase()
        elif time.monotonic() - self._latest >= self._display.seconds:
            self._show([progress])

    def erase(self) -> None:
        """Before pytest writes."""
        self._display.erase()

    def follow(self, folder: Path) -> None:
        """Show what workers write there, until `close`."""
        if self._reader is not None:
            return
        self._reader = Thread(target=self._follow, args=(folder,), daemon=True)
        self._reader.start()

    def close(self) -> None:
        self._stop.set()
        if self._reader is not None:
            self._reader.join()
        self._display.close()

    def _follow(self, folder: Path) -> None:
        while not self._stop.wait(min(self._display.seconds, WORKER_SECONDS)):
            sweeps = [
                sweep for sweep in read_progress(folder) if sweep.done < sweep.total
            ]
            if sweeps and time.monotonic() - self._latest >= self._display.seconds:
                self._show(sweeps)

    def _show(self, sweeps: Sequence[Progress]) -> None:
        self._latest = time.monotonic()
        self._display.show(progress_line(sweeps))


class WorkerProgress:
    """What a worker writes for the controller, once a second at most."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._file = folder / f"progress-{worker}.json"
        self._latest = float("-inf")

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.done < progress.total and now - self._latest < WORKER_SECONDS:
            return
        self._latest = now
        with suppress(OSError), whole_file(self._file) as part:
            part.write_text(json.dumps(asdict(progress)), encoding="utf-8")


def forget_worker(folder: Path, worker: str) -> None:
    """Of a worker that is gone nothing is shown any more."""
    with suppress(OSError):
        (folder / f"progress-{worker}.json").unlink(missing_ok=True)


def read_progress(folder: Path) -> list[Progress]:
    """The sweeps that workers last told of, in the workers' order."""
    found = []
    for file in sorted(folder.glob(_FILES)):
        with suppress(OSError, ValueError, TypeError):
            found.append(Progress(**json.loads(file.read_text(encoding="utf-8"))))
    return found


def _copy_of_terminal(reporter: pytest.TerminalReporter) -> TextIO | None:
    """A file of our own on the terminal; None where output goes elsewhere or cannot
    take the cursor back.
    """
    stream = reporter._tw._file
    if not reporter.isatty or not reporter.hasmarkup:
        return None
    try:
        return os.fdopen(
            os.dup(stream.fileno()), "w", encoding="utf-8", errors="replace"
        )
    except (OSError, ValueError, AttributeError):
        return None
