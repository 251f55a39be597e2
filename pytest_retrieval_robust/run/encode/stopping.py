"""Ends a part in good order when it is told to end, by a scheduler or by a person."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """The process was told to end.

    Attributes:
        status: The exit status that shells expect then, 128 and the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


@dataclass(repr=False)
class Told:
    """What the process was told within `stoppable`."""

    stopped: Stopped | None = None
    """Kept for what runs foreign code, which may catch it: pytest does."""

    def check(self) -> None:
        """Raise what somebody else has caught."""
        if self.stopped is not None:
            raise self.stopped


@contextmanager
def stoppable() -> Iterator[Told]:
    """Within it, SIGTERM and SIGINT raise `Stopped` once, in the main thread.

    A further SIGTERM is ignored: schedulers send it to every process of a job, and
    scripts hand it on. A second SIGINT ends the process at once.
    """
    before: dict[signal.Signals, Any] = {}
    told = Told()

    def stop(number: int, _: FrameType | None) -> NoReturn:
        before.clear()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        told.stopped = Stopped(number)
        raise told.stopped

    for number in _SIGNALS:
        before[number] = signal.signal(number, stop)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
