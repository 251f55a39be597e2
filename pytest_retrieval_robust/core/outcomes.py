"""What was measured of one case, and what a run knows of its models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from .cases import DIRECTIONS, Case, Direction
from .codec import AtLeastOne, ByK, Count, Json, Share, Written
from .words import known_word, measured_k

_PRECISION = Meta(extra_json_schema={"enum": ["fp32", "bf16", "fp16"]})


@dataclass(frozen=True)
class Answers(Written):
    """What the first answers of the queries say, beside their ranks."""

    queries: Count
    """Whose answers were looked at: all, or some at even steps."""
    aurc: Share
    """Area under the risk-coverage curve: the mean share of wrong first answers among the
    most confident queries, over every number of them. Confidence is the score of the
    first answer.
    """
    excess_aurc: Share
    """How far that lies above the least that any confidence could reach."""
    overlap: Mapping[int, Share] = field(default_factory=dict)
    """The mean share of the first k answers that are the same with nothing done; empty at
    level 0.
    """
    overlap_interval: Mapping[int, tuple[Share, Share]] = field(default_factory=dict)
    """Two-sided, 95 % or more."""


@dataclass(frozen=True)
class Scores(Written):
    """Retrieval in one direction.

    Recalls, chances and intervals are shares in [0, 1]; ranks count from 1.
    """

    queries: Count
    gallery: Count
    chance: ByK[Share]
    recall: ByK[Share]
    recall_interval: ByK[tuple[Share, Share]]
    median_rank: AtLeastOne
    mrr: Share
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The metrics that were asked for, by name with parameters: `hit-rate(k=3)`."""
    answers: Answers | None = None
    """None in runs of earlier versions, and where the answers could not be listed."""


@dataclass(frozen=True)
class Timing(Written):
    """What the sweep's forward passes took.

    Seconds are sums over the images; prepare and decode are not in them.
    """

    images_per_second: float | None
    """None where nothing was encoded, since all embeddings came from the store."""
    encode_seconds: float
    occlude_seconds: float
    device: str
    precision: Annotated[str, _PRECISION]
    from_store: Count = 0
    """Images whose embeddings came from the store: they are in no time here."""
    hardware: str = ""
    """The accelerator that `device` is, such as `NVIDIA H100 80GB HBM3`; empty for a CPU."""
    encoded_on: dict[str, Count] = field(default_factory=dict)
    """How many images were encoded on which hardware, in this run or before. A
    processor is named with its threads.
    """


@dataclass(frozen=True, repr=False)
class Outcome(Written):
    """A measured case, both directions."""

    case: Case
    achieved_level: Share
    visible_level: Share
    image_to_report: Scores
    report_to_image: Scores
    timing: Timing
    ranks_key: str | None = None
    """Where the run's temporary store holds the ranks of this case."""
    altered: Share | None = None
    """The share of the images that a corruption changed, or of the reports that a text
    noise changed. None of occlusions, with nothing done, and in runs of earlier versions.
    """

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
        if known_word("direction", direction, DIRECTIONS) == "image-to-report":
            return self.image_to_report
        return self.report_to_image

    def recall(self, k: int, direction: Direction = "image-to-report") -> float:
        """Recall@k in one direction, a share in [0, 1]; `NotMeasuredError` for a k that
        was not measured.
        """
        recalls = self.scores(direction).recall
        return recalls[measured_k(k, recalls)]


def finite(value: float) -> float | None:
    """The value, or None where it is not finite: JSON has no infinity."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class ModelRecord:
    """What the run knows of a model: whether it was tested, and from what.

    Its plain data have the facts of its card beside its name, so it is not `Written`.
    """

    name: str
    tested: bool
    reason: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    named: bool = False
    """Asked for by its own name, not by `all` or a glob: its absence is explained at length."""

    def as_json(self) -> Json:
        """Its fields and the facts of its card, by name."""
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
        """The record that `as_json` was called on."""
        own = ("name", "status", "reason", "named")
        card = {key: value for key, value in data.items() if key not in own}
        return cls(
            name=data["name"],
            tested=data["status"] == "tested",
            reason=data["reason"],
            card=card,
            named=data.get("named", False),
        )
