"""A policy gate by gate on a run's data: what each sees, and how many queries it needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...core.cases import Case, Direction
from ...core.verdict import GateKind, Verdict
from ...retrieval.curve import Curve
from ..baseline import BaselineLimit
from ..comparison import Comparison
from ..curve_statistics import Statistic
from ..decision import Decision
from ..difference import Errors, NotComparable
from ..evidence import hits_of
from ..floors import Floor
from ..pairing import Run
from ..plan import PlannedGate, paired_gates
from ..policy import Policy
from .observed import ObservedHits, ObservedPairs
from .planned import GatePower
from .rows import PlannedRow, Subject, Today, planned_row

_STATISTICS = {
    GateKind.RETENTION: Statistic.RETENTION,
    GateKind.AUC: Statistic.AUC,
    GateKind.HALF_LEVEL: Statistic.HALF_LEVEL,
    GateKind.SLOPE: Statistic.SLOPE,
}
_ZERO_IS_A_LIMIT = (GateKind.SLOPE, GateKind.BASELINE, GateKind.REFERENCE)
_OVER_GROUPS = (GateKind.WORST_GROUP, GateKind.GROUP_GAP)


@dataclass(frozen=True)
class NotPlanned:
    """Why a gate has no power, as a sentence."""

    reason: str


@dataclass(frozen=True, repr=False)
class ObservedRun:
    """A run, and the baseline beside it: what is known of a model like the one measured."""

    run: Run
    comparison: Comparison | None
    """None without a baseline."""
    correlation: float
    """Of the hits of model and baseline (phi), assumed where there is none."""

    def hits(
        self, curves: Sequence[Curve], direction: Direction, k: int
    ) -> ObservedHits | NotPlanned:
        """The hits at every level of the curves, in the mean over the seeds."""
        seeds = []
        evidence = self.run.evidence
        for curve in curves:
            ranks = []
            for outcome in curve.outcomes:
                of_outcome = evidence.ranks(outcome, direction)
                if of_outcome is None:
                    return NotPlanned(f"The run has no ranks of {outcome.case}.")
                ranks.append(of_outcome)
            seeds.append(hits_of(ranks, [k]))
        hits = np.mean(seeds, axis=0)
        dataset = curves[0].clean.case.dataset
        return ObservedHits(hits, evidence.clusters(dataset, direction, len(hits)))

    def pairs(
        self, curves: Sequence[Curve], direction: Direction, k: int
    ) -> ObservedPairs | NotPlanned:
        """The hits of model and baseline."""
        if self.comparison is not None:
            paired = self.comparison.hits_of_curves(curves, direction, k)
            if isinstance(paired, NotComparable):
                return NotPlanned(f"Not compared, because {paired.reason}.")
            return ObservedPairs.of_runs(paired)
        hits = self.hits(curves, direction, k)
        if isinstance(hits, NotPlanned):
            return hits
        return ObservedPairs.assumed(hits, self.correlation)

    @cached_property
    def curves_by_clean(self) -> Mapping[Case, Curve]:
        """By the clean case: one per seed."""
        return {curve.clean.case: curve for curve in self.run.measured.curves}

    def curve_to(self, case: Case) -> Curve | NotPlanned:
        """The curve from level 0 to a cell."""
        by_case = self.run.measured.by_case
        clean = by_case.get(case.clean())
        outcome = by_case.get(case)
        if clean is None or outcome is None:
            return NotPlanned(f"The run has no {case}.")
        return Curve((clean, outcome)) if case.level > 0 else Curve((outcome,))

    def curves_of(self, case: Case) -> Sequence[Curve] | NotPlanned:
        """The curves of a case's perturbation, one per seed of the plan."""
        curves = []
        plan = self.run.measured.plan
        for seed in plan.seeds:
            curve = self.curves_by_clean.get(replace(case, level=0.0, seed=seed))
            if curve is None or curve.levels != plan.levels_of(case.family):
                return NotPlanned(f"The run lacks levels of {case}.")
            curves.append(curve)
        return curves

    def power_of(
        self,
        limit: Floor | BaselineLimit,
        planned: PlannedGate,
        decision: Decision,
        gates: int,
    ) -> tuple[GatePower, int] | NotPlanned:
        """The power of a gate at its case, and how many queries the run has there."""
        if isinstance(limit, Floor):
            return self._power_of_floor(limit, planned, decision)
        errors = Errors(1 - decision.confidence, max(1, gates))
        return self._power_beside_baseline(limit, planned, errors)

    def _power_of_floor(
        self, limit: Floor, planned: PlannedGate, decision: Decision
    ) -> tuple[GatePower, int] | NotPlanned:
        case = planned.case
        curve: Curve | NotPlanned = self.curve_to(case)
        if limit.kind.is_of_a_curve:
            whole = self.curves_by_clean.get(case.clean())
            curve = whole or NotPlanned(f"The run has no curve of {case}.")
        if isinstance(curve, NotPlanned):
            return curve
        if limit.kind is not GateKind.RECALL and len(curve.levels) < 2:
            return NotPlanned("It takes two levels or more.")
        hits = self.hits([curve], planned.direction, limit.k)
        if isinstance(hits, NotPlanned):
            return hits
        if limit.kind is GateKind.RECALL:
            return hits.recall_floor(limit.minimum, decision), hits.queries
        number = _STATISTICS[limit.kind]
        power = hits.curve_floor(number, curve.levels, limit.minimum, decision)
        return power, hits.queries

    def _power_beside_baseline(
        self, limit: BaselineLimit, planned: PlannedGate, errors: Errors
    ) -> tuple[GatePower, int] | NotPlanned:
        curves: Sequence[Curve] | NotPlanned
        if limit.over == "cells":
            curve = self.curve_to(planned.case)
            curves = curve if isinstance(curve, NotPlanned) else [curve]
        else:
            curves = self.curves_of(planned.case)
        if isinstance(curves, NotPlanned):
            return curves
        if limit.metric != "recall" and len(curves[0].levels) < 2:
            return NotPlanned("It takes two levels or more.")
        pairs = self.pairs(curves, planned.direction, limit.k)
        if isinstance(pairs, NotPlanned):
            return pairs
        queries = pairs.baseline.queries
        if limit.over == "cells" and limit.metric == "recall":
            return pairs.cell(limit.margin, errors), queries
        levels = curves[0].levels
        return pairs.pooled(limit.metric, levels, limit.margin, errors), queries


