"""From what was measured to one record of the run: verdicts, intervals, what was not judged, and whether it passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby, product
from pathlib import Path

from .case import DIRECTIONS, Case, Direction, Json, ModelRecord, Verdict, VerdictName
from .comparison import CellDifference, Comparison, Run
from .curve import Curve
from .evidence import Evidence, Floats, statistic, tail
from .gate import Judge, untrained, weak_gates
from .layouts import LayoutVariation, layout_variation
from .measurements import INTERRUPTED, Measurements
from .policy import PlannedGate, Policy, baseline_gates, is_of_cells

_VISIBLY = 0.02


@dataclass(frozen=True)
class Interval:
    """A two-sided 95 % interval; inf above where a half level may lie beyond what was measured."""

    low: float
    high: float


@dataclass(frozen=True)
class CurveIntervals:
    """The intervals of a curve at one k, from resampled patients."""

    retention: Mapping[float, Interval]
    auc: Interval
    half_level: Interval
    slope: Interval


CurveKey = tuple[Case, Direction, int]
"""The clean case of a curve, a direction and a k."""


@dataclass(frozen=True, repr=False)
class BaselineRecord:
    """The run that this one was compared with."""

    id: str
    started: str
    version: str
    obstacles: tuple[str, ...]
    """Why the two cannot be compared."""
    vanished: tuple[str, ...]
    """What the baseline has and this run, although whole, lacks."""
    cells: tuple[CellDifference, ...]


@dataclass(frozen=True, repr=False)
class RunRecord(Measurements):
    """Everything that reports are made of."""

    gates_sha256: str | None
    policy: tuple[Json, ...]
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    """Why the release gate fails; empty where it passes."""
    intervals: Mapping[CurveKey, CurveIntervals]
    layouts: tuple[LayoutVariation, ...]
    baseline: BaselineRecord | None
    replayed: bool = False
    results: Path | None = None
    reports: tuple[Path, ...] = ()

    @cached_property
    def cell_verdicts(self) -> Mapping[Case, set[VerdictName]]:
        """What the gates on single cells say of each case; curves and costs have verdicts of their own."""
        found: dict[Case, set[VerdictName]] = {}
        for verdict in self.verdicts:
            beside = is_of_cells(verdict.gate) and verdict.verdict != "ungated"
            if beside or verdict.gate.startswith(("recall@", "retention@", "above_chance")):
                found.setdefault(verdict.case, set()).add(verdict.verdict)
        return found

    def verdict_counts(self) -> dict[VerdictName, int]:
        """Verdicts by their name."""
        counted = Counter(verdict.verdict for verdict in self.verdicts)
        names: tuple[VerdictName, ...] = ("pass", "fail", "inconclusive", "ungated")
        return {name: counted[name] for name in names}


@dataclass(frozen=True, repr=False)
class Against:
    """What `--robust-baseline` named: a run, or why there is none."""

    run: Run | None = None
    problem: str | None = None


def judge_run(
    run: Run, policy: Policy, against: Against, *, gate_failures: int = 0, replayed: bool = False
) -> RunRecord:
    """Judge a run that has been measured, now or at another time. Nothing is measured here.

    `gate_failures` counts tests that failed by a gate: they are explained by verdicts, or counted where they are not.
    """
    measured = run.measured
    comparison = None if against.run is None else Comparison(run, against.run)
    planned = policy.planned(measured.plan)
    judge = Judge(policy, run.evidence, comparison, baseline_gates(planned).__getitem__)
    verdicts = tuple(_verdicts(judge, measured))
    unjudged = [] if measured.scope.partial else list(_unjudged(planned, verdicts, measured))
    baseline = None if comparison is None else _baseline_record(comparison)
    missing = [m for m in measured.models if not m.tested and m.named and not measured.scope.partial]
    return RunRecord(
        **{field.name: getattr(measured, field.name) for field in fields(Measurements)},
        gates_sha256=policy.sha256,
        policy=policy.tables,
        verdicts=verdicts,
        warnings=tuple(dict.fromkeys(_warnings(measured, policy, planned, verdicts, unjudged, against, baseline))),
        failures=tuple(_failures(measured, verdicts, missing, unjudged, against, baseline, gate_failures)),
        intervals=dict(_intervals(measured.curves, run.evidence)),
        layouts=tuple(layout_variation(measured.curves, run.evidence)),
        baseline=baseline,
        replayed=replayed,
    )


def _verdicts(judge: Judge, measured: Measurements) -> Iterator[Verdict]:
    by_case, whole = measured.by_case, measured.plan.levels
    for outcome in measured.outcomes:
        clean = by_case.get(outcome.case.clean())
        if clean is not None:
            yield from judge.cell(outcome, clean)
    curves = [curve for curve in measured.curves if curve.levels == whole]
    for curve in curves:
        yield from judge.curve(curve)
    for _, group in groupby(sorted(curves, key=_without_seed), key=_without_seed):
        seeds = sorted(group, key=lambda curve: curve.clean.case.seed)
        if tuple(curve.clean.case.seed for curve in seeds) == measured.plan.seeds:
            yield from judge.baseline(seeds)
    for cost in measured.costs:
        yield from judge.cost(cost)
    for found in measured.breaking:
        yield from judge.breaking(found)


def _without_seed(curve: Curve) -> tuple[str, str, str]:
    case = curve.clean.case
    return case.model, case.dataset, case.occluder


def _unjudged(
    planned: Sequence[PlannedGate], verdicts: Sequence[Verdict], measured: Measurements
) -> Iterator[PlannedGate]:
    """Gates of tested models that no verdict speaks of: a test was skipped, failed, or is not in the suite."""
    judged = {(verdict.case, verdict.gate) for verdict in verdicts}
    untrained_cases = {(v.case.model, v.case.dataset) for v in verdicts if v.gate == "above_chance"}
    for gate in planned:
        told = (gate.case, gate.label) in judged or (gate.case.model, gate.case.dataset) in untrained_cases
        if gate.case.model in measured.measured_models and not told:
            yield gate


def _baseline_record(comparison: Comparison) -> BaselineRecord:
    identity = comparison.baseline.measured.identity
    cells = () if comparison.obstacles else tuple(comparison.cells())
    return BaselineRecord(
        identity.id, identity.started, identity.version, comparison.obstacles, comparison.vanished, cells
    )


def _intervals(curves: Iterable[Curve], evidence: Evidence) -> Iterator[tuple[CurveKey, CurveIntervals]]:
    for curve, direction in product(curves, DIRECTIONS):
        ks = sorted(curve.clean.scores(direction).recall)
        samples = evidence.samples(curve.outcomes, direction, ks) if len(curve.outcomes) > 1 else None
        if samples is None:
            continue
        for place, k in enumerate(ks):
            yield (curve.clean.case, direction, k), _curve_intervals(curve.levels, samples[:, :, place])


def _curve_intervals(levels: Sequence[float], samples: Floats) -> CurveIntervals:
    samples = samples.copy()  # of one k among several: their numbers lie apart

    def interval(values: Floats) -> Interval:
        return Interval(tail(values, 0.025), -tail(-values, 0.025))

    retention = {
        level: interval(statistic("retention", levels[: place + 1], samples[:, : place + 1]))
        for place, level in enumerate(levels)
        if place > 0
    }
    auc, half, slope = (interval(statistic(name, levels, samples)) for name in ("auc", "half_level", "slope"))
    return CurveIntervals(retention, auc, half, slope)


def _warnings(
    measured: Measurements,
    policy: Policy,
    planned: Sequence[PlannedGate],
    verdicts: Sequence[Verdict],
    unjudged: Sequence[PlannedGate],
    against: Against,
    baseline: BaselineRecord | None,
) -> Iterator[str]:
    yield from measured.notes
    if measured.scope.partial:
        why = measured.scope.partial
        yield f"This run is partial ({why}): it is no baseline, and cells that it lacks are not judged."
    if measured.limit is not None:
        yield f"Only the first {measured.limit} pairs of each data set were used: a smoke run, no baseline."
    left_out = policy.unmeasured_levels(measured.plan)
    if left_out:
        levels = ", ".join(f"{level:g}" for level in left_out)
        yield f"Gates at level {levels} were not judged: --robust-levels leaves these levels out."
    idle = policy.idle(planned, measured.plan)
    if idle:
        tables = f"{idle} of {len(policy.rules)} gate tables name{'s' if idle == 1 else ''}"
        yield f"{tables} models, data sets or occluders that are not in this run."
    if unjudged:
        more = "" if len(unjudged) == 1 else f", and {len(unjudged) - 1} more gates"
        yield (
            f"No test of this run measured what the policy gates: {unjudged[0]}{more}. Run the whole suite "
            "(`python -m pytest_retrieval_robust init` copies one) at the levels of --robust-levels, or take the gate "
            "away."
        )
    if against.problem is not None:
        yield against.problem
    elif policy.asks_for_baseline() and baseline is None:
        yield (
            "Baseline gates were skipped: no baseline given. Save one with --robust-results DIR, and compare with "
            "--robust-baseline DIR."
        )
    if baseline is not None:
        yield from (*baseline.obstacles, *baseline.vanished)
    if against.run is not None and against.run.measured.broken_tests:
        count = against.run.measured.broken_tests
        yield f"Expected a baseline whose tests all passed, got {count} that failed. Save one of a good model."
    if measured.limit is None:
        yield from weak_gates(verdicts)
    for outcome in measured.outcomes:
        first_cell = outcome.case.level == 0 and outcome.case.seed == measured.plan.seeds[0]
        sentence = untrained(outcome) if first_cell and not policy.names(outcome.case.model) else None
        if sentence is not None:
            yield sentence
    yield from _visible_differences(measured)


def _visible_differences(measured: Measurements) -> Iterator[str]:
    """Models that crop see another share of what is hidden: said where two differ by more than 0.02."""
    shares: dict[tuple[str, str, float], dict[str, float]] = {}
    for outcome in measured.outcomes:
        case = outcome.case
        shares.setdefault((case.dataset, case.occluder, case.level), {})[case.model] = outcome.visible_level
    for (dataset, occluder, level), seen in shares.items():
        low, high = min(seen, key=seen.__getitem__), max(seen, key=seen.__getitem__)
        if seen[high] - seen[low] > _VISIBLY:
            yield (
                f"At level {level:g} of {occluder} on {dataset}, {low} sees {seen[low]:.2f} of its input hidden and "
                f"{high} {seen[high]:.2f}: they crop differently."
            )


def _failures(
    measured: Measurements,
    verdicts: Sequence[Verdict],
    missing: Sequence[ModelRecord],
    unjudged: Sequence[PlannedGate],
    against: Against,
    baseline: BaselineRecord | None,
    gate_failures: int,
) -> Iterator[str]:
    if not measured.measured_models:
        yield "nothing was measured"
    if measured.scope.partial is not None and INTERRUPTED in measured.scope.partial:
        yield "the run was interrupted"
    if missing:
        yield f"{', '.join(model.name for model in missing)} had to be tested and was not"
    judged = [verdict for verdict in verdicts if verdict.verdict != "ungated"]
    for name, what in (("fail", "not met"), ("inconclusive", "inconclusive")):
        count = sum(verdict.verdict == name and verdict.objects for verdict in judged)
        if count:
            yield f"{count} of {len(judged)} gates {'was' if count == 1 else 'were'} {what}"
    if unjudged:
        yield f"{len(unjudged)} gate{'s were' if len(unjudged) > 1 else ' was'} not judged"
    if against.problem is not None:
        yield "there is no baseline to compare with"
    if baseline is not None and baseline.obstacles:
        yield "the baseline cannot be compared with"
    if baseline is not None and baseline.vanished:
        yield "cells of the baseline are missing"
    if measured.broken_tests:
        tests, own = ("tests", "their") if measured.broken_tests > 1 else ("test", "its")
        yield f"{measured.broken_tests} {tests} failed without a measurement or by an assertion of {own} own"
    if gate_failures and not any(verdict.objects for verdict in judged):
        yield f"{gate_failures} gate tests failed"
