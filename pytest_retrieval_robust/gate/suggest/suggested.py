"""A limit that is suggested, and where in a policy it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...core.cases import DIRECTIONS, Case, Direction, Family, level_word
from ...core.verdict import GateKey, Verdict
from ..limits import BaselineLimit, CounterfactualFloor, DistractorFloor, Floor
from ..toml_selectors import FAMILY_KEYS

SuggestedLimit = Floor | BaselineLimit | CounterfactualFloor | DistractorFloor


@dataclass(frozen=True)
class Place:
    """The selectors of a `[[gate]]` table."""

    model: str
    dataset: str
    family: Family | None = None
    """None: the table names no perturbation."""
    perturbation: str | None = None
    level: float | None = None
    """A level or severity; None is over all of them, or of clean images with edits."""
    direction: Direction | None = None

    @classmethod
    def of_cell(cls, case: Case, direction: Direction | None) -> Place:
        """That of one cell. Level 0 is one cell for all perturbations of a family."""
        if case.level > 0:
            name = case.occluder
            return cls(
                case.model, case.dataset, case.family, name, case.level, direction
            )
        # A table that names no perturbation is about occlusions.
        if case.family == "occlusion":
            return cls(case.model, case.dataset, None, None, 0.0, direction)
        return cls(case.model, case.dataset, case.family, "*", 0.0, direction)

    @classmethod
    def over_levels(cls, case: Case, direction: Direction) -> Place:
        """That of a number over all levels of one perturbation."""
        return cls(
            case.model,
            case.dataset,
            case.family,
            case.occluder,
            direction=direction,
        )

    @property
    def selectors(self) -> Iterator[tuple[str, str | float]]:
        """(key, value) as a table has them."""
        yield "model", self.model
        yield "dataset", self.dataset
        if self.family is not None and self.perturbation is not None:
            [key] = [key for key, named in FAMILY_KEYS.items() if named == self.family]
            yield key, self.perturbation
        if self.level is not None:
            yield level_word(self.family or "occlusion"), self.level
        if self.direction is not None:
            yield "direction", self.direction


@dataclass(frozen=True)
class Suggested:
    """A limit, and what it was made of."""

    place: Place
    limit: SuggestedLimit
    observed: float
    """What the run measured: the least of several seeds; of a margin the mean recall."""
    interval: tuple[float, float]
    """95 %, of that number."""
    queries: int
    patients: int
    """As many as queries, if patients are not known."""
    seeds: int = 1
    detectable_loss: float | None = None
    """The loss from what was observed at which the gate fails with a probability of 0.8."""
    weak: bool = False
    """Whether half of it could be lost unnoticed."""

    @property
    def gate(self) -> GateKey:
        """The gate that its verdicts name."""
        return self.limit.gate(self.place.direction or DIRECTIONS[0])

    @property
    def key(self) -> tuple[Place, GateKey]:
        """What tells it from all others."""
        return self.place, self.gate

    def judged(self, verdicts: list[Verdict]) -> Suggested:
        """The same with what its gates say of themselves, whatever the seed."""
        losses = [verdict.detectable_loss for verdict in verdicts]
        known = [loss for loss in losses if loss is not None]
        return replace(
            self,
            detectable_loss=max(known, default=None),
            weak=any(verdict.weak for verdict in verdicts),
        )


def key_of(verdict: Verdict) -> tuple[Place, GateKey]:
    """The key of the suggested limit that a verdict speaks of."""
    case = verdict.case
    gate = verdict.gate
    direction = gate.direction
    if gate.kind.is_of_edits:
        if case.level == 0:
            return Place(case.model, case.dataset), gate
        return Place.of_cell(case, None), gate
    if gate.is_over_levels and direction is not None:
        return Place.over_levels(case, direction), gate
    return Place.of_cell(case, direction), gate
