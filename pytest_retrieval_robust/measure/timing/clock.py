"""Device-synchronised time: sums, interleaved rounds of two actions, and the latency of
single calls.
"""

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
"""Single calls before a latency is measured: the first of a shape also allocates and
chooses kernels.
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
    """Sums the seconds that a device works on what runs inside, without waiting for it
    where it keeps time itself.

    CUDA's own events time the work while the host prepares the next; elsewhere it is a `Stopwatch`.
    """

    def __init__(self, device: str) -> None:
        self._watch = Stopwatch(device)
        self._device = device
        self._events: deque[tuple[Any, Any]] = deque()
        """Of work that the device may not have done yet, in its order."""
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
        self._events.append((start, stream.record_event(_event())))
        # A sweep of hundreds of thousands of batches would keep as many events.
        while self._events and self._events[0][1].query():
            self._take()

    @property
    def seconds(self) -> float:
        """What was summed so far; waits for the device."""
        synchronise(self._device)
        while self._events:
            self._take()
        return self._watch.seconds + self._milliseconds / 1000

    def _take(self) -> None:
        """Add what passed between the oldest two events, which are over."""
        start, end = self._events.popleft()
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
    """Seconds of single calls of `action`, each waited for; a few come before the
    `calls` that are timed.

    `before` comes before each of them and is not timed.
    """
    for _ in range(WARM_UP_CALLS):
        before()
        action()
    seconds = []
    for _ in range(calls):
        before()
        seconds.append(seconds_of(action, device))
    return Latency.of(seconds)


class InterleavedRounds:
    """Seconds of a baseline and of what is compared with it, one right after the other
    in every round.

    A machine that drifts, or that others use, hits both alike: the ratios hold where
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
        self._baseline, self._compared, self._device, self._before = (
            baseline,
            compared,
            device,
            before,
        )
        self._latest_baseline = 0.0
        self._pairs: list[tuple[float, float]] = []

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
        self._pairs.append(
            (self._latest_baseline, seconds_of(self._compared, self._device))
        )

    def measure(self, rounds: int) -> None:
        for _ in range(rounds):
            self.measure_baseline()
            self.measure_compared()

    def keep(self, rounds: int) -> None:
        """Forget what was measured after the first `rounds`."""
        del self._pairs[rounds:]

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
