"""What was measured of one case, and what a run knows of its models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .cases import DIRECTIONS, Case, Direction, Json
from .words import known_word, measured_k


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


def finite(value: float) -> float | None:
    """The value, or None where it is not finite: JSON has no infinity."""
    return value if math.isfinite(value) else None


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
