"""The nouns of a run: Case, Outcome, Verdict and what goes with them. Frozen, plain
data that travels as JSON.

Outcomes cross from pytest-xdist's workers to the controller as the dictionaries that
`as_json` gives, and the same dictionaries are written to `run.json`: one form, one
place that knows it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal, TypeAlias

from .words import known_word, measured_k

Direction: TypeAlias = Literal["image-to-report", "report-to-image"]
DIRECTIONS: tuple[Direction, Direction] = ("image-to-report", "report-to-image")
VerdictName: TypeAlias = Literal["pass", "fail", "inconclusive", "ungated"]
Json: TypeAlias = dict[str, Any]
BREAKING = "breaking"
"""What stands for the occluder in the case of a search for the smallest breaking occlusion."""


def canonical_level(level: float) -> float:
    """`level` to six decimals, so that 0.1 + 0.2 and 0.3 are the same occlusion level."""
    return round(float(level), 6)


@dataclass(frozen=True, order=True)
class Case:
    """One cell of the evaluation: a model on a data set under an occluder at a level
    with a mask seed.
    """

    model: str
    dataset: str
    occluder: str
    level: float
    seed: int

    def clean(self) -> Case:
        """The same case with nothing hidden."""
        return Case(self.model, self.dataset, self.occluder, 0.0, self.seed)

    def as_json(self) -> Json:
        return {
            "model": self.model,
            "dataset": self.dataset,
            "occluder": self.occluder,
            "level": self.level,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, data: Json) -> Case:
        return cls(
            data["model"],
            data["dataset"],
            data["occluder"],
            canonical_level(data["level"]),
            data["seed"],
        )

    def __str__(self) -> str:
        return (
            f"{self.model} on {self.dataset}, {self.occluder} at level {self.level:g},"
            f" seed {self.seed}"
        )


@dataclass(frozen=True)
class Cell:
    """What is done to the images: an occluder at a level with a mask seed. Level 0 is
    the same cell for all.
    """

    occluder: str
    level: float
    seed: int


CLEAN = Cell("none", 0.0, 0)


@dataclass(frozen=True)
class Scores:
    """Retrieval in one direction.

    Recalls, chances and intervals are shares in [0, 1]; ranks count from 1.
    """

    queries: int
    gallery: int
    chance: Mapping[int, float]
    recall: Mapping[int, float]
    recall_interval: Mapping[int, tuple[float, float]]
    median_rank: float
    mrr: float

    def as_json(self) -> Json:
        return {
            "queries": self.queries,
            "gallery": self.gallery,
            "chance": {str(k): v for k, v in self.chance.items()},
            "recall": {str(k): v for k, v in self.recall.items()},
            "recall_interval": {
                str(k): list(v) for k, v in self.recall_interval.items()
            },
            "median_rank": self.median_rank,
            "mrr": self.mrr,
        }

    @classmethod
    def from_json(cls, data: Json) -> Scores:
        return cls(
            data["queries"],
            data["gallery"],
            {int(k): v for k, v in data["chance"].items()},
            {int(k): v for k, v in data["recall"].items()},
            {int(k): (v[0], v[1]) for k, v in data["recall_interval"].items()},
            data["median_rank"],
            data["mrr"],
        )


@dataclass(frozen=True)
class Timing:
    """What the sweep's forward passes took.

    Seconds are sums over the images; prepare and decode are not in them.
    """

    images_per_second: float | None
    """None where nothing was encoded, since all embeddings came from the store."""
    encode_seconds: float
    occlude_seconds: float
    device: str
    precision: str
    from_store: int = 0
    """Images whose embeddings came from the store: they are in no time here."""

    def as_json(self) -> Json:
        return {
            "images_per_second": self.images_per_second,
            "encode_seconds": self.encode_seconds,
            "occlude_seconds": self.occlude_seconds,
            "device": self.device,
            "precision": self.precision,
            "from_store": self.from_store,
        }

    @classmethod
    def from_json(cls, data: Json) -> Timing:
        return cls(**data)


@dataclass(frozen=True, repr=False)
class Outcome:
    """A measured case, both directions."""

    case: Case
    achieved_level: float
    visible_level: float
    image_to_report: Scores
    report_to_image: Scores
    timing: Timing
    ranks_key: str | None = None
    """Where the run's temporary store holds the ranks of this case."""

    def __repr__(self) -> str:
        k = max(self.image_to_report.recall, default=None)
        if k is None:
            return f"<Outcome {self.case}>"
        recalls = (
            f"{self.scores(direction).recall.get(k, math.nan):.3f} {direction}"
            for direction in DIRECTIONS
        )
        return f"<Outcome {self.case}: Recall@{k} {', '.join(recalls)}>"

    def scores(self, direction: Direction) -> Scores:
        """Retrieval in one direction; `ArgumentError` for a word that is none."""
        both = {
            "image-to-report": self.image_to_report,
            "report-to-image": self.report_to_image,
        }
        return both[known_word("direction", direction, DIRECTIONS)]

    def recall(self, k: int, direction: Direction = "image-to-report") -> float:
        """Recall@k in one direction, a share in [0, 1]; `NotMeasuredError` for a k that
        was not measured.
        """
        recalls = self.scores(direction).recall
        return recalls[measured_k(k, recalls)]

    def as_json(self) -> Json:
        return {
            "case": self.case.as_json(),
            "achieved_level": self.achieved_level,
            "visible_level": self.visible_level,
            "image-to-report": self.image_to_report.as_json(),
            "report-to-image": self.report_to_image.as_json(),
            "timing": self.timing.as_json(),
            "ranks_key": self.ranks_key,
        }

    @classmethod
    def from_json(cls, data: Json) -> Outcome:
        return cls(
            Case.from_json(data["case"]),
            data["achieved_level"],
            data["visible_level"],
            Scores.from_json(data["image-to-report"]),
            Scores.from_json(data["report-to-image"]),
            Timing.from_json(data["timing"]),
            data.get("ranks_key"),
        )


