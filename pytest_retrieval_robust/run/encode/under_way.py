"""How much of the time a part had nothing in hand."""

from __future__ import annotations

import time
from threading import Lock


class UnderWay:
    """Counts the batches in hand: from when one is looked for until it is kept.

    It may be used from several threads.
    """

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._in_hand = 0
        self._idle_since = self._begun
        self._idle = 0.0
        self._lock = Lock()

    def begin(self) -> None:
        """A batch is looked for in the store."""
        with self._lock:
            if self._in_hand == 0:
                self._idle += time.monotonic() - self._idle_since
            self._in_hand += 1

    def end(self) -> None:
        """A batch is done with."""
        with self._lock:
            self._in_hand -= 1
            if self._in_hand == 0:
                self._idle_since = time.monotonic()

    def drop(self) -> None:
        """What is still in hand is not waited for: the part was stopped."""
        with self._lock:
            if self._in_hand:
                self._in_hand = 0
                self._idle_since = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._begun

    @property
    def idle_seconds(self) -> float:
        """In which no batch was looked for, decoded, encoded or kept."""
        with self._lock:
            if self._in_hand:
                return self._idle
            return self._idle + time.monotonic() - self._idle_since
