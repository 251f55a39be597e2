"""Time that waits for the device: sums, interleaved rounds, and the latency of single calls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from ...core.costs import Latency
from ...core.device import synchronise

WARM_UP_CALLS = 3
"""Single calls before a latency is measured. The first of a shape also allocates memory
and chooses kernels.
"""


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


class Laps:
    """Sums the seconds that a device works on what runs inside.

    CUDA's own events time the work while the host prepares the next, so nothing waits.
    On other devices it is a `Stopwatch`.
    """

    def __init__(self, device: str) -> None:
        self._watch = Stopwatch(device)
        self._device = device
        self._unread_events: deque[tuple[Any, Any]] = deque()
        """The start and end of work that the device may not have done yet, in its order."""
        self._milliseconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        if not self._device.startswith("cuda"):
            with self._watch.running():
                yield
            return
        import torch

        stream = torch.cuda.current_stream(self._device)
        start = stream.record_event(_event())
        yield
        end = stream.record_event(_event())
        self._unread_events.append((start, end))
        # Events that are over are read at once: a sweep of hundreds of thousands of
        # batches would keep as many. Asking for the end does not wait for it.
        while self._unread_events:
            _, oldest_end = self._unread_events[0]
            if not oldest_end.query():
                break
            self._read_oldest()

    @property
    def seconds(self) -> float:
        """The sum so far; waits for the device."""
        synchronise(self._device)
        while self._unread_events:
            self._read_oldest()
        return self._watch.seconds + self._milliseconds / 1000

    def _read_oldest(self) -> None:
        """Add the time between the oldest two events, which are over."""
        start, end = self._unread_events.popleft()
        self._milliseconds += start.elapsed_time(end)


def _event() -> Any:
    import torch

    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def _nothing() -> None:
    """Nothing comes before a timed call."""


def seconds_of(action: Callable[[], object], device: str) -> float:
    """Seconds that one call of `action` takes on `device`."""
    watch = Stopwatch(device)
    with watch.running():
        action()
    return watch.seconds


def latency_of(
    action: Callable[[], object],
    device: str,
    calls: int,
    before: Callable[[], object] = _nothing,
) -> Latency:
    """Seconds of single calls of `action`, each waited for.

    A few calls warm up before the `calls` that are timed. `before` comes before each of
    them and is not timed.
    """
    for _ in range(WARM_UP_CALLS):
        before()
        action()
    # Each call is waited for, as a caller with a single image would.
    seconds = []
    for _ in range(calls):
        before()
        seconds.append(seconds_of(action, device))
    return Latency.of(seconds)


class InterleavedRounds:
    """Seconds of a baseline and of an action compared with it, in turn in every round.

    A machine that drifts, or that others use, affects both alike: the ratios hold where
    the seconds do not.
    """

    def __init__(
        self,
        baseline: Callable[[], object],
        compared: Callable[[], object],
        device: str,
        *,
        before: Callable[[], object] = _nothing,
    ) -> None:
        """`before` comes before each call of either and is not timed."""
        self._baseline = baseline
        self._compared = compared
        self._device = device
        self._before = before
        self._latest_baseline = 0.0
        self._pairs: list[tuple[float, float]] = []
        """(baseline, compared) seconds of each round."""

    def warm_up(self) -> None:
        self._before()
        self._baseline()
        self._before()
        self._compared()
        synchronise(self._device)

    def measure_baseline(self) -> None:
        self._before()
        self._latest_baseline = seconds_of(self._baseline, self._device)

    def measure_compared(self) -> None:
        """Ends a round: to be called after `measure_baseline`."""
        self._before()
        seconds = seconds_of(self._compared, self._device)
        self._pairs.append((self._latest_baseline, seconds))

    def measure(self, rounds: int) -> None:
        for _ in range(rounds):
            self.measure_baseline()
            self.measure_compared()

    def keep(self, rounds: int) -> None:
        """Drop all but the first `rounds`."""
        del self._pairs[rounds:]

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """(baseline, compared) seconds of each round, in the order measured."""
        return tuple(self._pairs)

    @property
    def rounds(self) -> int:
        return len(self._pairs)

    @property
    def baseline_seconds(self) -> float:
        return median(baseline for baseline, _ in self._pairs)

    @property
    def compared_seconds(self) -> float:
        return median(compared for _, compared in self._pairs)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Compared / baseline of each round, in the order measured."""
        return tuple(compared / baseline for baseline, compared in self._pairs)

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return median(self.ratios)
