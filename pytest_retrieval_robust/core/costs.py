"""What hiding costs: seconds, latency and memory, measured afresh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .cases import Case, Json


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of one or more `values`, in any order, lies; linear
    between neighbours.
    """
    rising = sorted(values)
    place = share * (len(rising) - 1)
    low = min(int(place), len(rising) - 1)
    high = min(low + 1, len(rising) - 1)
    return rising[low] + (rising[high] - rising[low]) * (place - low)


@dataclass(frozen=True)
class Latency:
    """Seconds that one image alone (batch 1) takes with nothing hidden, once it is
    prepared and on the device.
    """

    p50: float
    p95: float
    calls: int
    """How many were timed, each waited for."""

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """From the seconds of each call, one or more."""
        return cls(quantile(seconds, 0.5), quantile(seconds, 0.95), len(seconds))

    def as_json(self) -> Json:
        return {"p50": self.p50, "p95": self.p95, "calls": self.calls}

    @classmethod
    def from_json(cls, data: Json) -> Latency:
        return cls(**data)


@dataclass(frozen=True)
class ReferenceCost:
    """Another model on the same images with nothing hidden, timed in turn with this one."""

    model: str
    """The other one, as the gate names it."""
    seconds: float
    """Of the other one, per image; median over the rounds."""
    ratios: tuple[float, ...]
    """This model / the other one, of each round in the order measured."""

    @property
    def ratio(self) -> float:
        """How many times as long this model takes; median over the rounds."""
        return median(self.ratios)

    def as_json(self) -> Json:
        return {
            "model": self.model,
            "seconds": self.seconds,
            "ratios": list(self.ratios),
        }

    @classmethod
    def from_json(cls, data: Json) -> ReferenceCost:
        return cls(data["model"], data["seconds"], tuple(data["ratios"]))


@dataclass(frozen=True)
class CostMeasurement:
    """What hiding costs, measured afresh and interleaved.

    Seconds per image, medians over the rounds.
    """

    case: Case
    clean_seconds: float
    occluded_seconds: float
    relative_cost: float
    """Median over rounds of (occlude + encode at this level) / (encode at level 0)."""
    rounds: int
    images: int
    device: str
    ratios: tuple[float, ...] = ()
    """Occluded / clean of each round, in the order measured."""
    hardware: str = ""
    """The processor or accelerator that the seconds hold for."""
    latency: Latency | None = None
    """Of one image alone; measured at level 0."""
    peak_memory_bytes: int | None = None
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

    def as_json(self) -> Json:
        return {
            "case": self.case.as_json(),
            "clean_seconds": self.clean_seconds,
            "occluded_seconds": self.occluded_seconds,
            "relative_cost": self.relative_cost,
            "rounds": self.rounds,
            "images": self.images,
            "device": self.device,
            "ratios": list(self.ratios),
            "hardware": self.hardware,
            "latency": None if self.latency is None else self.latency.as_json(),
            "peak_memory_bytes": self.peak_memory_bytes,
            "reference": None if self.reference is None else self.reference.as_json(),
        }

    @classmethod
    def from_json(cls, data: Json) -> CostMeasurement:
        latency, reference = data.get("latency"), data.get("reference")
        parts = {
            "case": Case.from_json(data["case"]),
            "ratios": tuple(data.get("ratios", ())),
            "latency": None if latency is None else Latency.from_json(latency),
            "reference": (
                None if reference is None else ReferenceCost.from_json(reference)
            ),
        }
        return cls(**{**data, **parts})
