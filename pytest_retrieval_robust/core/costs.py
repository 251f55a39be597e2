"""What hiding costs: seconds, latency and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated

from .cases import Case
from .codec import NOT_EMPTY, Count, Positive, Written


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of one or more `values` lies, linear between neighbours.

    >>> quantile([3.0, 1.0, 2.0], 0.25)
    1.5
    """
    rising = sorted(values)
    last = len(rising) - 1
    position = share * last
    low = min(int(position), last)
    high = min(low + 1, last)
    return rising[low] + (rising[high] - rising[low]) * (position - low)


@dataclass(frozen=True)
class Latency(Written):
    """Seconds that one image alone (batch 1) takes with nothing hidden.

    It is prepared and on the device before the clock starts.
    """

    p50: float
    p95: float
    calls: Positive
    """How many were timed, each waited for."""

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """From the seconds of each call, one or more."""
        return cls(quantile(seconds, 0.5), quantile(seconds, 0.95), len(seconds))


@dataclass(frozen=True)
class ReferenceCost(Written):
    """Another model on the same images with nothing hidden, timed in turn with this one."""

    model: str
    """The other one, as the gate names it."""
    seconds: float
    """Of the other one, per image; median over the rounds."""
    ratios: Annotated[tuple[float, ...], NOT_EMPTY]
    """This model / the other one, of each round in the order measured."""

    @property
    def ratio(self) -> float:
        """How many times as long this model takes; median over the rounds."""
        return median(self.ratios)


@dataclass(frozen=True)
class CostMeasurement(Written):
    """What hiding costs: seconds per image, medians over the rounds.

    Rounds with and without hiding are interleaved, and nothing comes from a store.
    """

    case: Case
    clean_seconds: float
    occluded_seconds: float
    relative_cost: float
    """Median over rounds of (occlude + encode at this level) / (encode at level 0)."""
    rounds: Count
    images: Count
    device: str
    ratios: tuple[float, ...] = ()
    """Occluded / clean of each round, in the order measured."""
    hardware: str = ""
    """The processor or accelerator that the seconds hold for."""
    latency: Latency | None = None
    """Of one image alone; measured at level 0."""
    peak_memory_bytes: Count | None = None
    """While a batch is encoded; measured at level 0. On a CPU that of the whole
    process, since it started.
    """
    reference: ReferenceCost | None = None
    """At level 0, where a gate asks for `cost_relative_to` another model and that one
    could be loaded.
    """

    @property
    def images_per_second(self) -> float:
        return 1.0 / self.occluded_seconds

    @property
    def spread(self) -> tuple[float, float]:
        """(lower, upper) quartile of the ratios; the median twice where single rounds
        are not known.
        """
        ratios = self.ratios or (self.relative_cost,)
        return quantile(ratios, 0.25), quantile(ratios, 0.75)
