"""A plan for a model like the one that a run measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ...core.cases import DIRECTIONS, Case, Direction
from ...core.errors import ConfigError
from ...core.verdict import GateKind
from ...core.words import counted, known_word, measured_k
from ...gate.baseline import BaselineLimit
from ...gate.difference import NotComparable
from ...gate.floors import Floor
from ...gate.pairing import Run
from ...gate.plan import PlannedGate
from ...gate.policy import Policy
from ...gate.power.of_policy import NotPlanned, ObservedRun, policy_rows
from ...gate.power.rows import GatePlan, PlannedRow, Subject, planned_row
from ...gate.record import Against, judge_run
from ...retrieval.curve import Curve
from .wanted import Wanted, check_groups


@dataclass(frozen=True)
class Chosen:
    """Which of a run's numbers are planned for."""

    k: int | None
    """None: the largest of at most 10, else the smallest."""
    direction: Direction
    model: str | None
    """None: every model."""


def observed_run(run: Run, baseline: Run | None, correlation: float) -> ObservedRun:
    """The run, beside its baseline if there is one.

    Raises:
        ConfigError: The two cannot be compared.
    """
    if baseline is None:
        return ObservedRun(run, None, correlation)
    from ...gate.comparison import compare

    comparison = compare(run, baseline)
    if isinstance(comparison, NotComparable):
        raise ConfigError(
            f"Expected a baseline that the run can be compared with: {comparison.reason}"
        )
    return ObservedRun(run, comparison, correlation)


def run_plan(
    wanted: Wanted, observed: ObservedRun, chosen: Chosen, power: float
) -> GatePlan:
    """The plan of the wanted gates, for each model, data set and perturbation."""
    known_word("direction", chosen.direction, DIRECTIONS)
    k = _chosen_k(chosen, observed)
    rows: list[PlannedRow] = []
    curves = [
        curve
        for curve in observed.run.measured.curves
        if chosen.model in (None, curve.clean.case.model)
    ]
    if not curves:
        models = ", ".join(sorted(observed.run.measured.measured_models)) or "none"
        raise ConfigError(
            f"Expected a model whose recall was measured ({models}), got"
            f" --model={chosen.model!r}. Name one of these, or leave --model out."
        )
    for _, group in groupby(sorted(curves, key=_without_seed), key=_without_seed):
        planner = _Planner(wanted, observed, k, chosen.direction, power)
        rows += planner.rows(next(iter(group)))
    sentences = (*sources(observed), *wanted.sentences())
    return GatePlan(power, sentences, tuple(rows))


def policy_plan(
    policy: Policy,
    observed: ObservedRun,
    baseline: Run | None,
    power: float,
    *,
    with_curves: bool,
) -> GatePlan:
    """Every gate of a policy on the data of the run."""
    record = judge_run(observed.run, policy, Against(baseline))
    rows = policy_rows(
        policy, observed, record.verdicts, power, with_curves=with_curves
    )
    return GatePlan(power, tuple(sources(observed)), tuple(rows))


def sources(observed: ObservedRun) -> Iterator[str]:
    """What a plan takes from the run, and what it assumes beside it."""
    measured = observed.run.measured
    yield (
        f"Recalls, patients' sizes and design effects are those of run"
        f" {measured.identity.id}, started {measured.identity.started}. A larger test"
        " set is taken to have patients like these."
    )
    if measured.limit is not None:
        yield f"That run is limited to the first {counted(measured.limit, 'pair')}."
    if observed.comparison is not None:
        other = observed.comparison.baseline.measured.identity
        yield (
            f"Differences are those from run {other.id}, started {other.started}. The"
            " model to pass is exactly as good as that baseline, and differs from it"
            " in as many queries."
        )
    else:
        yield (
            "No --baseline was given, so for gates beside one the hits of the model and"
            f" its baseline are taken to correlate with {observed.correlation:g}"
            " (--correlation), and differences to be as alike over patients and levels"
            " as hits are."
        )


def _chosen_k(chosen: Chosen, observed: ObservedRun) -> int:
    ks = observed.run.measured.plan.ks
    if chosen.k is not None:
        return measured_k(chosen.k, ks)
    return max((k for k in ks if k <= 10), default=min(ks))


def _without_seed(curve: Curve) -> tuple[str, str, str, str]:
    case = curve.clean.case
    return case.model, case.dataset, case.family, case.occluder


@dataclass(frozen=True, repr=False)
class _Planner:
    """The wanted gates, as limits of a policy would state them."""

    wanted: Wanted
    observed: ObservedRun
    k: int
    direction: Direction
    power: float

    def rows(self, curve: Curve) -> Iterator[PlannedRow]:
        """Of the perturbation of a curve."""
        wanted = self.wanted
        last = curve.outcomes[-1].case
        cells = [outcome.case for outcome in curve.outcomes]
        if wanted.margin is not None:
            pooled = BaselineLimit(self.k, wanted.margin)
            yield from self._rows(pooled, [last])
            single = BaselineLimit(self.k, wanted.margin, "cells")
            yield from self._rows(single, cells)
        if wanted.minimum is not None:
            recall = Floor(GateKind.RECALL, self.k, wanted.minimum)
            yield from self._rows(recall, cells)
        if wanted.retention is not None:
            kept = Floor(GateKind.RETENTION, self.k, wanted.retention)
            yield from self._rows(kept, [last])

    def _rows(
        self, limit: Floor | BaselineLimit, cases: Sequence[Case]
    ) -> Iterator[PlannedRow]:
        """The row of the case that needs the most queries, and that of its groups."""
        rows = [self._row(limit, case, self.wanted.gates) for case in cases]
        hardest = max(range(len(rows)), key=lambda place: _hardness(rows[place]))
        yield rows[hardest]
        if self.wanted.groups:
            gates = self.wanted.gates * len(self.wanted.groups)
            yield self._row(limit, cases[hardest], gates, of_groups=True)

    def _row(
        self,
        limit: Floor | BaselineLimit,
        case: Case,
        gates: int,
        *,
        of_groups: bool = False,
    ) -> PlannedRow:
        planned = PlannedGate(case, self.direction, limit.gate(self.direction))
        bound = limit.minimum if isinstance(limit, Floor) else limit.margin
        name = str(case)
        if planned.gate.is_over_levels:
            name = f"{case.model} on {case.dataset}, {case.occluder}"
        known = self.observed.power_of(limit, planned, self.wanted.decision, gates)
        if isinstance(known, NotPlanned):
            return PlannedRow(str(planned.gate), name, limit=bound, reason=known.reason)
        gate, queries = known
        check_groups(self.wanted.groups, queries)
        subject = Subject(str(planned.gate), name, gate.value, bound)
        if not of_groups:
            return planned_row(subject, gate, self.power, queries)
        named = f"{name}, {self.wanted.groups_in_words}"
        every = self.wanted.every_group(gate)
        return planned_row(
            Subject(subject.gate, named, gate.value, bound), every, self.power, queries
        )


def _hardness(row: PlannedRow) -> float:
    """What no number of queries does is hardest; what is not known is left out."""
    if row.queries is not None:
        return row.queries
    return float("inf") if row.value is not None else -1.0
