"""Who gets which batch: the order, what is given back, and what two may try at once.

No worker, no Ray and no clock of its own is in here, so that every course of events can
be tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

W = TypeVar("W", bound=Hashable)
MOST_ATTEMPTS = 3
"""How often a batch may end a worker, or fail otherwise."""
_SLOW = 2.0
"""A batch is slow once it takes so many times as long as the others."""


@dataclass(repr=False)
class _Lot(Generic[W]):
    """A batch that is not finished."""

    number: int
    holders: dict[W, float] = field(default_factory=dict)
    """Since when each worker has it."""
    failed_with: list[W] = field(default_factory=list)
    """The workers that could not finish it, in order."""

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what ended a worker."""
        return bool(self.failed_with)


class Dealer(Generic[W]):
    """Deals numbers out to workers until each was finished by one of them.

    A worker holds a few at a time, so that it never waits for the next one. Towards the
    end it holds fewer, so that none waits while another worker has nothing to do. One
    that may have ended a worker is tried with nothing beside it, so that it is known
    which one it was.
    """

    def __init__(
        self,
        numbers: Iterable[int],
        ahead: int,
        now: Callable[[], float] = monotonic,
        expected: int = 1,
    ) -> None:
        """At most `ahead` numbers are with a worker. `now` gives seconds.

        `expected` workers will join, so that the first does not take what is theirs.
        """
        self._expected = expected
        self._lots: dict[int, _Lot[W]] = {n: _Lot(n) for n in numbers}
        self._ahead = ahead
        self._now = now
        self._workers: dict[W, None] = {}
        self._seconds: list[float] = []
        """From one finished number of a worker to its next."""
        self._last_finish: dict[W, float] = {}

    @property
    def is_finished(self) -> bool:
        return not self._lots

    @property
    def workers(self) -> int:
        return len(self._workers)

    def is_open(self, number: int) -> bool:
        """Whether a number is still to be finished."""
        return number in self._lots

    def held_by(self, worker: W) -> list[int]:
        """The unfinished numbers that a worker has."""
        return [lot.number for lot in self._lots.values() if worker in lot.holders]

    def join(self, worker: W) -> None:
        """Count a worker among those that numbers are shared out to."""
        self._workers[worker] = None

    def deal(self, worker: W) -> list[int]:
        """Further numbers for a worker; it has them from now on."""
        self.join(worker)
        chosen = self._choose(worker)
        for lot in chosen:
            lot.holders[worker] = self._now()
        if chosen:
            self._last_finish.setdefault(worker, self._now())
        return [lot.number for lot in chosen]

    def finish(self, worker: W, number: int) -> bool:
        """Whether this is the first time that the number is finished."""
        lot = self._lots.get(number)
        if lot is None:
            return False
        if worker in lot.holders and worker in self._last_finish:
            self._seconds.append(self._now() - self._last_finish[worker])
            self._last_finish[worker] = self._now()
        del self._lots[number]
        if not self.held_by(worker):
            # What comes next is no part of the time of a batch.
            self._last_finish.pop(worker, None)
        return True

    def retry(self, worker: W, number: int) -> None:
        """Have a number tried again, by another worker if there is one."""
        lot = self._lots[number]
        lot.holders.pop(worker, None)
        lot.failed_with.append(worker)

    def give_back(self, worker: W) -> list[int]:
        """Take back what a worker holds that failed; returns what was tried too often."""
        hopeless = []
        for number in self.held_by(worker):
            self.retry(worker, number)
            if self.attempts(number) >= MOST_ATTEMPTS:
                hopeless.append(number)
        self._last_finish.pop(worker, None)
        return hopeless

    def leave(self, worker: W) -> list[int]:
        """As `give_back`, for a worker that is gone."""
        self._workers.pop(worker, None)
        self._expected = max(1, self._expected - 1)
        return self.give_back(worker)

    def attempts(self, number: int) -> int:
        """How often a number was tried in vain."""
        return len(self._lots[number].failed_with)

    def tried_by(self, number: int) -> list[W]:
        """The workers that could not finish a number, in order."""
        return list(self._lots[number].failed_with)

    # What a worker gets

    def _choose(self, worker: W) -> list[_Lot[W]]:
        held = [self._lots[number] for number in self.held_by(worker)]
        if any(lot.is_suspect for lot in held):
            return []
        waiting = [lot for lot in self._lots.values() if not lot.holders]
        suspect = self._suspect_for(worker, waiting)
        if suspect is not None:
            # Once the worker has nothing else: a suspect is tried alone.
            return [] if held else [suspect]
        fresh = [lot for lot in waiting if not lot.is_suspect]
        room = max(0, self._allowance() - len(held))
        chosen = fresh[:room]
        if chosen or held:
            return chosen
        return self._slow_lot(worker)

    def _suspect_for(self, worker: W, waiting: list[_Lot[W]]) -> _Lot[W] | None:
        """A suspect that this worker may try: not one that it failed with, unless all did."""
        for lot in waiting:
            if not lot.is_suspect:
                continue
            others = self._workers.keys() - set(lot.failed_with)
            if worker not in lot.failed_with or not others:
                return lot
        return None

    def _allowance(self) -> int:
        """How many numbers a worker may have: half of its share of what is left."""
        workers = max(self._expected, self.workers)
        if workers == 1:
            return self._ahead
        share = math.ceil(len(self._lots) / (2 * workers))
        return max(1, min(self._ahead, share))

    def _slow_lot(self, worker: W) -> list[_Lot[W]]:
        """The number that one other worker has for the longest time, if that is slow."""
        if not self._seconds:
            return []
        usual = sum(self._seconds) / len(self._seconds)
        slow = [
            lot
            for lot in self._lots.values()
            if len(lot.holders) == 1
            and worker not in lot.failed_with
            and self._now() - min(lot.holders.values()) > _SLOW * usual
        ]
        return sorted(slow, key=lambda lot: min(lot.holders.values()))[:1]
