"""What is evaluated: cases, what is done to the images, and the plan of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Direction: TypeAlias = Literal["image-to-report", "report-to-image"]
DIRECTIONS: tuple[Direction, Direction] = ("image-to-report", "report-to-image")
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
