"""Ways to share batches out among workers, for the simulation in `workers`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .worker_model import State, Turn
from .worker_world import Work, World

Numbers = NDArray[np.int64]
Order = Literal["none", "number", "longest", "random"]


def parts_of(batches: Numbers, work: Work, workers: int) -> Numbers:
    """The part of each batch: every Nth of a sweep, the next sweep shifted by one."""
    return (batches % work.batches + batches // work.batches) % workers


class Parts:
    """Each worker encodes its part, then what others have not, in some order.

    Nothing but whole files tells a worker what others do.
    """

    def __init__(self, world: World, order: Order) -> None:
        self._world = world
        self._order = order
        self._workers = world.cluster.workers
        every = np.arange(world.work.total)
        parts = parts_of(every, world.work, self._workers)
        by_part = np.argsort(parts, kind="stable")
        bounds = np.cumsum(np.bincount(parts, minlength=self._workers))[:-1]
        self._own = np.split(by_part, bounds)
        self._queues: list[deque[int]] = [deque() for _ in self._own]

    def born(self, worker: int, /) -> None:
        self._queues[worker] = deque(self._own[worker].tolist())

    def next(self, worker: int, state: State, /) -> Turn | None:
        work = self._world.work
        queue = self._queues[worker]
        seconds = 0.0
        if not queue and self._order != "none":
            queue.extend(self._missing(worker, state))
            seconds = work.list_seconds
        while queue:
            batch = queue.popleft()
            seconds += work.look_seconds
            if not state.is_seen(batch):
                return Turn(batch, seconds)
        # What was listed has appeared since, and is listed anew.
        if self._order == "none" or not len(state.missing()):
            return None
        return Turn(None, seconds + work.list_seconds)

    def finished(self, worker: int, batch: int, seconds: float, /) -> None:
        pass

    def died(self, worker: int, batches: Iterable[int], state: State, /) -> None:
        pass

    def _missing(self, worker: int, state: State) -> Iterator[int]:
        missing = state.missing()
        if self._order == "random":
            random = np.random.default_rng([worker, int(1000 * state.now)])
            missing = random.permutation(missing)
        if self._order == "longest":
            # From the end of the part that has most left.
            parts = parts_of(missing, self._world.work, self._workers)
            left = np.bincount(parts, minlength=self._workers)
            missing = missing[np.lexsort((-missing, parts, -left[parts]))]
        yield from missing.tolist()


class MarkedParts(Parts):
    """The same, with a mark for each copy of a batch that is begun.

    A mark is an empty file that one worker alone can make, which the file server decides
    at once. It is no lease: it only says that another batch is to be taken first.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world, "random")
        self._marks = np.zeros(world.work.total, dtype=np.int64)
        """How many copies of each batch were begun."""
        self._marked_at = np.full(world.work.total, np.inf)
        self._marked_by = np.full(world.work.total, -1)
        self._sweep = np.zeros(self._workers, dtype=np.int64)
        """Whose model each worker has loaded."""
        self._took = np.full(self._workers, world.work.batch_seconds)
        """Seconds of the last batch of each worker."""
        self._copies = np.zeros(self._workers, dtype=np.int64)
        """Which copies each worker makes: 0 for its own part."""
        self._waited = np.zeros(self._workers, dtype=np.int64)
        """The copies before which each worker has waited."""

    def born(self, worker: int, /) -> None:
        super().born(worker)
        self._copies[worker] = 0
        self._waited[worker] = 0

    def next(self, worker: int, state: State, /) -> Turn | None:
        work = self._world.work
        queue = self._queues[worker]
        seconds = 0.0
        while queue:
            batch = queue.popleft()
            seconds += work.look_seconds
            if not state.is_seen(batch) and self._mark(worker, batch, state):
                return Turn(batch, seconds)
        seconds += work.list_seconds
        missing = state.missing()
        if not len(missing):
            return None
        seen = self._seen_marks(missing, state)
        fewest = int(seen.min())
        if fewest > self._waited[worker]:
            # What was begun so often is done by then, or its workers are slow or dead.
            self._waited[worker] = fewest
            return Turn(None, seconds + self._took[worker])
        self._copies[worker] = fewest + 1
        candidates = missing[seen == fewest]
        queue.extend(self._shuffled(worker, candidates, state))
        return Turn(None, seconds)

    def finished(self, worker: int, _batch: int, seconds: float, /) -> None:
        self._took[worker] = seconds

    def _mark(self, worker: int, batch: int, state: State) -> bool:
        """Whether this worker is the one that begins this copy."""
        copy = max(1, int(self._copies[worker]))
        is_resumed = self._copies[worker] == 0 and self._marked_by[batch] == worker
        if self._marks[batch] >= copy and not is_resumed:
            return False
        self._marks[batch] = max(copy, int(self._marks[batch]))
        self._marked_by[batch] = worker
        self._marked_at[batch] = state.now
        self._sweep[worker] = batch // self._world.work.batches
        return True

    def _seen_marks(self, batches: Numbers, state: State) -> Numbers:
        """The marks as a listing shows them, which may be somewhat old."""
        marks = self._marks[batches]
        is_new = self._marked_at[batches] + self._world.work.seen_seconds > state.now
        return np.where(is_new, np.maximum(marks - 1, 0), marks)

    def _shuffled(self, worker: int, batches: Numbers, state: State) -> list[int]:
        """Those of the sweep whose model is loaded first, else in no order."""
        random = np.random.default_rng([worker, int(1000 * state.now)])
        shuffled = random.permutation(batches)
        is_other = shuffled // self._world.work.batches != self._sweep[worker]
        chosen: list[int] = shuffled[np.argsort(is_other, kind="stable")].tolist()
        return chosen


class Queue:
    """One queue gives batches to whoever asks; the idle repeat what is under way."""

    _FOUND_DEAD = 30.0
    """Seconds until a death is noticed."""
    _MOST_COPIES = 2
    _ASK_AGAIN = 5.0

    def __init__(self, world: World) -> None:
        self._waiting = deque(range(world.work.total))
        self._returned: deque[tuple[float, int]] = deque()
        """(when it can be given again, batch) of those whose worker died."""
        self._copies: dict[int, int] = {}
        """Of each batch under way, the oldest first."""

    def born(self, _worker: int, /) -> None:
        pass

    def next(self, _worker: int, state: State, /) -> Turn | None:
        while self._returned and self._returned[0][0] <= state.now:
            self._waiting.appendleft(self._returned.popleft()[1])
        if self._waiting:
            batch = self._waiting.popleft()
            self._copies[batch] = 1
            return Turn(batch)
        fewest = min(self._copies, key=self._copies.__getitem__, default=None)
        if fewest is not None and self._copies[fewest] < self._MOST_COPIES:
            self._copies[fewest] += 1
            return Turn(fewest)
        is_over = not self._copies and not self._returned
        return None if is_over else Turn(None, self._ASK_AGAIN)

    def finished(self, _worker: int, batch: int, _seconds: float, /) -> None:
        self._copies.pop(batch, None)

    def died(self, _worker: int, batches: Iterable[int], state: State, /) -> None:
        for batch in batches:
            # Another copy may be done.
            if batch not in self._copies:
                continue
            self._copies[batch] -= 1
            if not self._copies[batch]:
                del self._copies[batch]
                self._returned.append((state.now + self._FOUND_DEAD, batch))
