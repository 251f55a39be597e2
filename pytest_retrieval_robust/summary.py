"""From test reports to one record of the run: outcomes, curves, verdicts, what failed and what was not tested."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .case import BreakingOutcome, Case, CostMeasurement, Json, ModelRecord, Outcome, Verdict
from .curve import Curve
from .gate import untrained

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from .session import RobustSession


_ABSOLUTE = re.compile(r"(?<![\w.])(?:~|[A-Za-z]:)?[/\\](?:[^,()=/\\]+[/\\])*([^,()=/\\]*)")
"""An absolute path within an argument: results keep its last part alone, for folders tell of users and patients."""


@dataclass(frozen=True)
class Scope:
    """How much of the suite was asked for."""

    partial: str | None
    """Why this is no full run (`-k`, `--lf`, node ids, stopped early), or None."""
    command: str


@dataclass(frozen=True)
class RunRecord:
    """Everything that reports are made of."""

    scope: Scope
    limit: int | None
    gates_sha256: str | None
    outcomes: tuple[Outcome, ...]
    costs: tuple[CostMeasurement, ...]
    curves: tuple[Curve, ...]
    verdicts: tuple[Verdict, ...]
    models: tuple[ModelRecord, ...]
    datasets: tuple[Json, ...]
    warnings: tuple[str, ...]
    broken: tuple[str, ...]
    """One sentence for each way in which tests of ours failed other than by a gate."""
    failures: tuple[str, ...]
    """Why the release gate fails; empty where it passes."""
    results: Path | None = None
    breaking: tuple[BreakingOutcome, ...] = ()

    def verdict_counts(self) -> dict[str, int]:
        counts = dict.fromkeys(("pass", "fail", "inconclusive", "ungated"), 0)
        for verdict in self.verdicts:
            counts[verdict.verdict] += 1
        return counts


def run_scope(session: pytest.Session) -> Scope:
    option = session.config.option
    narrowed = {
        "-k": option.keyword,
        "-m": option.markexpr,
        "--lf": getattr(option, "lf", False),
        "--sw": getattr(option, "stepwise", False),
        "--deselect": getattr(option, "deselect", None),
        "node ids": any("::" in argument for argument in session.config.args),
        "stopped early": session.shouldfail or session.shouldstop,
    }
    reasons = [name for name, given in narrowed.items() if given]
    arguments = " ".join(_ABSOLUTE.sub(r".../\1", str(one)) for one in session.config.invocation_params.args)
    return Scope(", ".join(reasons) or None, f"pytest {arguments}".strip())


@dataclass
class RunCollector:
    """Gathers what test reports carry. The same outcome comes with several tests: it is kept once."""

    saw_any: bool = False
    saw_measuring: bool = False
    _outcomes: dict[Case, Outcome] = field(default_factory=dict)
    _costs: dict[Case, CostMeasurement] = field(default_factory=dict)
    _breaking: dict[Case, BreakingOutcome] = field(default_factory=dict)
    _cards: dict[str, Json] = field(default_factory=dict)
    _not_tested: dict[str, str] = field(default_factory=dict)
    _datasets: dict[str, Json] = field(default_factory=dict)
    _broken: dict[str, list[str]] = field(default_factory=dict)
    """Node ids by what went wrong; under "" those that failed by a gate, whose sentences are shown anyway."""

    def add(self, report: pytest.TestReport) -> None:
        record: Json | None = getattr(report, "robust", None)
        if record is None:
            return
        self.saw_any = True
        self.saw_measuring |= record["measuring"]
        self._add_measured(record)
        if report.failed:
            message = "" if record["gate_objected"] else _first_line(report)
            self._broken.setdefault(message, []).append(report.nodeid)

    def _add_measured(self, record: Json) -> None:
        for data in record["outcomes"]:
            outcome = Outcome.from_json(data)
            self._outcomes[outcome.case] = outcome
        for data in record["costs"]:
            cost = CostMeasurement.from_json(data)
            self._costs[cost.case] = cost
        if record["breaking"] is not None:
            breaking = BreakingOutcome.from_json(record["breaking"])
            self._breaking[breaking.case] = breaking
        if record["card"] is not None:
            truncated = record["truncated_reports"]
            held = self._cards.setdefault(record["model"], {})
            held.update(record["card"])
            held["truncated_reports"] = held.get("truncated_reports") if truncated is None else truncated
        if record["not_tested"] is not None:
            self._not_tested[record["model"]] = record["not_tested"]
        if record["dataset"] is not None:
            self._datasets[record["dataset"]["name"]] = record["dataset"]

    def conclude(self, session: RobustSession, scope: Scope) -> RunRecord:
        """Judge what was gathered. Nothing is measured here."""
        order = {name: number for number, name in enumerate(session.selection.models)}
        outcomes = tuple(sorted(self._outcomes.values(), key=lambda o: (order.get(o.case.model, -1), o.case)))
        costs = tuple(sorted(self._costs.values(), key=lambda c: (order.get(c.case.model, -1), c.case)))
        curves = tuple(curves_of(outcomes))
        searched = tuple(sorted(self._breaking.values(), key=lambda b: (order.get(b.model, -1), b.case)))
        verdicts = (
            *_judge(session, outcomes, costs, curves, scope),
            *(verdict for found in searched for verdict in session.policy.judge_breaking(found)),
        )
        measured = {case.model for case in (*(o.case for o in outcomes), *(c.case for c in costs))}
        measured |= {found.model for found in searched}
        models = tuple(
            self._model_record(name, selected.named, name in measured)
            for name, selected in session.selection.models.items()
        )
        broken = tuple(_broken_sentence(message, tests) for message, tests in self._broken.items() if message)
        missing = [m for m in models if not m.tested and session.selection.models[m.name].named and not scope.partial]
        config_file = session.settings.config_file
        return RunRecord(
            scope=scope,
            limit=session.settings.limit,
            gates_sha256=None if config_file is None else config_file.sha256,
            outcomes=outcomes,
            costs=costs,
            curves=curves,
            verdicts=verdicts,
            models=models,
            datasets=tuple(self._datasets[name] for name in sorted(self._datasets)),
            warnings=tuple(_warnings(session, outcomes, scope)),
            broken=broken,
            failures=tuple(_failures(bool(measured), verdicts, missing, self._broken)),
            breaking=searched,
        )

    def _model_record(self, name: str, named: bool, tested: bool) -> ModelRecord:
        reason = None if tested else self._not_tested.get(name, "no test of it was run or finished")
        return ModelRecord(name, tested, reason, self._cards.get(name, {}), named)


def curves_of(outcomes: Iterable[Outcome]) -> list[Curve]:
    """One curve for each model, data set, occluder and seed whose level 0 was measured."""
    grouped: dict[tuple[str, str, str, int], list[Outcome]] = {}
    for outcome in outcomes:
        case = outcome.case
        grouped.setdefault((case.model, case.dataset, case.occluder, case.seed), []).append(outcome)
    rising = [tuple(sorted(group, key=lambda outcome: outcome.case.level)) for group in grouped.values()]
    return [Curve(group) for group in rising if group[0].case.level == 0]


def _judge(
    session: RobustSession,
    outcomes: Sequence[Outcome],
    costs: Sequence[CostMeasurement],
    curves: Sequence[Curve],
    scope: Scope,
) -> Iterable[Verdict]:
    by_case = {outcome.case: outcome for outcome in outcomes}
    policy = session.policy
    for outcome in outcomes:
        clean = by_case.get(outcome.case.clean())
        if clean is not None:
            yield from policy.judge(outcome, clean)
    for curve in curves:
        if curve.levels == session.settings.levels:
            yield from policy.judge_curve(curve)
    for cost in costs:
        yield from policy.judge_cost(cost)
    if not scope.partial:
        yield from policy.judge_cost_between_models([curve.clean for curve in curves])


def _first_line(report: pytest.TestReport) -> str:
    """The first line of what went wrong."""
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    message = str(report.longrepr) if crash is None else str(crash.message)
    return (message.strip().splitlines() or ["the test failed"])[0].removeprefix("Failed: ")


def _broken_sentence(message: str, tests: Sequence[str]) -> str:
    more = "" if len(tests) == 1 else f" and {len(tests) - 1} more"
    return f"{tests[0]}{more}: {message}"


def _warnings(session: RobustSession, outcomes: Sequence[Outcome], scope: Scope) -> Iterable[str]:
    if scope.partial:
        yield f"This run is partial ({scope.partial}): it is no baseline, and cells that it lacks are not judged."
    if session.settings.limit is not None:
        yield f"Only the first {session.settings.limit} pairs of each data set were used: a smoke run, no baseline."
    for outcome in outcomes:
        if outcome.case.level == 0 and not session.policy.names(outcome.case.model):
            sentence = untrained(outcome)
            if sentence is not None:
                yield sentence
    yield from _visible_differences(outcomes)


def _visible_differences(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """Models that crop see another share of what is hidden: said where two differ by more than 0.02."""
    shares: dict[tuple[str, str, float], dict[str, float]] = {}
    for outcome in outcomes:
        case = outcome.case
        shares.setdefault((case.dataset, case.occluder, case.level), {})[case.model] = outcome.visible_level
    for (dataset, occluder, level), seen in shares.items():
        low, high = min(seen, key=seen.__getitem__), max(seen, key=seen.__getitem__)
        if seen[high] - seen[low] > 0.02:
            yield (
                f"At level {level:g} of {occluder} on {dataset}, {low} sees {seen[low]:.2f} of its input hidden and "
                f"{high} {seen[high]:.2f}: they crop differently."
            )


def _failures(
    measured: bool,
    verdicts: Sequence[Verdict],
    missing: Sequence[ModelRecord],
    broken: Mapping[str, Sequence[str]],
) -> Iterable[str]:
    if not measured:
        yield "nothing was measured"
    if missing:
        yield f"{_listed([model.name for model in missing])} had to be tested and was not"
    judged = [verdict for verdict in verdicts if verdict.verdict != "ungated"]
    for name, what in (("fail", "not met"), ("inconclusive", "inconclusive")):
        count = sum(verdict.verdict == name for verdict in judged)
        if count:
            yield f"{count} of {len(judged)} gates {'was' if count == 1 else 'were'} {what}"
    tests = sum(len(tests) for message, tests in broken.items() if message)
    if tests:
        yield f"{tests} test{'s' if tests > 1 else ''} failed without a measurement or by an assertion of its own"
    if broken.get("") and not any(verdict.verdict in ("fail", "inconclusive") for verdict in judged):
        yield f"{len(broken[''])} gate tests failed"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def write_results(run: RunRecord, session: RobustSession) -> RunRecord:
    """Write the run where `--robust-results` says; a folder that cannot be written is said, and nothing is lost."""
    folder = session.settings.results
    if folder is None:
        return run
    from .reports.saved_run import save_run

    try:
        save_run(run, session.store, folder)
    except OSError as error:
        sentence = (
            f"Expected to write the results to --robust-results, got: {error}. Choose a folder that can be written."
        )
        return replace(run, warnings=(*run.warnings, sentence), failures=(*run.failures, "its results were not saved"))
    return replace(run, results=folder)
