"""Between the calls that an actor gets and the thread that works: numbers in, replies out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import Reply


class ActorQueue:
    """The numbers that an actor was dealt, and its replies."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._numbers: deque[int] = deque()
        self._replies: list[Reply] = []
        self._is_closed = False
        self._is_halted = False

    # For calls

    def add(self, numbers: Iterable[int], withdrawn: Iterable[int]) -> None:
        """Take numbers, and forget those that others have finished meanwhile."""
        unwanted = set(withdrawn)
        with self._changed:
            # What is dealt while an error is still to be dealt with is dealt again.
            if not self._is_halted:
                self._numbers.extend(numbers)
            remaining = [number for number in self._numbers if number not in unwanted]
            self._numbers = deque(remaining)
            self._changed.notify_all()

    def go_on(self) -> None:
        """Take numbers again, after `halt`."""
        with self._changed:
            self._is_halted = False

    def replies(self, seconds: float) -> list[Reply]:
        """All replies that there are; waits for the first one, but no longer than this."""
        with self._changed:
            self._changed.wait_for(lambda: self._replies, seconds)
            replies = self._replies
            self._replies = []
        return replies

    def close(self) -> None:
        """End the thread's work after the batch at hand."""
        with self._changed:
            self._is_closed = True
            self._numbers.clear()
            self._changed.notify_all()

    # For the thread that works

    def wait(self) -> bool:
        """Wait for a number; False once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._numbers or self._is_closed)
            return not self._is_closed

    def available(self) -> Iterator[int]:
        """The numbers that are there, and those that come while they are taken.

        It ends where there is none: a pipeline is not to wait for the next number while
        it holds others, of which the controller wants to hear first.
        """
        while True:
            with self._changed:
                if not self._numbers or self._is_closed:
                    return
                number = self._numbers.popleft()
            yield number

    def reply(self, reply: Reply) -> None:
        with self._changed:
            self._replies.append(reply)
            self._changed.notify_all()

    def halt(self, reply: Reply) -> None:
        """Tell of an error, and take no numbers until the controller says so."""
        with self._changed:
            self._is_halted = True
            self._numbers.clear()
            self._replies.append(reply)
            self._changed.notify_all()
