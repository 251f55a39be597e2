"""The simulation of workers that share batches out, with fewer of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from benchmarks.worker_model import Sharing, simulate
from benchmarks.worker_sharing import MarkedParts, Parts, Queue
from benchmarks.worker_world import Cluster, Work, World

WORK = Work(sweeps=2, batches=3000)
CLUSTER = Cluster(workers=128)
PLAIN = Cluster(
    workers=8, speed_sigma=0.0, slow_share=0.0, worker_hours=1e9, node_hours=1e9
)


def test_equal_workers_that_live_take_the_ideal_time_and_their_start() -> None:
    work = Work(sweeps=1, batches=80, batch_sigma=0.0, model_seconds=0.0)
    result = simulate(World(PLAIN, work, seed=0), partial(Parts, order="none"))
    assert result.ideal == 10 * work.batch_seconds
    start = PLAIN.start_seconds + 1.0
    assert result.ideal < result.makespan < result.ideal + start
    assert (result.lost, result.twice) == (0, 0.0)


@pytest.mark.parametrize("way", [MarkedParts, Queue])
def test_what_is_taken_over_is_done_in_time_and_seldom_twice(
    way: Callable[[World], Sharing],
) -> None:
    result = simulate(World(CLUSTER, WORK, seed=0), way)
    assert result.lost == 0
    assert result.ratio < 1.1
    assert result.twice < 0.03


def test_marks_spare_most_of_what_is_done_twice() -> None:
    world = World(CLUSTER, WORK, seed=1)
    marked = simulate(world, MarkedParts)
    blind = simulate(world, partial(Parts, order="random"))
    assert blind.lost == 0
    assert marked.twice < blind.twice / 2
    assert marked.ratio < blind.ratio


def test_a_simulation_is_the_same_each_time() -> None:
    world = World(CLUSTER, WORK, seed=2)
    assert simulate(world, MarkedParts) == simulate(world, MarkedParts)
