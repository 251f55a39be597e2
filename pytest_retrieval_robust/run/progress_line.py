"""How far a sweep has come, while it runs: a line that comes and goes in a terminal, a
line per minute in a log.

In a terminal the line is written behind pytest's last word, and the cursor goes back to
where it was: pytest's own output is never moved. pytest's reporter writes it, while
capturing is suspended.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol, TextIO

from _pytest._io.wcwidth import wcswidth

from ..core.cases import level_word
from ..core.progress import Progress
from ..reports._text import short
from .xdist.progress import WORKER_SECONDS, read_progress, read_sentence

if TYPE_CHECKING:
    import pytest

TERMINAL_SECONDS = 0.5
LOG_SECONDS = 60.0
_LEAST_ROOM = 24
"""Columns; in fewer, nothing that says something would fit."""
_ERASE = "\x1b[K"
"""Erase from the cursor to the end of the line."""


def progress_line(sweeps: Sequence[Progress]) -> str:
    """One line of the sweeps under way.

    >>> progress_line([Progress("clip", "mimic-cxr", 0.3, 1500, 6000, 1500, 30.0)])
    'clip on mimic-cxr, level 0.3: 25 %, 50 images/s, 1:30 left'
    """
    return "; ".join(map(_sweep_text, sweeps))


def _sweep_text(sweep: Progress) -> str:
    is_search = sweep.level is None
    work = "smallest breaking occlusions"
    if not is_search:
        work = f"{level_word(sweep.family)} {sweep.level:g}"
    percent = 100 * sweep.done // max(sweep.total, 1)
    parts = [f"{short(sweep.model)} on {short(sweep.dataset)}, {work}: {percent} %"]
    if sweep.images_per_second is not None:
        parts.append(f"{sweep.images_per_second:.3g} images/s")
    if sweep.seconds_left is not None:
        at_most = "at most " if is_search else ""
        parts.append(f"{at_most}{_clock(sweep.seconds_left)} left")
    return ", ".join(parts)


def _clock(duration: float) -> str:
    """Seconds as `MM:SS` or `H:MM:SS`."""
    minutes, seconds = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes}:{seconds:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def fitting(line: str, room: int) -> str:
    """As much of a line as there is room for, in whole parts.

    The model and data set go first, because pytest names them beside the line, and then
    the parts from the end. A number that is cut would be read as another one.
    """
    if wcswidth(line) <= room:
        return line
    _, _, rest = line.partition(", ")
    parts = rest.split(", ") if rest else []
    while parts:
        text = f" {', '.join(parts)}"
        if wcswidth(text) <= room:
            return text
        parts.pop()
    return ""


class Display(Protocol):
    """Where progress is shown, at most once in `seconds`."""

    seconds: float

    def show(self, line: str) -> None: ...

    def erase(self) -> None: ...

    def say(self, sentence: str) -> None:
        """Show it on a line of its own that stays."""


class TerminalLine:
    """A line behind the cursor of a terminal."""

    seconds = TERMINAL_SECONDS

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter
        self._is_shown = False

    def show(self, line: str) -> None:
        with _uncaptured(self._reporter):
            # Asked in here: captured output has no width.
            writer = self._reporter._tw
            room = writer.fullwidth - writer.width_of_current_line - 2
            text = fitting(f" {line}", room)
            if room >= _LEAST_ROOM and text:
                self._is_shown = True
                cursor_back = f"\x1b[{wcswidth(text)}D"
                _write_raw(self._reporter, f"{_ERASE}{text}{cursor_back}")

    def erase(self) -> None:
        if self._is_shown:
            self._is_shown = False
            with _uncaptured(self._reporter):
                _write_raw(self._reporter, _ERASE)

    def say(self, sentence: str) -> None:
        self.erase()
        with _uncaptured(self._reporter):
            self._reporter.write_line(sentence)


def _write_raw(reporter: pytest.TerminalReporter, text: str) -> None:
    """Write what does not move the cursor, so that pytest counts on from where it was."""
    if hasattr(reporter, "write_raw"):
        reporter.write_raw(text, flush=True)
        return
    # pytest 8 has no such method: every text counts as written to the current line.
    writer = reporter._tw
    encoding = getattr(writer._file, "encoding", None) or "ascii"
    writer._file.write(text.encode(encoding, "backslashreplace").decode(encoding))
    writer.flush()


class LogLines:
    """Lines of their own, which a log keeps."""

    seconds = LOG_SECONDS

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def show(self, line: str) -> None:
        with _uncaptured(self._reporter):
            self._reporter.write_line(f"measuring {line}")

    def erase(self) -> None:
        """A log keeps its lines."""

    def say(self, sentence: str) -> None:
        with _uncaptured(self._reporter):
            self._reporter.write_line(sentence)


class StreamLine:
    """A line at the foot of a terminal in which nothing else is written."""

    seconds = TERMINAL_SECONDS

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = False

    def show(self, line: str) -> None:
        columns = shutil.get_terminal_size().columns
        self._write(f"\r{_ERASE}{fitting(line, columns - 1)}")
        self._is_shown = True

    def erase(self) -> None:
        if self._is_shown:
            self._is_shown = False
            self._write(f"\r{_ERASE}")

    def say(self, sentence: str) -> None:
        self.erase()
        self._write(f"{sentence}\n")

    def _write(self, text: str) -> None:
        # A terminal that is gone is no error.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


class StreamLines:
    """Lines of their own in a log that nothing else captures."""

    seconds = LOG_SECONDS

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, line: str) -> None:
        with suppress(OSError, ValueError):
            print(f"encoding {line}", file=self._stream, flush=True)

    def erase(self) -> None:
        """A log keeps its lines."""

    def say(self, sentence: str) -> None:
        with suppress(OSError, ValueError):
            print(sentence, file=self._stream, flush=True)


@contextmanager
def _uncaptured(reporter: pytest.TerminalReporter) -> Iterator[None]:
    """Let pytest's reporter write while a test runs. A terminal that is gone is no error."""
    capture = reporter.config.pluginmanager.getplugin("capturemanager")
    with suppress(OSError, ValueError):
        if capture is None:
            yield
            return
        with capture.global_and_fixture_disabled():
            yield


