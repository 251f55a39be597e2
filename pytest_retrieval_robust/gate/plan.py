"""The gates that a run is to be judged by, before any of its tests is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from ..core.cases import Case, Direction, Plan
from ..core.roles import Role
from ..core.verdict import GateKey


@dataclass(frozen=True)
class PlannedGate:
    """One gate at one case."""

    case: Case
    direction: Direction
    gate: GateKey

    def __str__(self) -> str:
        if self.gate.kind.is_without_data:
            return f"{self.gate} of {self.case.model}"
        if self.gate.is_over_levels:
            return f"{self.gate} of {self.case.model} on {self.case.dataset}"
        return f"{self.gate} of {self.case}"

    @property
    def compared_with(self) -> Role | None:
        return self.gate.kind.compared_with


def paired_gates(gates: Iterable[PlannedGate]) -> Counter[str]:
    """How many planned gates compare each model with the baseline or the reference: what
    a false block is shared out among.
    """
    return Counter(gate.case.model for gate in gates if gate.gate.kind.is_paired)


def cells_of(plan: Plan, model: str, dataset: str) -> Iterator[Case]:
    """Every cell of a model and data set, in the order in which gates are planned."""
    for perturbation in plan.perturbations:
        family = perturbation.family
        for seed, level in product(plan.seeds, plan.levels_of(family)):
            yield Case(model, dataset, perturbation.name, level, seed, family)
