"""What is evaluated: cases, cells, and the plan of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

from .codec import NOT_EMPTY, Count, Positive, Share, Written
from .codec import Json as Json

Direction: TypeAlias = Literal["image-to-report", "report-to-image"]
DIRECTIONS: tuple[Direction, Direction] = ("image-to-report", "report-to-image")
Family: TypeAlias = Literal["occlusion", "corruption", "text-noise"]
"""What kind of thing is done: hiding part of an image, changing how it was acquired, or
changing how its report is written.
"""
FAMILIES: tuple[Family, ...] = ("occlusion", "corruption", "text-noise")
BREAKING = "breaking"
"""The occluder's name in the case of a search for the smallest breaking occlusion."""
DRIFT = "drift"
"""The occluder's name in the case of a comparison with a fingerprint, which has no data."""


def canonical_level(level: float) -> float:
    """`level` to six decimals, so that 0.1 + 0.2 and 0.3 are the same occlusion level."""
    return round(float(level), 6)


def level_word(family: Family) -> str:
    """What a level is called in a family: `level` of an occlusion, else `severity`."""
    return "level" if family == "occlusion" else "severity"


def levels_word(family: Family) -> str:
    """What the levels of a family are called: `levels` of an occlusion, else `severities`."""
    return "levels" if family == "occlusion" else "severities"


def clean_words(family: Family) -> str:
    """What sentences call level 0 of a family: nothing is done to images or reports."""
    if family == "occlusion":
        return "with nothing hidden"
    if family == "corruption":
        return "with nothing corrupted"
    return "with reports as they are"


@dataclass(frozen=True, order=True)
class Case(Written):
    """A model on a data set, under a perturbation at a level with a seed."""

    model: str
    dataset: str
    occluder: str
    """The perturbation's name with its parameters: that of an occluder, of a corruption or
    of a text noise, as `family` says.
    """
    level: Share
    """The share of the image area to hide, or the severity, in [0, 1]."""
    seed: Count
    family: Family = "occlusion"

    def __post_init__(self) -> None:
        # 0.1 + 0.2 and 0.3 are one cell, wherever the level comes from.
        object.__setattr__(self, "level", canonical_level(self.level))

    def clean(self) -> Case:
        """The same case with nothing done to images or reports."""
        return replace(self, level=0.0)

    @property
    def cell(self) -> Cell:
        """What is done in this case. Level 0 is one cell for all (`CLEAN`)."""
        if self.level == 0:
            return CLEAN
        return Cell(self.occluder, self.level, self.seed, self.family)

    def __str__(self) -> str:
        # A comparison with a fingerprint is of the model alone.
        if self.occluder == DRIFT:
            return self.model
        word = level_word(self.family)
        return (
            f"{self.model} on {self.dataset}, {self.occluder} at {word} {self.level:g},"
            f" seed {self.seed}"
        )


@dataclass(frozen=True)
class Cell:
    """What is done to images or reports: a perturbation at a level with a seed.

    Level 0 is the same cell for all perturbations and seeds (`CLEAN`).
    """

    occluder: str
    level: float
    seed: int
    family: Family = "occlusion"


CLEAN = Cell("none", 0.0, 0)


@dataclass(frozen=True)
class PlannedPerturbation:
    """An occluder, a corruption or a text noise of a plan, by its name."""

    family: Family
    name: str


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
    corruptions: tuple[str, ...] = ()
    text_noise: tuple[str, ...] = ()
    severities: tuple[Share, ...] = ()
    """Rising, from 0: the levels of corruptions and text noise."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(map(canonical_level, self.levels)))
        rising = tuple(map(canonical_level, self.severities))
        object.__setattr__(self, "severities", rising)

    @property
    def perturbations(self) -> tuple[PlannedPerturbation, ...]:
        """Everything that is done, family by family, in the order in which it was named."""
        return tuple(
            PlannedPerturbation(family, name)
            for family in FAMILIES
            for name in self.names_of(family)
        )

    def names_of(self, family: Family) -> tuple[str, ...]:
        """The names of a family's perturbations, in the order in which they were named."""
        if family == "occlusion":
            return self.occluders
        return self.corruptions if family == "corruption" else self.text_noise

    def levels_of(self, family: Family) -> tuple[float, ...]:
        """The levels at which a family is measured, rising, from 0."""
        return self.levels if family == "occlusion" else self.severities
