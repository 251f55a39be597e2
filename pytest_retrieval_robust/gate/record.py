"""From what was measured to one record of the run: verdicts, intervals, what was not
judged, and whether it passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby, product
from pathlib import Path

from ..core.cases import DIRECTIONS, Case, Direction, Json
from ..core.outcomes import Outcome
from ..core.verdict import Verdict, VerdictName
from ..retrieval.curve import Curve
from .comparison import CellDifference, Comparison, Run
from .evidence import Evidence, Floats, statistic, tail
from .judge import ABOVE_CHANCE, Judge, untrained, weak_gates
from .measurements import INTERRUPTED, Measurements
from .policy import ABSOLUTE, BASELINE, PlannedGate, Policy, baseline_gates, is_of_cells
from .release import Release, Status, counted
from .seed_spread import LayoutVariation, layout_variation

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
    """Why the release gate fails. Where this is empty it need not have passed: see `release`."""
    intervals: Mapping[CurveKey, CurveIntervals]
    layouts: tuple[LayoutVariation, ...]
    baseline: BaselineRecord | None
    replayed: bool = False
    results: Path | None = None
    reports: tuple[Path, ...] = ()
    measure_only: bool = False
    """`--robust-measure-only`: no gate was judged."""
    not_judged: str | None = None
    """Why no gate counts as met, and what to do about it; None where one does."""

    @property
    def release(self) -> Release:
        """The decision: what the last line, every report and the exit status say."""
        if self.failures:
            return Release(Status.FAILED, self.failures)
        if self.measure_only:
            measured = len(self.outcomes) + len(self.costs) + len(self.breaking)
            return Release(
                Status.MEASURED_ONLY,
                (*self._narrowed(), counted(measured, "measurement")),
            )
        if self.not_judged is not None:
            return Release(Status.NOT_JUDGED, (self.not_judged,))
        return Release(Status.PASSED, (*self._narrowed(), ", ".join(self._counts())))

    def _narrowed(self) -> Iterator[str]:
        """What keeps this from being the whole suite on the whole of the data."""
        if self.scope.partial is not None:
            yield f"partial: {self.scope.partial}"
        if self.limit is not None:
            yield f"smoke run: the first {counted(self.limit, 'pair')}"

    def _counts(self) -> Iterator[str]:
        ungated = [
            verdict.gate for verdict in self.verdicts if verdict.verdict == "ungated"
        ]
        cells = ungated.count("none")
        uncompared = sum(gate.startswith(BASELINE) for gate in ungated)
        elsewhere = sum(gate in ABSOLUTE for gate in ungated)
        taken_away = len(ungated) - cells - uncompared - elsewhere
        tolerated = sum(verdict.tolerated for verdict in self.verdicts)
        absent = sum(not model.tested for model in self.models)
        yield counted(self.verdict_counts()["pass"], "gate met", "gates met")
        for count, one, many in (
            (
                tolerated,
                "gate inconclusive, which the policy allows",
                "gates inconclusive, which the policy allows",
            ),
            (cells, "cell ungated", "cells ungated"),
            (uncompared, "gate without a baseline", "gates without a baseline"),
            (elsewhere, "gate for other hardware", "gates for other hardware"),
            (
                taken_away,
                "gate taken away by a limit of 0",
                "gates taken away by a limit of 0",
            ),
            (absent, "model not tested", "models not tested"),
        ):
            if count:
                yield counted(count, one, many)

    @cached_property
    def cell_verdicts(self) -> Mapping[Case, set[VerdictName]]:
        """What the gates on single cells say of each case; curves and costs have
        verdicts of their own.
        """
        found: dict[Case, set[VerdictName]] = {}
        for verdict in self.verdicts:
            beside = is_of_cells(verdict.gate) and verdict.verdict != "ungated"
            if beside or verdict.gate.startswith(
                ("recall@", "retention@", "above_chance")
            ):
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


@dataclass(frozen=True)
class Ending:
    """How a run ended, apart from what it measured: what its tests and pytest itself say."""

    failures: tuple[str, ...] = ()
    """What stands against the release whatever the gates say: a worker that died, a
    test elsewhere that failed.
    """
    gate_failures: int = 0
    """Tests that failed by a gate: they are explained by verdicts, or counted where
    they are not.
    """
    passed_tests: int = 0
    """Tests of ours that passed, whether they measured anything or not."""
    replayed: bool = False
    measure_only: bool = False
    own_models: frozenset[str] = frozenset()
    """Models of the tables of `robust.toml`: what gates them is to be judged, whether
    they are here or not.
    """
    must_be_tested: frozenset[str] = frozenset()
    """Models that must have been measured, beside those whose record says that they
    were asked for by name.
    """


def judge_run(
    run: Run, policy: Policy, against: Against, ending: Ending | None = None
) -> RunRecord:
    """Judge a run that has been measured, now or at another time. Nothing is measured here."""
    ending = ending or Ending()
    if ending.measure_only:
        policy = Policy()
    measured = run.measured
    comparison = None if against.run is None else Comparison(run, against.run)
    planned = policy.planned(measured.plan)
    judge = Judge(policy, run.evidence, comparison, baseline_gates(planned).__getitem__)
    verdicts = () if ending.measure_only else tuple(_verdicts(judge, measured))
    unjudged = list(_unjudged(policy, planned, verdicts, measured, ending))
    baseline = None if comparison is None else _baseline_record(comparison)
    warnings = _warnings(
        measured, policy, planned, verdicts, unjudged, against, baseline
    )
    return RunRecord(
        **{field.name: getattr(measured, field.name) for field in fields(Measurements)},
        gates_sha256=policy.sha256,
        policy=policy.tables,
        verdicts=verdicts,
        warnings=tuple(dict.fromkeys(warnings)),
        failures=tuple(
            _failures(measured, verdicts, unjudged, against, baseline, ending)
        ),
        intervals=dict(_intervals(measured.curves, run.evidence)),
        layouts=tuple(layout_variation(measured.curves, run.evidence)),
        baseline=baseline,
        replayed=ending.replayed,
        measure_only=ending.measure_only,
        not_judged=_not_judged(measured, policy, planned, verdicts),
    )


def _of_gates(judge: Judge, measured: Measurements) -> Iterator[Verdict]:
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


def _verdicts(judge: Judge, measured: Measurements) -> list[Verdict]:
    """What each gate says; and where a gate judged a model whose clean recall is not
    known, that it is not known.
    """
    verdicts = list(_of_gates(judge, measured))
    judged = {
        (v.case.model, v.case.dataset): v.case.clean()
        for v in verdicts
        if v.verdict != "ungated"
    }
    known = _clean_outcomes(measured)
    for (model, dataset), case in judged.items():
        if (model, dataset) not in known:
            sentence = (
                f"{model} on {dataset} has gates, and no test measured its recall with"
                " nothing hidden: it may be at chance. Run a test that takes"
                " clean_outcome or robustness_curve beside it, as test_recall.py does."
            )
            verdicts.append(
                Verdict(case, ABOVE_CHANCE, "inconclusive", None, None, sentence)
            )
    return verdicts


def _clean_outcomes(measured: Measurements) -> dict[tuple[str, str], Outcome]:
    """The outcome with nothing hidden of each model on each data set: one of several
    that are the same.
    """
    return {
        (one.case.model, one.case.dataset): one
        for one in measured.outcomes
        if one.case.level == 0
    }


def _without_seed(curve: Curve) -> tuple[str, str, str]:
    case = curve.clean.case
    return case.model, case.dataset, case.occluder


def _unjudged(
    policy: Policy,
    planned: Sequence[PlannedGate],
    verdicts: Sequence[Verdict],
    measured: Measurements,
    ending: Ending,
) -> Iterator[PlannedGate]:
    """Gates that no verdict speaks of, although the run covers them: a test was
    skipped, failed, or is not there.

    A partial run covers what it left of the suite. A model that only `all` or a glob
    brought in, and that is not here, is covered where a gate names it.
    """
    if measured.scope.partial:
        return
    judged = {(verdict.case, verdict.gate) for verdict in verdicts}
    at_chance = {
        (v.case.model, v.case.dataset)
        for v in verdicts
        if v.gate == ABOVE_CHANCE and v.verdict == "fail"
    }
    named = {model.name for model in measured.models if model.named}
    covered = (
        measured.measured_models | ending.own_models | ending.must_be_tested | named
    )
    for gate in planned:
        model = gate.case.model
        told = (gate.case, gate.label) in judged or (
            model,
            gate.case.dataset,
        ) in at_chance
        if not told and (model in covered or policy.names_exactly(model)):
            yield gate


def _not_judged(
    measured: Measurements,
    policy: Policy,
    planned: Sequence[PlannedGate],
    verdicts: Sequence[Verdict],
) -> str | None:
    """Why no gate counts as met, and what to do; None where one does.

    What a model at chance meets, such as a ceiling on its cost, does not count.
    """
    clean = _clean_outcomes(measured)
    retrieving = {key for key, outcome in clean.items() if untrained(outcome) is None}
    if any(
        v.verdict == "pass" and (v.case.model, v.case.dataset) in retrieving
        for v in verdicts
    ):
        return None
    tables = sum(bool(rule.limits) for rule in policy.rules)
    if not measured.measured_models:
        return (
            "nothing was measured: no test of this run that was run takes outcome,"
            " robustness_curve or another fixture that measures; run the whole suite,"
            " or explore with --robust-measure-only"
        )
    if not tables:
        return (
            "there is no gate: write [[gate]] tables into a robust.toml beside the"
            " tests, name one with --robust-config, or explore with"
            " --robust-measure-only"
        )
    if not planned:
        return (
            f"no gate applies: {counted(tables, 'gate table')} of robust.toml, and none"
            " for these models, data sets, occluders and levels; compare the names, or"
            " explore with --robust-measure-only"
        )
    judged = [verdict for verdict in verdicts if verdict.verdict != "ungated"]
    if any(verdict.verdict == "pass" for verdict in judged):
        return (
            "no model that meets a gate retrieves better than chance with nothing"
            " hidden; gate its recall too"
        )
    if judged:
        return (
            "every gate that was judged is inconclusive; measure more queries, or"
            " decide by point"
        )
    if measured.scope.partial:
        return (
            f"{measured.scope.partial} left out every test that has a gate; run the"
            " whole suite"
        )
    if all(gate.name.startswith(BASELINE) for gate in planned):
        return (
            "every gate compares with a baseline, and none was given; add"
            " --robust-baseline DIR"
        )
    return (
        "every gate was left out: for want of a baseline, for other hardware, or by a"
        " limit of 0; see the notes"
    )


def _baseline_record(comparison: Comparison) -> BaselineRecord:
    identity = comparison.baseline.measured.identity
    cells = () if comparison.obstacles else tuple(comparison.cells())
    return BaselineRecord(
        identity.id,
        identity.started,
        identity.version,
        comparison.obstacles,
        comparison.vanished,
        cells,
    )


def _intervals(
    curves: Iterable[Curve], evidence: Evidence
) -> Iterator[tuple[CurveKey, CurveIntervals]]:
    for curve, direction in product(curves, DIRECTIONS):
        ks = sorted(curve.clean.scores(direction).recall)
        samples = (
            evidence.samples(curve.outcomes, direction, ks)
            if len(curve.outcomes) > 1
            else None
        )
        if samples is None:
            continue
        for place, k in enumerate(ks):
            yield (
                (curve.clean.case, direction, k),
                _curve_intervals(curve.levels, samples[:, :, place]),
            )


def _curve_intervals(levels: Sequence[float], samples: Floats) -> CurveIntervals:
    samples = samples.copy()  # of one k among several: their numbers lie apart

    def interval(values: Floats) -> Interval:
        return Interval(tail(values, 0.025), -tail(-values, 0.025))

    retention = {
        level: interval(
            statistic("retention", levels[: place + 1], samples[:, : place + 1])
        )
        for place, level in enumerate(levels)
        if place > 0
    }
    auc, half, slope = (
        interval(statistic(name, levels, samples))
        for name in ("auc", "half_level", "slope")
    )
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
        yield (
            f"This run is partial ({why}): it is no baseline, and cells that it lacks"
            " are not judged."
        )
    if measured.limit is not None:
        yield (
            f"Only the first {measured.limit} pairs of each data set were used: a smoke"
            " run, no baseline."
        )
    left_out = policy.unmeasured_levels(measured.plan)
    if left_out:
        levels = ", ".join(f"{level:g}" for level in left_out)
        yield (
            f"Gates at level {levels} were not judged: --robust-levels leaves these"
            " levels out."
        )
    idle = policy.idle(planned, measured.plan)
    if idle:
        tables = (
            f"{idle} of {len(policy.rules)} gate tables name{'s' if idle == 1 else ''}"
        )
        yield f"{tables} models, data sets or occluders that are not in this run."
    if unjudged:
        more = (
            ""
            if len(unjudged) == 1
            else f", and {counted(len(unjudged) - 1, 'more gate')}"
        )
        yield (
            f"No test of this run measured what the policy gates: {unjudged[0]}{more}."
            " Run the whole suite (`python -m pytest_retrieval_robust init` copies"
            " one) at the levels of --robust-levels, take the gate away, or explore"
            " with --robust-measure-only."
        )
    if against.problem is not None:
        yield against.problem
    elif policy.asks_for_baseline() and baseline is None:
        yield (
            "Baseline gates were skipped: no baseline given. Save one with"
            " --robust-results DIR, and compare with --robust-baseline DIR."
        )
    if baseline is not None:
        yield from (*baseline.obstacles, *baseline.vanished)
    if against.run is not None and against.run.measured.broken_tests:
        count = against.run.measured.broken_tests
        yield (
            f"Expected a baseline whose tests all passed, got {count} that failed. Save"
            " one of a good model."
        )
    if measured.limit is None:
        yield from weak_gates(verdicts)
    for outcome in measured.outcomes:
        first_cell = (
            outcome.case.level == 0 and outcome.case.seed == measured.plan.seeds[0]
        )
        sentence = (
            untrained(outcome)
            if first_cell and not policy.names(outcome.case.model)
            else None
        )
        if sentence is not None:
            yield sentence
    yield from _visible_differences(measured)


def _visible_differences(measured: Measurements) -> Iterator[str]:
    """Models that crop see another share of what is hidden: said where two differ by
    more than 0.02.
    """
    shares: dict[tuple[str, str, float], dict[str, float]] = {}
    for outcome in measured.outcomes:
        case = outcome.case
        shares.setdefault((case.dataset, case.occluder, case.level), {})[case.model] = (
            outcome.visible_level
        )
    for (dataset, occluder, level), seen in shares.items():
        low, high = min(seen, key=seen.__getitem__), max(seen, key=seen.__getitem__)
        if seen[high] - seen[low] > _VISIBLY:
            yield (
                f"At level {level:g} of {occluder} on {dataset}, {low} sees"
                f" {seen[low]:.2f} of its input hidden and {high} {seen[high]:.2f}:"
                " they crop differently."
            )


def _failures(
    measured: Measurements,
    verdicts: Sequence[Verdict],
    unjudged: Sequence[PlannedGate],
    against: Against,
    baseline: BaselineRecord | None,
    ending: Ending,
) -> Iterator[str]:
    yield from ending.failures
    # Tests that passed and measured nothing, such as properties alone, prove nothing
    # wrong: such a run is not judged.
    if measured.measured_models or not ending.passed_tests:
        yield from _missing(measured, ending)
        if unjudged:
            yield (
                f"{len(unjudged)} gate{'s were' if len(unjudged) > 1 else ' was'} not"
                " judged"
            )
    if measured.scope.partial is not None and INTERRUPTED in measured.scope.partial:
        yield "the run was interrupted"
    judged = [verdict for verdict in verdicts if verdict.verdict != "ungated"]
    for name, what in (("fail", "not met"), ("inconclusive", "inconclusive")):
        count = sum(verdict.verdict == name and verdict.objects for verdict in judged)
        if count:
            yield (
                f"{count} of {counted(len(judged), 'gate')}"
                f" {'was' if count == 1 else 'were'} {what}"
            )
    if not ending.measure_only:
        yield from _of_baseline(against, baseline)
    if measured.broken_tests:
        yield (
            f"{counted(measured.broken_tests, 'test')} failed for another reason than a"
            " gate"
        )
    if ending.gate_failures and not any(verdict.objects for verdict in judged):
        yield f"{counted(ending.gate_failures, 'gate test')} failed"


def _missing(measured: Measurements, ending: Ending) -> Iterator[str]:
    """What had to be measured and was not, whatever was left out of the suite."""
    if not measured.measured_models:
        yield "nothing was measured"
    named = [
        model.name for model in measured.models if model.named and not model.tested
    ]
    tested = {model.name for model in measured.models if model.tested}
    missing = dict.fromkeys([*named, *sorted(ending.must_be_tested - tested)])
    if missing:
        yield (
            f"{', '.join(missing)} had to be tested and"
            f" {'was' if len(missing) == 1 else 'were'} not"
        )


def _of_baseline(against: Against, baseline: BaselineRecord | None) -> Iterator[str]:
    if against.problem is not None:
        yield "there is no baseline to compare with"
    if baseline is not None and baseline.obstacles:
        yield "the baseline cannot be compared with"
    if baseline is not None and baseline.vanished:
        yield "cells of the baseline are missing"
