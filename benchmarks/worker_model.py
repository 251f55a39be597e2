"""A simulation of workers that share out batches: events in a heap, seeds fixed.

A worker begins a batch and asks for the next one, which is read from the shared disk
meanwhile. The disk serves one request after another. A batch that is done is seen by
others after a delay, as on a network's file system that keeps attributes for a while.
Workers differ in speed and die, some of them with their whole node; most come back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .worker_world import NEVER, World


@dataclass
class State:
    """What has been done so far."""

    world: World
    done_at: NDArray[np.float64]
    """(batches,) when the first copy of each was whole."""
    now: float = 0.0

    def is_seen(self, batch: int) -> bool:
        """Whether other workers see by now that a batch is done."""
        return bool(self.done_at[batch] + self.world.work.seen_seconds <= self.now)

    def missing(self) -> NDArray[np.int64]:
        """The batches that others do not see as done, by number."""
        seen_at = self.done_at + self.world.work.seen_seconds
        return np.flatnonzero(seen_at > self.now)


@dataclass(frozen=True)
class Turn:
    """What a worker does next."""

    batch: int | None
    """None to ask again."""
    seconds: float = 0.0
    """That it looks or waits before."""


class Sharing(Protocol):
    """A way to share batches out."""

    def born(self, worker: int, /) -> None:
        """A worker begins, or begins anew."""

    def next(self, worker: int, state: State, /) -> Turn | None:
        """The worker's next turn; None if it may stop."""

    def finished(self, worker: int, batch: int, seconds: float, /) -> None:
        """A worker has done a batch in so many seconds."""

    def died(self, worker: int, batches: Iterable[int], state: State, /) -> None:
        """A worker has died with these batches in hand."""


@dataclass(frozen=True)
class Result:
    """How a simulation went."""

    makespan: float
    """Seconds until every batch was done; until the last one that ever was."""
    ideal: float
    lost: int
    """Batches that no worker has done."""
    twice: float
    """Work of copies after the first, in shares of all work."""

    @property
    def ratio(self) -> float:
        return self.makespan / self.ideal


@dataclass
class _Hand:
    """What a worker has at hand."""

    epoch: int = 0
    current: int | None = None
    following: int | None = None
    ready_at: float = 0.0
    """When the following batch is read."""
    model: int = -1
    is_stopped: bool = False


def simulate(world: World, sharing_of: Callable[[World], Sharing]) -> Result:
    """Run a way to share out to its end."""
    return _Simulation(world, sharing_of(world)).run()


class _Simulation:
    def __init__(self, world: World, sharing: Sharing) -> None:
        self._world = world
        self._sharing = sharing
        self._state = State(world, np.full(world.work.total, NEVER))
        self._left = world.work.total
        self._copies_seconds = 0.0
        self._disk_free = 0.0
        self._hands = [_Hand() for _ in range(world.cluster.workers)]
        # (when, number, worker, life of the worker or -1 for any, what happens)
        self._events: list[tuple[float, int, int, int, str]] = []
        self._sequence = 0

    def run(self) -> Result:
        for worker, life in enumerate(self._world.lives):
            for start, end in life.spans:
                self._push(start, worker, -1, "born")
                if end < NEVER:
                    self._push(end, worker, -1, "dies")
        handlers = {
            "born": self._born,
            "dies": self._dies,
            "asks": self._asks,
            "begins": self._begins,
            "done": self._done,
        }
        last = 0.0
        while self._events and self._left:
            when, _, worker, epoch, kind = heapq.heappop(self._events)
            hand = self._hands[worker]
            if epoch not in (-1, hand.epoch):
                continue
            self._state.now = when
            handlers[kind](worker, hand)
            if kind == "done":
                last = when
        # Whoever is still at work makes a further copy.
        for hand in self._hands:
            if hand.current is not None:
                self._copies_seconds += float(self._world.seconds[hand.current])
        done = self._state.done_at
        return Result(
            last,
            self._world.ideal_seconds(),
            int(np.isinf(done).sum()),
            self._copies_seconds / float(self._world.seconds.sum()),
        )

    def _push(self, when: float, worker: int, epoch: int, kind: str) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (when, self._sequence, worker, epoch, kind))

    def _born(self, worker: int, hand: _Hand) -> None:
        self._sharing.born(worker)
        start = self._state.now + self._world.cluster.start_seconds
        self._push(start, worker, hand.epoch, "asks")

    def _dies(self, worker: int, hand: _Hand) -> None:
        in_hand = (hand.current, hand.following)
        batches = [batch for batch in in_hand if batch is not None]
        self._sharing.died(worker, batches, self._state)
        self._hands[worker] = _Hand(epoch=hand.epoch + 1)

    def _asks(self, worker: int, hand: _Hand) -> None:
        """Ask for the following batch, and have it read."""
        if hand.following is not None or hand.is_stopped:
            return
        turn = self._sharing.next(worker, self._state)
        if turn is None:
            hand.is_stopped = True
            return
        ready = self._state.now + turn.seconds
        if turn.batch is None:
            self._push(ready, worker, hand.epoch, "asks")
            return
        hand.following = turn.batch
        work = self._world.work
        begun = max(ready, self._disk_free)
        self._disk_free = begun + work.batch_bytes / work.disk_bytes_per_second
        hand.ready_at = self._disk_free
        if hand.current is None:
            self._push(hand.ready_at, worker, hand.epoch, "begins")

    def _begins(self, worker: int, hand: _Hand) -> None:
        batch = hand.following
        if batch is None or hand.current is not None:
            return
        hand.following = None
        if self._state.is_seen(batch):
            self._asks(worker, hand)
            return
        hand.current = batch
        work = self._world.work
        seconds = self._world.seconds[batch] / self._world.speeds[worker]
        sweep = batch // work.batches
        if sweep != hand.model:
            hand.model = sweep
            seconds += work.model_seconds
        self._push(self._state.now + seconds, worker, hand.epoch, "done")
        self._asks(worker, hand)

    def _done(self, worker: int, hand: _Hand) -> None:
        batch = hand.current
        assert batch is not None
        hand.current = None
        if np.isinf(self._state.done_at[batch]):
            self._state.done_at[batch] = self._state.now
            self._left -= 1
        else:
            self._copies_seconds += float(self._world.seconds[batch])
        seconds = self._world.seconds[batch] / self._world.speeds[worker]
        self._sharing.finished(worker, batch, float(seconds))
        if hand.following is not None:
            begun = max(hand.ready_at, self._state.now)
            self._push(begun, worker, hand.epoch, "begins")
        else:
            self._asks(worker, hand)
