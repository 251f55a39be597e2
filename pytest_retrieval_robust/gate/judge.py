"""Holds what was measured against the policy: which limits speak of it, and what each
says.

Pure functions of outcomes and ranks: nothing is measured here, so a saved run can be
judged again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from ..core.cases import DIRECTIONS, Case, Direction, Plan
from ..core.costs import CostMeasurement
from ..core.counterfactual_outcomes import CounterfactualOutcome
from ..core.drift import DriftOutcome
from ..core.outcomes import Outcome
from ..core.roles import Role
from ..core.searches import BreakingOutcome
from ..core.verdict import GateKey, GateKind, Verdict
from ..retrieval.curve import Curve
from .attempts import AttemptNumbers, as_spent, decision_on
from .baseline import BaselineLimit, PairedNumbers
from .chance import untrained
from .corruption_error import ErrorNumbers, set_case
from .cost import CostLimit
from .curve_numbers import CurveNumbers
from .decision import Decision
from .difference import NotComparable
from .few_patients import FewPatients, unless_patients_are_too_few
from .floors import Floor
from .group_limit import GroupLimit, GroupNumbers
from .limits import Limit
from .metric_floor import MetricFloor
from .perturbed import Perturbed
from .policy import Policy
from .unaltered import unless_nothing_was_changed

if TYPE_CHECKING:
    from .comparison import Comparison
    from .evidence import Evidence
    from .grouping import RunGroups


_RetrievalLimit: TypeAlias = Floor | MetricFloor | GroupLimit | BaselineLimit


@dataclass(frozen=True, repr=False)
class Judge:
    """A policy, and what it needs to know beside the numbers themselves."""

    policy: Policy
    evidence: Evidence | None = None
    """The run's ranks: without them only recall has bounds."""
    comparison: Comparison | NotComparable | None = None
    """The baseline beside the run; None without one."""
    gates_of: Callable[[str], int] = lambda _: 1
    """How many gates beside a saved run the policy plans for a model."""
    groups: RunGroups | None = None
    """The groups of the run's queries: without them no gate on groups is judged."""
    reference: Comparison | NotComparable | None = None
    """The reference beside the run; None without one."""
    attempts: AttemptNumbers | None = None
    """Which attempt this is; None where nobody counts them."""

    def cell(self, outcome: Outcome, clean: Outcome) -> list[Verdict]:
        """What the gates on recall, retention, metrics and single cells beside a saved run say;
        one `ungated` verdict where there are none.
        """
        case = outcome.case
        # What retrieves nothing has nothing to judge. A model that no gate names is only
        # warned of: the policy may be about others.
        if self.policy.names(case.model):
            sentence = untrained(clean)
            if sentence is not None:
                gate = GateKey(GateKind.ABOVE_CHANCE)
                return [Verdict(case, gate, "fail", None, None, sentence)]
        # A cell is judged as the curve from level 0 to its own level.
        curve = Curve((clean, outcome)) if case.level > 0 else Curve((outcome,))
        verdicts = [
            self._judged(limit, [curve], direction)
            for direction, limit in self._retrieval_limits(case)
            if limit.key.is_of_a_cell and limit.applies_at(case)
        ]
        if verdicts:
            return verdicts
        sentence = f"No gate applies to {case}."
        return [Verdict(case, GateKey(GateKind.NONE), "ungated", None, None, sentence)]

    def curve(self, curve: Curve) -> list[Verdict]:
        """What the gates on area under the curve, half level and slope say."""
        # The gates on its cells have already said that such a model is at chance.
        if self.policy.names(curve.clean.case.model) and untrained(curve.clean):
            return []
        return [
            self._judged(limit, [curve], direction)
            for direction, limit in self._retrieval_limits(curve.outcomes[-1].case)
            if limit.key.kind.is_of_a_curve
        ]

    def baseline(self, curves: Sequence[Curve]) -> list[Verdict]:
        """What the gates beside the baseline and the reference over all levels say of
        one model, data set and occluder: one curve per seed.
        """
        if not curves:
            return []
        return [
            self._judged(limit, curves, direction)
            for direction, limit in self._retrieval_limits(curves[0].outcomes[-1].case)
            if limit.key.is_pooled
        ]

    def errors(self, perturbed: Perturbed, plan: Plan) -> list[Verdict]:
        """What the gates on corruption errors say of one model and data set, of every set
        whose planned perturbations were all measured.
        """
        verdicts = []
        for of in self.policy.perturbation_sets:
            planned = of.planned(plan)
            if not planned or not all(each in perturbed for each in planned):
                continue
            chosen = {each: perturbed[each] for each in planned}
            clean = chosen[planned[0]][0].clean
            # The gates on its cells have already said that such a model is at chance.
            if self.policy.names(clean.case.model) and untrained(clean):
                continue
            case = set_case(clean.case.model, clean.case.dataset, of)
            outcomes = [
                outcome
                for curves in chosen.values()
                for curve in curves
                for outcome in curve.outcomes
            ]
            for direction in DIRECTIONS:
                numbers = ErrorNumbers(chosen, direction, self.comparison)
                for limit in self.policy.error_limits(case, direction):
                    decision = self._decision(case, direction, limit)
                    verdict = as_spent(limit.judge(numbers, decision), decision)
                    few = self._few_patients(clean, direction)
                    verdict = unless_patients_are_too_few(verdict, few)
                    verdicts.append(
                        unless_nothing_was_changed(verdict, outcomes, decision)
                    )
        return verdicts

    def cost(self, cost: CostMeasurement) -> list[Verdict]:
        """What the gates on the cost of occluding, throughput, latency and memory say."""
        return [
            limit.judge(cost, self._decision(cost.case, DIRECTIONS[0], limit))
            for limit in self.policy.limits_for(cost.case, DIRECTIONS[0])
            if isinstance(limit, CostLimit) and limit.applies_at(cost.case)
        ]

    def breaking(self, breaking: BreakingOutcome) -> list[Verdict]:
        """What the gate on the smallest breaking occlusion says."""
        limit = self.policy.breaking_limit(breaking.model, breaking.dataset)
        if limit is None:
            return []
        decision = self._decision(breaking.case, DIRECTIONS[0], limit)
        return [limit.judge(breaking, decision)]

    def drift(self, drift: DriftOutcome) -> list[Verdict]:
        """What the gate on the drift from a fingerprint says."""
        limit = self.policy.drift_limit(drift.model)
        return [] if limit is None else [limit.judge(drift)]

    def counterfactual(self, outcome: CounterfactualOutcome) -> list[Verdict]:
        """What the gates on win shares and on recall among edits say of one cell."""
        return [
            limit.judge(outcome, self._decision(outcome.case, DIRECTIONS[0], limit))
            for limit in self.policy.edit_limits(outcome.case)
            if limit.applies_at(outcome.case)
        ]

    def _retrieval_limits(
        self, case: Case
    ) -> Iterator[tuple[Direction, _RetrievalLimit]]:
        """The limits of a case that judge recall, a number made of it, or a metric."""
        for direction in DIRECTIONS:
            for limit in self.policy.limits_for(case, direction):
                if isinstance(limit, _RetrievalLimit):
                    yield direction, limit

    def _judged(
        self,
        limit: _RetrievalLimit,
        curves: Sequence[Curve],
        direction: Direction,
    ) -> Verdict:
        case = curves[0].outcomes[-1].case
        decision = self._decision(case, direction, limit)
        if isinstance(limit, Floor | MetricFloor):
            numbers = CurveNumbers(curves[0], direction, self.evidence)
            verdict = limit.judge(numbers, decision)
        elif isinstance(limit, GroupLimit):
            cell = CurveNumbers(curves[0], direction, self.evidence)
            verdict = limit.judge(GroupNumbers(cell, self.groups), decision)
        else:
            gates = self.gates_of(case.model)
            is_of_reference = limit.role is Role.REFERENCE
            beside = self.reference if is_of_reference else self.comparison
            paired = PairedNumbers(curves, direction, beside, gates)
            verdict = as_spent(limit.judge(paired, decision), decision)
        few = self._few_patients(curves[0].clean, direction)
        verdict = unless_patients_are_too_few(verdict, few)
        judged = [outcome for curve in curves for outcome in curve.outcomes]
        return unless_nothing_was_changed(verdict, judged, decision)

    def _few_patients(
        self, outcome: Outcome, direction: Direction
    ) -> FewPatients | None:
        """The patients of a run's queries, if they are too few for bounds."""
        evidence = self.evidence
        for beside in (self.comparison, self.reference):
            if beside is not None and not isinstance(beside, NotComparable):
                evidence = evidence or beside.candidate.evidence
        if evidence is None:
            return None
        queries = outcome.scores(direction).queries
        clusters = evidence.clusters(outcome.case.dataset, direction, queries)
        sizes = clusters.patient_sizes
        return FewPatients.among(sizes.count, sizes.degrees_of_freedom)

    def _decision(self, case: Case, direction: Direction, limit: Limit) -> Decision:
        decision = decision_on(limit, self.policy, case, direction)
        role = limit.key.kind.compared_with
        if role is None or self.attempts is None:
            return decision
        return replace(decision, attempt=self.attempts.get(role))
