"""Ends work that takes too long, and says where the user's own code was then.

Between batches the work looks at its limit by itself (`TimeLimit.check`). Work that does
not get there, because an encoder hangs, is ended as Ctrl-C would end it: a thread that
watches the clock sends the main thread a signal, whose handler raises. That reaches
Python code, `time.sleep`, and whatever waits for a lock, a file or another thread. It
does not reach a call of native code that never comes back, nor an import, nor a thread
other than the main one. Nor is there such a signal on Windows.

Not the alarm: it is pytest-timeout's, and a process has one.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar

from .errors import RobustError
from .hanging import remember_hanging
from .own_frames import lines_under_way

T = TypeVar("T")

GRACE_SECONDS = 2.0
"""In which the work may end by itself, between two batches, before it is interrupted."""
AGAIN_SECONDS = 5.0
"""After which it is interrupted again, where something caught the first interrupt."""
_IMPORT_SECONDS = 0.1
"""After which a thread that imports is looked at again."""
_IMPORT_MACHINERY = "<frozen importlib"
# Ignored by every system unless it is handled, so that a late one does no harm.
_SIGNAL: signal.Signals | None = getattr(signal, "SIGURG", None)


class TimeUp(BaseException):
    """The time of some work is over. No `except Exception` of foreign code stops it."""


class TimeLimit:
    """A limit of seconds on the work within; None for no limit.

    Within it `TimeUp` is raised once the time is over. Whoever enters catches it.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.lines: list[str] = []
        """Where the user's own code was when it was interrupted, newest last."""
        self.left_behind: list[threading.Thread] = []
        """Threads that were begun within and have not ended, known after the end."""
        self.has_interrupted = False
        """Whether `TimeUp` was raised in the middle of the work."""
        self._is_over = False
        self._has_left = False
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._threads_before: set[int] = set()
        self._outer_frames = 0
        self._handler_before: Any = None

    @property
    def is_over(self) -> bool:
        return self._is_over

    def check(self) -> None:
        """Raise `TimeUp` if the time is over."""
        if self._is_over and not self._has_left:
            raise TimeUp

    def __enter__(self) -> TimeLimit:
        if self.seconds is None:
            return self
        self._threads_before = set(sys._current_frames())
        self._outer_frames = len(list(traceback.walk_stack(sys._getframe(1))))
        if self._may_interrupt:
            assert _SIGNAL is not None
            self._handler_before = signal.signal(_SIGNAL, self._interrupted)
        watch = threading.Thread(
            target=self._watch,
            args=(threading.get_ident(), self._may_interrupt),
            name="time limit",
            daemon=True,
        )
        watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Watch no longer. Again it does nothing."""
        # First, so that a signal that is on its way raises nothing any more.
        self._has_left = True
        if self.seconds is None or self._left.is_set():
            return
        with self._lock:
            self._left.set()
        if self._may_interrupt:
            assert _SIGNAL is not None
            signal.signal(_SIGNAL, self._handler_before or signal.SIG_DFL)
        if self._is_over:
            self.left_behind = [
                thread
                for thread in threading.enumerate()
                if thread.ident not in self._threads_before and not thread.daemon
            ]

    @property
    def _may_interrupt(self) -> bool:
        is_main = threading.current_thread() is threading.main_thread()
        return is_main and _SIGNAL is not None and hasattr(signal, "pthread_kill")

    def _watch(self, watched: int, may_interrupt: bool) -> None:
        """In a thread of its own: wait until the time is over, or the work is done."""
        if self._left.wait(self.seconds):
            return
        self._is_over = True
        wait = GRACE_SECONDS
        while may_interrupt and not self._left.wait(wait):
            # A module that is half imported would break whatever runs after this work.
            wait = _IMPORT_SECONDS
            if not self._is_importing(watched):
                wait = AGAIN_SECONDS
                self._interrupt(watched)

    def _interrupt(self, watched: int) -> None:
        self.lines = self.lines or self._lines_under_way(watched)
        with self._lock:
            if not self._left.is_set():
                assert _SIGNAL is not None
                signal.pthread_kill(watched, _SIGNAL)

    def _is_importing(self, watched: int) -> bool:
        frames = traceback.walk_stack(sys._current_frames()[watched])
        within = [frame.f_code.co_filename for frame, _ in frames]
        within = within[: len(within) - self._outer_frames]
        return any(file.startswith(_IMPORT_MACHINERY) for file in within)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The signal's handler, in the main thread."""
        if not self._has_left:
            self.has_interrupted = True
        self.check()

    def _lines_under_way(self, watched: int) -> list[str]:
        """Lines of the work's own thread, or of one that it waits for."""
        frames = sys._current_frames()
        waiting = lines_under_way(frames[watched], self._outer_frames)
        if waiting:
            return waiting
        for thread, frame in frames.items():
            if thread not in self._threads_before:
                lines = lines_under_way(frame)
                if lines:
                    return lines
        return []


def within(
    limit: TimeLimit,
    work: Callable[[], T],
    too_late: Callable[[TimeLimit], RobustError],
) -> T:
    """What `work` gives within the limit.

    Raises the error that `too_late` makes of the limit once the time is over.
    """
    try:
        with limit:
            return work()
    except TimeUp:
        pass
    except Exception:
        # Native code may make an error of its own of what was raised within it.
        if not limit.has_interrupted:
            raise
    finally:
        # The interrupt may have come while the limit was left.
        limit.leave()
    # Outside of the handler: the frames of what was interrupted hold a model.
    error = too_late(limit)
    remember_hanging(limit.left_behind)
    raise error
