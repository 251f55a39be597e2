"""How far a sweep has come, for whoever wants to show it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True)
class Progress:
    """A sweep or search under way: `done` of `total` encodings, of which this run made
    `encoded` in `seconds`.

    These are counted after the first batch, which warms up what the others use.
    """

    model: str
    dataset: str
    level: float | None
    """Of the batch that was finished last; None in a search of the smallest breaking occlusions."""
    done: int
    total: int
    """In a search the most that it may take."""
    encoded: int
    seconds: float

    @property
    def images_per_second(self) -> float | None:
        """Encodings a second; None while nothing was encoded."""
        return (
            self.encoded / self.seconds if self.encoded and self.seconds > 0 else None
        )

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None while that is not known."""
        speed = self.images_per_second
        return None if speed is None else (self.total - self.done) / speed


Tell = Callable[[Progress], None]


@dataclass
class Counter:
    """Counts the encodings of a sweep or search from several threads, and tells of each batch."""

    model: str
    dataset: str
    total: int
    tell: Tell | None
    _done: int = 0
    _encoded: int = 0
    _level: float | None = None
    _begun: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def add(self, level: float | None, images: int, *, encoded: bool) -> None:
        """A batch is finished, encoded or taken from the store."""
        with self._lock:
            self._done += images
            if encoded and self._begun is not None:
                self._encoded += images
            elif encoded:
                self._begun = time.monotonic()
            self._level = level
            self._say()

    def close(self) -> None:
        """It has ended, whatever became of it."""
        with self._lock:
            if self._done < self.total:
                self._done = self.total
                self._say()

    def _say(self) -> None:
        if self.tell is not None:
            seconds = 0.0 if self._begun is None else time.monotonic() - self._begun
            told = Progress(
                self.model,
                self.dataset,
                self._level,
                self._done,
                self.total,
                self._encoded,
                seconds,
            )
            self.tell(told)