def _is_tty(reporter: pytest.TerminalReporter) -> bool:
    # A method since pytest 8.4: this can go with 8.3.
    is_tty: bool | Callable[[], bool] = reporter.isatty
    return is_tty() if callable(is_tty) else is_tty


class ProgressShow:
    """Shows the sweeps of this process, or those of workers."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._latest = time.monotonic()
        self._stop = Event()
        self._reader: Thread | None = None
        self._has_said = False

    @classmethod
    def of(cls, config: pytest.Config) -> ProgressShow | None:
        """None where nothing is to be shown: without pytest's terminal, or with `-q`."""
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if reporter is None or config.get_verbosity() < 0:
            return None
        # Without markup the terminal may not know how to take the cursor back.
        if _is_tty(reporter) and reporter.hasmarkup:
            return cls(TerminalLine(reporter))
        return cls(LogLines(reporter))

    @classmethod
    def on_stream(cls, stream: TextIO) -> ProgressShow:
        """Where pytest does not run: a terminal's last line, or lines of a log."""
        if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            return cls(StreamLine(stream))
        return cls(StreamLines(stream))

    def tell(self, progress: Progress) -> None:
        """Called by a sweep after each batch."""
        # A finished sweep has nothing left to say.
        if progress.done >= progress.total:
            self._display.erase()
        elif time.monotonic() - self._latest >= self._display.seconds:
            self._show([progress])

    def say(self, sentence: str) -> None:
        """Show a sentence at once. Workers may say it of their part: the first is enough."""
        if not self._has_said:
            self._has_said = True
            self._display.say(sentence)

    def erase(self) -> None:
        """Called before pytest writes."""
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
        self._display.erase()

    def _follow(self, folder: Path) -> None:
        while not self._stop.wait(min(self._display.seconds, WORKER_SECONDS)):
            sentence = read_sentence(folder)
            if sentence is not None:
                self.say(sentence)
            sweeps = [
                sweep for sweep in read_progress(folder) if sweep.done < sweep.total
            ]
            if sweeps and time.monotonic() - self._latest >= self._display.seconds:
                self._show(sweeps)

    def _show(self, sweeps: Sequence[Progress]) -> None:
        self._latest = time.monotonic()
        self._display.show(progress_line(sweeps))
