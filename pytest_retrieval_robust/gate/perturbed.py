"""The perturbations of a run: which of them were measured whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from ..core.cases import Family, Plan, PlannedPerturbation
from ..core.catalogue import is_glob
from ..core.outcomes import Outcome
from ..retrieval.curve import Curve

if TYPE_CHECKING:
    from .measurements import Measurements

Perturbed: TypeAlias = Mapping[PlannedPerturbation, Sequence[Curve]]
"""One curve per seed of each perturbation of one model on one data set."""


@dataclass(frozen=True)
class PerturbationSet:
    """Perturbations of one family, by a name or glob."""

    family: Family = "corruption"
    pattern: str = "*"

    def __str__(self) -> str:
        if self.pattern == "*":
            return _ALL[self.family]
        return f"{_ONES[self.family]} {self.pattern}"

    def planned(self, plan: Plan) -> list[PlannedPerturbation]:
        """Its perturbations in a plan, each once; none where the plan has no level above 0."""
        if len(plan.levels_of(self.family)) < 2:
            return []
        return [each for each in dict.fromkeys(plan.perturbations) if self.has(each)]

    def has(self, perturbation: PlannedPerturbation) -> bool:
        """Whether a perturbation belongs to it."""
        if perturbation.family != self.family:
            return False
        if is_glob(self.pattern):
            return fnmatchcase(perturbation.name, self.pattern)
        return perturbation.name == self.pattern


ALL_CORRUPTIONS = PerturbationSet()

_ONES: dict[Family, str] = {
    "occlusion": "occluder",
    "corruption": "corruption",
    "text-noise": "text noise",
}
_ALL: dict[Family, str] = {
    "occlusion": "all occluders",
    "corruption": "all corruptions",
    "text-noise": "all text noise",
}


def whole_perturbations(measured: Measurements) -> dict[tuple[str, str], Perturbed]:
    """Those whose every planned level and seed was measured, by (model, data set).

    They stand in the order of the plan. One without a level above 0 is left out.
    """
    plan = measured.plan
    curves: dict[tuple[str, str], dict[PlannedPerturbation, list[Curve]]] = {}
    for curve in measured.curves:
        case = curve.clean.case
        perturbation = PlannedPerturbation(case.family, case.occluder)
        is_whole = curve.levels == plan.levels_of(case.family)
        if is_whole and len(curve.levels) > 1:
            of_subject = curves.setdefault((case.model, case.dataset), {})
            of_subject.setdefault(perturbation, []).append(curve)
    whole: dict[tuple[str, str], Perturbed] = {}
    for subject, of_subject in curves.items():
        whole[subject] = {
            perturbation: of_subject[perturbation]
            for perturbation in plan.perturbations
            if len(of_subject.get(perturbation, ())) == len(plan.seeds)
        }
    return whole


def hidden_outcomes(curves: Sequence[Curve]) -> list[Outcome]:
    """Those above level 0, of all seeds."""
    return [outcome for curve in curves for outcome in curve.outcomes[1:]]
