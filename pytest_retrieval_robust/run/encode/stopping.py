"""Ends a part in good order when it is told to end, by a scheduler or by a person."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, SIGTERM and SIGINT raise `Stopped` once, in the main thread.

    A further SIGTERM is ignored: schedulers send it to every process of a job, and
    scripts hand it on. A second SIGINT ends the process at once.
    """
    before: dict[signal.Signals, Any] = {}

    def stop(number: int, _: FrameType | None) -> NoReturn:
        before.clear()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise Stopped(number)

    for number in _SIGNALS:
        before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