def policy_rows(
    policy: Policy,
    observed: ObservedRun,
    verdicts: Sequence[Verdict],
    power: float,
    *,
    with_curves: bool = False,
) -> Iterator[PlannedRow]:
    """One row per gate that the policy plans for the run, in its order.

    `verdicts` are those of the run: they say what gates see that are not about hits.
    """
    plan = observed.run.measured.plan
    all_planned = policy.planned(plan)
    gates_of = paired_gates(all_planned)
    judged = {(verdict.case, verdict.gate): verdict for verdict in verdicts}
    for planned in all_planned:
        gate = str(planned.gate)
        name = _subject_of(planned)
        limit = _limit_of(policy, planned)
        if limit is None:
            verdict = judged.get((planned.case, planned.gate))
            yield _row_of_verdict(gate, name, verdict)
            continue
        decision = policy.decision(planned.case, planned.direction, limit.key)
        gates = gates_of[planned.case.model]
        known = observed.power_of(limit, planned, decision, gates)
        bound = limit.minimum if isinstance(limit, Floor) else limit.margin
        if not isinstance(known, NotPlanned) and not math.isfinite(known[0].value):
            known = NotPlanned(
                "Recall is not halved by the last level. Measure higher levels."
            )
        if bound == 0 and planned.gate.kind not in _ZERO_IS_A_LIMIT:
            known = NotPlanned("A floor of 0 takes the gate away.")
        if isinstance(known, NotPlanned):
            yield PlannedRow(gate, name, None, bound, reason=known.reason)
            continue
        subject = Subject(gate, name, known[0].value, bound)
        yield planned_row(subject, known[0], power, known[1], with_curve=with_curves)


def _limit_of(policy: Policy, planned: PlannedGate) -> Floor | BaselineLimit | None:
    """The limit of a planned gate, where its power is known."""
    for limit in policy.limits_for(planned.case, planned.direction):
        if not isinstance(limit, Floor | BaselineLimit):
            continue
        if limit.gate(planned.direction) == planned.gate:
            return limit
    return None


def _subject_of(planned: PlannedGate) -> str:
    case = planned.case
    if planned.gate.is_over_levels:
        return f"{case.model} on {case.dataset}, {case.occluder}"
    return str(case)


def _row_of_verdict(gate: str, name: str, verdict: Verdict | None) -> PlannedRow:
    """What a gate that is not about hits says of itself."""
    reason = "Its power is not planned: it is not about the hits of queries."
    if verdict is not None and verdict.gate.kind in _OVER_GROUPS:
        reason = (
            "Its power is not planned from a run: --groups plans groups that are alike,"
            " beside --min or --margin."
        )
    if verdict is None or verdict.detectable_loss is None:
        return PlannedRow(gate, name, reason=reason)
    today = Today(None, None, None, verdict.detectable_loss)
    return PlannedRow(
        gate, name, verdict.observed, verdict.limit, today=today, reason=reason
    )