@dataclass(frozen=True)
class Verdict:
    """What one rule of the policy says of one case, in a full sentence."""

    case: Case
    gate: str
    """The rule: `recall@10`, `retention@10`, `relative_cost`, ..."""
    verdict: VerdictName
    observed: float | None
    limit: float | None
    sentence: str
    bounds: tuple[float, float] | None = None
    """Lower and upper bound of what was observed, each held with `confidence`; None
    where there are none.
    """
    decided_by: Literal["point", "bound"] | None = None
    confidence: float | None = None
    detectable_loss: float | None = None
    """The smallest loss, from what was observed, at which this gate would fail with a
    probability of 0.8.
    """
    more_queries: int | None = None
    """How many more queries an inconclusive gate would take to be decided, should the
    observed value stay.
    """
    tolerated: bool = False
    """An inconclusive one that the policy lets pass."""
    weak: bool = False
    """Whether it could lose half of what it guards unnoticed."""

    @property
    def objects(self) -> bool:
        """Whether it stops a release."""
        return self.verdict == "fail" or (
            self.verdict == "inconclusive" and not self.tolerated
        )

    def as_json(self) -> Json:
        return {
            "case": self.case.as_json(),
            "gate": self.gate,
            "verdict": self.verdict,
            "observed": self.observed,
            "limit": self.limit,
            "sentence": self.sentence,
            "bounds": (
                None
                if self.bounds is None
                else [finite(bound) for bound in self.bounds]
            ),
            "decided_by": self.decided_by,
            "confidence": self.confidence,
            "detectable_loss": self.detectable_loss,
            "more_queries": self.more_queries,
            "tolerated": self.tolerated,
            "weak": self.weak,
        }


