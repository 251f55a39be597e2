"""Device-synchronised time, and the interleaved measurement of what hiding costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from .device import synchronise


class Stopwatch:
    """Sums seconds, waiting for the device before each reading."""

    def __init__(self, device: str) -> None:
        self._device = device
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        synchronise(self._device)
        start = time.perf_counter()
        yield
        synchronise(self._device)
        self.seconds += time.perf_counter() - start


def seconds_of(action: Callable[[], object], device: str) -> float:
    """Seconds that one call of `action` takes on `device`."""
    watch = Stopwatch(device)
    with watch.running():
        action()
    return watch.seconds


class InterleavedRounds:
    """Pairs of (clean, occluded) seconds measured one after the other, so that a drifting machine hits both alike."""

    def __init__(self, clean: Callable[[], object], occluded: Callable[[], object], device: str) -> None:
        self._clean, self._occluded, self._device = clean, occluded, device
        self._clean_seconds: list[float] = []
        self._occluded_seconds: list[float] = []

    def measure_clean(self) -> None:
        self._clean_seconds.append(seconds_of(self._clean, self._device))

    def measure_occluded(self) -> None:
        self._occluded_seconds.append(seconds_of(self._occluded, self._device))

    def warm_up(self) -> None:
        self._clean()
        self._occluded()
        synchronise(self._device)

    def measure(self, rounds: int) -> None:
        for _ in range(rounds):
            self.measure_clean()
            self.measure_occluded()

    @property
    def rounds(self) -> int:
        return len(self._occluded_seconds)

    @property
    def clean_seconds(self) -> float:
        return median(self._clean_seconds)

    @property
    def occluded_seconds(self) -> float:
        return median(self._occluded_seconds)

    @property
    def relative_cost(self) -> float:
        """Median over the rounds of occluded / clean."""
        pairs = zip(self._occluded_seconds, self._clean_seconds, strict=True)
        return median(occluded / clean for occluded, clean in pairs)
