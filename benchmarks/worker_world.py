"""What a simulation of workers begins with: speeds, lives and batches, by fixed seeds."""

from __future__ import annotations

from dataclasses import dataclass, field

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
