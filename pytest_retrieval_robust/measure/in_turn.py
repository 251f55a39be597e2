"""Numbered parts of some work, shared out among the copies of a model.

Which copy works on a part follows from the part's number, and not from how fast the
copies are: a run gives the same on any number of devices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TypeVar

from ..core.device import use_device

P = TypeVar("P")
T = TypeVar("T")

_IN_FLIGHT = 2
"""Parts per copy that may be under way: the next one is ready when a copy is done."""


class StoppedError(Exception):
    """Work was given up, because other work failed or was interrupted."""


class Stop:
    """Ends work that is under way in other threads."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        """Raise `StoppedError` once the work is to end."""
        if self._event.is_set():
            raise StoppedError


def in_turn(
    devices: Sequence[str],
    workers: Sequence[Callable[[P], T]],
    parts: Iterable[P],
    stop: Stop,
) -> Generator[T]:
    """What the workers make of the parts, in their order: part n by worker n modulo
    their number.

    Each worker has a device, and a thread of its own; a single one works in the
    caller's. The first error, by the parts' order, is raised. Whatever ends this sets
    `stop`, and then waits until the workers notice.
    """
    if len(workers) == 1:
        yield from map(workers[0], parts)
        return
    executors = [
        ThreadPoolExecutor(1, initializer=partial(use_device, device))
        for device in devices
    ]
    under_way: deque[Future[T]] = deque()
    try:
        for number, part in enumerate(parts):
            copy = number % len(workers)
            under_way.append(executors[copy].submit(workers[copy], part))
            # No further part is prepared while the copies are behind.
            if len(under_way) > _IN_FLIGHT * len(workers):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        stop.set()
        for executor in executors:
            executor.shutdown(cancel_futures=True)
