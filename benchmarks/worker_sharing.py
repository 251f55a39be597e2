"""Ways to share batches out among workers, for the simulation of `worker_model`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .worker_model import Offer, State, World

Order = Callable[
    [NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], np.random.Generator],
    "list[int]",
]


def part_of(batches: NDArray[np.int64], world: World) -> NDArray[np.int64]:
    work = world.work
    return (batches % work.batches + batches // work.batches) % world.cluster.workers


class Parts:
    """Part I of N takes every Nth batch; with `order` it then takes over others'."""

    def __init__(
        self, world: World, order: str | None = None, waits: bool = False
    ) -> None:
        self._world = world
        self._order = order
        self._waits = waits
        self._record = None
        every = np.arange(world.work.total)
        parts = part_of(every, world)
        self._own = [every[parts == i] for i in range(world.cluster.workers)]
        self._queues: list[deque[int]] = [deque() for _ in self._own]
        self._lists = [False] * len(self._own)
        self._took = [world.work.batch_seconds] * len(self._own)
        self._has_waited = [False] * len(self._own)
        self._last = [0] * len(self._own)

    def born(self, worker: int) -> None:
        self._queues[worker] = deque(self._own[worker].tolist())
        self._lists[worker] = False
        self._has_waited[worker] = False

    def next(self, worker: int, state: State) -> Offer | None:
        queue = self._queues[worker]
        work = self._world.work
        seconds = 0.0
        for _ in range(2):
            while queue:
                batch = queue.popleft()
                seconds += work.look_seconds
                if not state.is_seen(batch):
                    self._last[worker] = batch // work.batches
                    return Offer(batch, seconds)
            if self._order is None:
                return None
            seconds += work.list_seconds
            listed, has_only_begun = self._listed(worker, state)
            if not len(listed):
                return None
            if has_only_begun and self._waits and not self._has_waited[worker]:
                self._has_waited[worker] = True
                return Offer(None, seconds + self._took[worker])
            self._has_waited[worker] = False
            queue.extend(listed)
        return Offer(None, seconds + 1.0)

    def finished(self, worker: int, batch: int, seconds: float) -> None:
        self._took[worker] = seconds

    def died(self, worker: int, batches: list[int]) -> None:
        pass

    def _listed(self, worker: int, state: State) -> tuple[list[int], bool]:
        missing = state.missing()
        random = np.random.default_rng([worker, int(state.now * 1000)])
        order = self._order
        if self._record is not None: self._record.append((state.now, worker, len(missing)))
        if order == "first":
            return missing.tolist(), False
        if order == "last":
            return missing[::-1].tolist(), False
        if order == "random":
            return random.permutation(missing).tolist(), False
        parts = part_of(missing, self._world)
        if order.startswith("arc"):
            return self._arc(worker, missing, parts, order)
        if order.startswith("share"):
            return self._share(worker, missing, parts, order)
        # A part takes its batches in order, so its first missing ones may be in hand.
        _, firsts = np.unique(parts, return_index=True)
        is_first = np.zeros(len(missing), bool)
        is_first[firsts] = True
        sweeps = missing // self._world.work.batches
        if order == "begun-last":
            turn = random.random(len(missing))
        elif order == "sweeps-back":
            turn = -sweeps + random.random(len(missing))
        elif order == "own-sweep":
            # The sweep whose model is loaded, then the others in an order of its own.
            ranks = random.permutation(self._world.work.sweeps)
            ranks[self._last[worker]] = -1
            turn = ranks[sweeps] + random.random(len(missing))
        elif order == "longest":
            # From the end of the part that has most left.
            counts = np.bincount(parts, minlength=self._world.cluster.workers)
            turn = -counts[parts] * 1e6 - np.arange(len(missing))
        else:
            raise ValueError(order)
        chosen = np.lexsort((turn, is_first))
        return missing[chosen].tolist(), bool(is_first.all())


    def _arc(self, worker, missing, parts, order):
        world = self._world
        n = world.cluster.workers
        counts = np.bincount(parts, minlength=n)
        by_part = np.argsort(parts, kind="stable")
        starts = np.cumsum(counts) - counts
        place = np.empty(len(missing), np.int64)
        place[by_part] = np.arange(len(missing)) - starts[parts[by_part]]
        if "half" in order:
            ok = place >= (counts[parts] + 1) // 2
        elif "any" in order:
            ok = np.ones(len(missing), bool)
        else:
            ok = place > 0
        only_begun = not ok.any()
        pool = missing if only_begun else missing[ok]
        random = np.random.default_rng([worker, len(missing)])
        if not hasattr(self, "_ring"):
            r = np.random.default_rng(99)
            self._ring = r.random(n)
            self._spot = r.random(world.work.total)
        idle = np.flatnonzero(counts == 0)
        pos = np.sort(self._ring[idle])
        mine = np.searchsorted(pos, self._ring[worker])
        owner = (np.searchsorted(pos, self._spot[pool], side="right") - 1) % max(len(pos),1)
        own = owner == mine
        sweeps = pool // world.work.batches
        turn = random.random(len(pool)) - 1.0*(sweeps == self._last[worker])
        if own.any():
            got = pool[own][np.argsort(turn[own])]
        else:
            got = pool[np.argsort(turn)][:1]
        if "one" in order: got = got[:1]
        return got.tolist(), only_begun

    def _share(self, worker, missing, parts, order):
        world = self._world
        counts = np.bincount(parts, minlength=world.cluster.workers)
        # place of each missing batch among those of its part, from 0
        by_part = np.argsort(parts, kind="stable")
        starts = np.cumsum(counts) - counts
        place = np.empty(len(missing), np.int64)
        place[by_part] = np.arange(len(missing)) - starts[parts[by_part]]
        if "half" in order:
            ok = place >= (counts[parts] + 1) // 2
        else:
            ok = place > 0
        only_begun = not ok.any()
        pool = missing if only_begun else missing[ok]
        idle = np.flatnonzero(counts == 0)
        rank = int(np.searchsorted(idle, worker))
        if "mix" in order:
            h = (np.arange(world.cluster.workers) * 2654435761 % 2**32)
            rank = int((h[idle] < h[worker]).sum())
        start = rank * len(pool) // max(len(idle), 1) % len(pool)
        take = 1 if "one" in order else max(1, len(pool) // max(len(idle), 1))
        if "few" in order:
            take = min(take, 3)
        listed = np.roll(pool, -start)[:take]
        return listed.tolist(), only_begun


class Marks:
    """Parts that leave an exclusive mark for each batch that they begin, as a hint."""

    def __init__(self, world: World, order: str = "sweep", waits: bool = True, marks_own=True) -> None:
        self._world = world
        self._order = order
        self._waits = waits
        self.marks_own = marks_own
        every = np.arange(world.work.total)
        parts = part_of(every, world)
        self._parts = parts
        n = world.cluster.workers
        self._own = [every[parts == i] for i in range(n)]
        self._queues: list[deque[int]] = [deque() for _ in self._own]
        self._level = [0] * n
        self._took = [world.work.batch_seconds] * n
        self._last = [0] * n
        self._waited = [0] * n
        self._marks = np.zeros(world.work.total, np.int64)
        self._marked_at = np.full(world.work.total, np.inf)
        self._by = np.full(world.work.total, -1)
        self.failed_marks = 0
        self.listings = 0

    def born(self, worker: int) -> None:
        self._queues[worker] = deque(self._own[worker].tolist())
        self._level[worker] = -1
        self._waited[worker] = 0

    def next(self, worker: int, state: State) -> Offer | None:
        work = self._world.work
        queue = self._queues[worker]
        seconds = 0.0
        while True:
            while queue:
                batch = queue.popleft()
                seconds += work.look_seconds
                if state.is_seen(batch):
                    continue
                level = self._level[worker]
                if level < 0:
                    if self._marks[batch] and self._by[batch] != worker:
                        continue
                    if self.marks_own:
                        self._marks[batch] = max(1, self._marks[batch])
                        self._by[batch] = worker
                        self._marked_at[batch] = state.now
                else:
                    if self._marks[batch] > level:
                        self.failed_marks += 1
                        continue
                    self._marks[batch] += 1
                    self._by[batch] = worker
                    self._marked_at[batch] = state.now
                self._last[worker] = batch // work.batches
                self._waited[worker] = 0
                return Offer(batch, seconds)
            seconds += work.list_seconds
            self.listings += 1
            missing = state.missing()
            if not len(missing):
                return None
            seen_marks = np.where(self._marked_at[missing] + work.seen_seconds <= state.now, self._marks[missing], np.maximum(self._marks[missing] - 1, 0))
            level = int(seen_marks.min())
            random = np.random.default_rng([worker, int(state.now * 1000)])
            if level > 0 and self._waits and self._waited[worker] < level:
                self._waited[worker] = level
                return Offer(None, seconds + self._took[worker])
            self._level[worker] = level
            pool = missing[seen_marks == level]
            turn = random.random(len(pool))
            if self._order == "sweep":
                turn -= (pool // work.batches == self._last[worker])
            if self._order == "back":
                turn += -(pool // work.batches)
            pool = pool[np.argsort(turn)]
            if not (self._marks[pool] <= level).any():
                # every mark is newer than the listing
                return Offer(None, seconds + work.seen_seconds / 3)
            queue.extend(pool.tolist())

    def finished(self, worker: int, batch: int, seconds: float) -> None:
        self._took[worker] = seconds

    def died(self, worker: int, batches: list[int]) -> None:
        pass


class Pull:
    """A queue gives each batch to one worker; the idle repeat what is under way."""

    def __init__(self, world: World, found_dead_seconds: float = 30.0) -> None:
        self._world = world
        self._delay = found_dead_seconds
        self._queue = deque(range(world.work.total))
        self._back: list[tuple[float, int]] = []
        self._under_way: dict[int, int] = {}
        self._now = 0.0

    def born(self, worker: int) -> None:
        pass

    def next(self, worker: int, state: State) -> Offer | None:
        self._now = state.now
        ready = [b for when, b in self._back if when + self._delay <= state.now]
        if ready:
            self._back = [(w, b) for w, b in self._back if w + self._delay > state.now]
            self._queue.extendleft(ready)
        while self._queue:
            batch = self._queue.popleft()
            if np.isinf(state.done_at[batch]):
                self._under_way[batch] = self._under_way.get(batch, 0) + 1
                return Offer(batch)
        # The fewest copies first, the oldest of these.
        under_way = [b for b in self._under_way if np.isinf(state.done_at[b])]
        if not under_way:
            return Offer(None, 5.0) if self._back else None
        batch = min(under_way, key=lambda b: self._under_way[b])
        if self._under_way[batch] >= 2:
            return Offer(None, 5.0)
        self._under_way[batch] += 1
        return Offer(batch)

    def finished(self, worker: int, batch: int, seconds: float) -> None:
        self._under_way.pop(batch, None)

    def died(self, worker: int, batches: list[int]) -> None:
        for batch in batches:
            if self._under_way.get(batch, 0) > 1:
                self._under_way[batch] -= 1
            else:
                self._under_way.pop(batch, None)
                self._back.append((self._now, batch))
