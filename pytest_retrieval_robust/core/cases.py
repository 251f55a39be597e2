"""What is evaluated: cases, cells, and the plan of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from .codec import NOT_EMPTY, Count, Positive, Share, Written
from .codec import Json as Json

Direction: TypeAlias = Literal["image-to-report", "report-to-image"]
DIRECTIONS: tuple[Direction, Direction] = ("image-to-report", "report-to-image")
BREAKING = "breaking"
"""The occluder's name in the case of a search for the smallest breaking occlusion."""


def canonical_level(level: float) -> float:
    """`level` to six decimals, so that 0.1 + 0.2 and 0.3 are the same occlusion level."""
    return round(float(level), 6)


@dataclass(frozen=True, order=True)
class Case(Written):
    """A model on a data set, under an occluder at a level with a mask seed."""

    model: str
    dataset: str
    occluder: str
    level: Share
    seed: Count

    def __post_init__(self) -> None:
        # 0.1 + 0.2 and 0.3 are one cell, wherever the level comes from.
        object.__setattr__(self, "level", canonical_level(self.level))

    def clean(self) -> Case:
        """The same case with nothing hidden."""
        return Case(self.model, self.dataset, self.occluder, 0.0, self.seed)

    def __str__(self) -> str:
        return (
            f"{self.model} on {self.dataset}, {self.occluder} at level {self.level:g},"
            f" seed {self.seed}"
        )


@dataclass(frozen=True)
class Cell:
    """What is done to the images: an occluder at a level with a mask seed.

    Level 0 is the same cell for all occluders and seeds (`CLEAN`).
    """

    occluder: str
    level: float
    seed: int


CLEAN = Cell("none", 0.0, 0)


@dataclass(frozen=True)
class Plan(Written):
    """What a run was asked to measure: every combination of these.

    `-k` and the like may leave some out.
    """

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    occluders: tuple[str, ...]
    levels: tuple[Share, ...]
    """Rising, from 0."""
    seeds: Annotated[tuple[Count, ...], NOT_EMPTY]
    ks: tuple[Positive, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(map(canonical_level, self.levels)))
