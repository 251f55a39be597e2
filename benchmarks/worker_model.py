"""A simulation of workers that share out batches: events in a heap, seeds fixed.

A worker begins a batch and asks for the next one, which is read from the shared disk
meanwhile. The disk serves one request after another. A batch that is done is seen by
others after a delay, as on a network's file system that keeps attributes for a while.
Workers differ in speed and die, some of them with their whole node; most come back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

HOUR = 3600.0
NEVER = np.inf


@dataclass(frozen=True)
class Cluster:
    """Workers, their speeds and how they die."""

    workers: int = 1000
    per_node: int = 8
    speed_sigma: float = 0.25
    """Of the logarithm of a worker's speed."""
    slow_share: float = 0.03
    slow_factor: float = 5.0
    worker_hours: float = 8.0
    """Mean hours until a worker dies by itself."""
    node_hours: float = 40.0
    """Mean hours until a node dies with all of its workers."""
    back_share: float = 0.9
    """How many of the dead are started again."""
    back_seconds: float = 300.0
    """Mean seconds until then."""
    start_seconds: float = 30.0
    """Imports and collection, until the first model can be loaded."""


@dataclass(frozen=True)
class Work:
    """Batches of several sweeps, each of one model on one data set."""

    sweeps: int = 8
    batches: int = 5893
    """Per sweep."""
    batch_seconds: float = 300.0
    """At speed 1."""
    batch_sigma: float = 0.1
    batch_bytes: float = 64 * 1.6e6
    disk_bytes_per_second: float = 3e9
    model_seconds: float = 20.0
    """To load a sweep's model."""
    seen_seconds: float = 30.0
    """Until others see a batch that is done."""
    look_seconds: float = 0.002
    """To look whether one batch is done."""
    list_seconds: float = 1.0
    """To list all that are done."""

    @property
    def total(self) -> int:
        return self.sweeps * self.batches


@dataclass(frozen=True)
class Life:
    """When a worker is up: (start, end) seconds in order; the last end may be `NEVER`."""

    spans: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class World:
    """What is drawn before a simulation begins, the same for every way to share out."""

    cluster: Cluster
    work: Work
    seed: int
    speeds: NDArray[np.float64] = field(init=False)
    seconds: NDArray[np.float64] = field(init=False)
    """(batches,) of each batch at speed 1."""
    lives: tuple[Life, ...] = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        cluster = self.cluster
        speeds = random.lognormal(0.0, cluster.speed_sigma, cluster.workers)
        is_slow = random.random(cluster.workers) < cluster.slow_share
        speeds[is_slow] /= cluster.slow_factor
        spread = random.lognormal(0.0, self.work.batch_sigma, self.work.total)
        object.__setattr__(self, "speeds", speeds)
        object.__setattr__(self, "seconds", self.work.batch_seconds * spread)
        object.__setattr__(self, "lives", tuple(_lives(cluster, random)))

    def ideal_seconds(self) -> float:
        """All work at the total speed of the workers that are up, or at the disk's."""
        changes = sorted(
            change
            for speed, life in zip(self.speeds, self.lives, strict=True)
            for start, end in life.spans
            for change in ((start, speed), (end, -speed))
            if change[0] < NEVER
        )
        remaining = float(self.seconds.sum())
        now = 0.0
        speed = 0.0
        for when, change in changes:
            if speed > 0 and remaining <= speed * (when - now):
                break
            remaining -= speed * (when - now)
            now = when
            speed += change
        work = self.work
        reading = work.total * work.batch_bytes / work.disk_bytes_per_second
        return max(now + remaining / speed, reading)


def _lives(cluster: Cluster, random: np.random.Generator) -> list[Life]:
    """The spans in which each worker is up."""
    horizon = 48 * HOUR
    lives = []
    for first in range(0, cluster.workers, cluster.per_node):
        node_deaths = _deaths(cluster.node_hours, horizon, random)
        for _ in range(first, min(first + cluster.per_node, cluster.workers)):
            own_deaths = _deaths(cluster.worker_hours, horizon, random)
            lives.append(_life(sorted(own_deaths + node_deaths), cluster, random))
    return lives


def _deaths(hours: float, horizon: float, random: np.random.Generator) -> list[float]:
    """Times at which something dies that would live `hours` on average."""
    deaths = []
    now = random.exponential(hours * HOUR)
    while now < horizon:
        deaths.append(float(now))
        now += random.exponential(hours * HOUR)
    return deaths


def _life(deaths: list[float], cluster: Cluster, random: np.random.Generator) -> Life:
    spans = []
    start = 0.0
    for death in deaths:
        if death <= start:
            continue
        spans.append((start, death))
        if random.random() >= cluster.back_share:
            return Life(tuple(spans))
        start = death + random.exponential(cluster.back_seconds)
    spans.append((start, NEVER))
    return Life(tuple(spans))


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