def finite(value: float) -> float | None:
    """The value, or None where it is not finite: JSON has no infinity."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Plan:
    """What a run was asked to measure: every combination of these, before `-k` and the
    like leave any out.
    """

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    occluders: tuple[str, ...]
    levels: tuple[float, ...]
    """Rising, from 0."""
    seeds: tuple[int, ...]
    ks: tuple[int, ...]

    def as_json(self) -> Json:
        return {name: list(values) for name, values in vars(self).items()}

    @classmethod
    def from_json(cls, data: Json) -> Plan:
        return cls(
            models=tuple(data["models"]),
            datasets=tuple(data["datasets"]),
            occluders=tuple(data["occluders"]),
            levels=tuple(canonical_level(level) for level in data["levels"]),
            seeds=tuple(data["seeds"]),
            ks=tuple(data["ks"]),
        )


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


@dataclass(frozen=True, repr=False)
class HeatMap:
    """A number for each cell of a grid over the image, averaged over `images` images;
    rows from the top.
    """

    images: int
    rows: tuple[tuple[float, ...], ...]

    def __repr__(self) -> str:
        return f"<HeatMap of {self.images} images, {len(self.rows)} rows>"

    def minus(self, other: HeatMap) -> HeatMap:
        """The difference, cell by cell; it counts the images of this one."""
        pairs = zip(self.rows, other.rows, strict=True)
        return HeatMap(
            self.images,
            tuple(tuple(a - b for a, b in zip(*both, strict=True)) for both in pairs),
        )

    @property
    def peak(self) -> tuple[int, int]:
        """(row, column) of the greatest number."""
        return max(
            (
                (row, column)
                for row, numbers in enumerate(self.rows)
                for column in range(len(numbers))
            ),
            key=lambda cell: self.rows[cell[0]][cell[1]],
        )

    def as_json(self) -> Json:
        return {"images": self.images, "rows": [list(row) for row in self.rows]}

    @classmethod
    def from_json(cls, data: Json) -> HeatMap:
        return cls(data["images"], tuple(tuple(row) for row in data["rows"]))


@dataclass(frozen=True, repr=False)
class BreakingOutcome:
    """The smallest occlusions that were found to break a model on a data set, and its
    sensitivity maps.
    """

    model: str
    dataset: str
    k: int
    grid: int
    fill: str
    budget: int
    images: int
    """How many were searched."""
    shares: tuple[float, ...]
    """Rising: the breaking share of each image whose right report is in the top k with
    nothing hidden.
    """
    unbroken: int
    """Images that nothing that was tried broke; their share is 1."""
    one_minimal: int
    """Images of which no hidden cell can be given back."""
    encodings: float
    """Encodings an image, mean."""
    sensitivity: HeatMap
    """Mean fall of the right report's score when a cell alone is hidden."""
    by_label: Mapping[str, HeatMap] = field(default_factory=dict)
    arrays_key: str | None = None
    """Where the run's temporary store holds the masks."""

    def __repr__(self) -> str:
        median = self.quantile(0.5)
        share = "no image broken" if median is None else f"median share {median:.4f}"
        return (
            f"<BreakingOutcome {self.model} on {self.dataset}, top {self.k}:"
            f" {self.images} images, {share}>"
        )

    @property
    def case(self) -> Case:
        """The case that its verdicts speak of."""
        return Case(self.model, self.dataset, BREAKING, 0.0, 0)

    def quantile(self, share: float) -> float | None:
        """The least breaking share that at least this share of the images reaches or
        stays below; None without any.
        """
        if not self.shares:
            return None
        return self.shares[max(0, math.ceil(share * len(self.shares) - 1e-9) - 1)]

    def as_json(self) -> Json:
        return {
            "model": self.model,
            "dataset": self.dataset,
            "k": self.k,
            "grid": self.grid,
            "fill": self.fill,
            "budget": self.budget,
            "images": self.images,
            "shares": list(self.shares),
            "median": self.quantile(0.5),
            "quantile_5": self.quantile(0.05),
            "unbroken": self.unbroken,
            "one_minimal": self.one_minimal,
            "encodings": self.encodings,
            "sensitivity": self.sensitivity.as_json(),
            "by_label": {
                label: found.as_json() for label, found in self.by_label.items()
            },
            "arrays_key": self.arrays_key,
        }

    @classmethod
    def from_json(cls, data: Json) -> BreakingOutcome:
        plain = {key: data[key] for key in data if key not in ("median", "quantile_5")}
        maps = {
            label: HeatMap.from_json(found) for label, found in data["by_label"].items()
        }
        sensitivity = HeatMap.from_json(data["sensitivity"])
        return cls(
            **{
                **plain,
                "shares": tuple(data["shares"]),
                "sensitivity": sensitivity,
                "by_label": maps,
            }
        )


@dataclass(frozen=True)
class ModelRecord:
    """What the run knows of a model: whether it was tested, and from what."""

    name: str
    tested: bool
    reason: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    named: bool = False
    """Asked for by its own name, not by `all` or a glob: then its absence is told at length."""

    def as_json(self) -> Json:
        status = "tested" if self.tested else "not tested"
        return {
            "name": self.name,
            "status": status,
            "reason": self.reason,
            "named": self.named,
            **self.card,
        }

    @classmethod
    def from_json(cls, data: Json) -> ModelRecord:
        card = {
            key: value
            for key, value in data.items()
            if key not in ("name", "status", "reason", "named")
        }
        return cls(
            data["name"],
            data["status"] == "tested",
            data["reason"],
            card,
            data.get("named", False),
        )
