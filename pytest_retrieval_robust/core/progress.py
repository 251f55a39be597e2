"""How far a sweep or search has come, for a line that shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from .cases import Family


@dataclass(frozen=True)
class Progress:
    """A sweep or search under way: `done` of `total` encodings.

    Of these, this run made `encoded` in `seconds`, counted after the first batch, which
    warms up what the others use.
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
    family: Family = "occlusion"
    """Of that batch: it says what the level is called."""

    @property
    def images_per_second(self) -> float | None:
        """Encodings per second; None while nothing was encoded."""
        if self.encoded == 0 or self.seconds <= 0:
            return None
        return self.encoded / self.seconds

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None while that is not known."""
        speed = self.images_per_second
        if speed is None:
            return None
        return (self.total - self.done) / speed


Tell = Callable[[Progress], None]


@dataclass
class Counter:
    """Counts the encodings of a sweep or search from several threads, and reports each
    batch to `tell`.
    """

    model: str
    dataset: str
    total: int
    tell: Tell | None
    _done: int = 0
    _encoded: int = 0
    _level: float | None = None
    _family: Family = "occlusion"
    _begun: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def add(
        self,
        level: float | None,
        images: int,
        *,
        encoded: bool,
        family: Family = "occlusion",
    ) -> None:
        """A batch is finished, encoded or taken from the store."""
        with self._lock:
            self._done += images
            # The clock starts at the end of the first batch, which warms up.
            if encoded and self._begun is None:
                self._begun = time.monotonic()
            elif encoded:
                self._encoded += images
            self._level = level
            self._family = family
            self._say()

    def close(self) -> None:
        """The sweep or search has ended, whatever became of it."""
        with self._lock:
            # A search that ends early has done less than the most that it may take.
            if self._done < self.total:
                self._done = self.total
                self._say()

    def _say(self) -> None:
        if self.tell is None:
            return
        seconds = 0.0 if self._begun is None else time.monotonic() - self._begun
        progress = Progress(
            model=self.model,
            dataset=self.dataset,
            level=self._level,
            done=self._done,
            total=self.total,
            encoded=self._encoded,
            seconds=seconds,
            family=self._family,
        )
        self.tell(progress)
