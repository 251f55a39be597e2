"""From test reports to what a run measured, and from there to its record: verdicts,
failures, what was not tested.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..core.atomic_files import whole_file
from ..core.cases import Case, Json
from ..core.costs import CostMeasurement
from ..core.errors import RobustError
from ..core.files import require_regular
from ..core.foreign import FOREIGN, described, let_go
from ..core.outcomes import ModelRecord, Outcome
from ..core.searches import BreakingOutcome
from ..gate.comparison import Run
from ..gate.evidence import Evidence
from ..gate.measurements import INTERRUPTED, Measurements, Scope
from ..gate.record import Against, Ending, RunRecord, judge_run
from ..gate.release import counted
from ..reports.github import error_commands, write_step_summary
from .selection import must_be_tested

if TYPE_CHECKING:
    from ..core.config_file import TrackingTable
    from ..core.sample_sheets import SampleSheet
    from ..reports import ReportEntry
    from .roster import Ended, Roster
    from .session import RobustSession


_START = r"(?:~[\w.-]*|[A-Za-z]:|\.\.)?[/\\]"
_INSIDE = r"(?!,\s*[\w.-]+[=:]|,[^,()/\\]*(?:[,)]|$)|\)\s*(?:,|$))"
_ABSOLUTE = re.compile(
    rf"(?<![\w.]){_START}(?:(?:{_INSIDE}.)*[/\\])?((?:{_INSIDE}[^/\\])*)"
)
"""A path to elsewhere within a list or call: results keep its last part alone, for
folders tell of users and patients. Their names may hold commas and brackets: it ends
where a name, a locator or a parameter follows, or the call ends.
"""
_OPTION = re.compile(r"(--[\w-]+=|-[A-Za-z](?=[^-=]))?(.*)", re.DOTALL)
_TEARDOWN = "its teardown failed (pytest's output says more)"
_CRASHED = (
    "a worker of pytest-xdist died in it (pytest's output says which one). The model's"
    " other tests were then left out: run it alone, without -n, to see why"
)


def run_scope(
    session: pytest.Session, roster: Roster | None, finished: set[str], ended: Ended
) -> Scope:
    """How much of the suite was run, by what was collected and what finished; `roster`
    is None where that is unknown.

    An option that left nothing out does not make a run partial.
    """
    option = session.config.option
    dropped = set() if roster is None else roster.dropped(finished)
    unfinished = set() if roster is None else roster.unfinished(finished)
    narrowing = {
        "-k": option.keyword,
        "-m": option.markexpr,
        "--sw": getattr(option, "stepwise", False),
        "--deselect": getattr(option, "deselect", None),
        "node ids": any("::" in argument for argument in session.config.args),
    }
    reasons = [
        name
        for name, given in narrowing.items()
        if given and (dropped or roster is None)
    ]
    if dropped and not reasons and not getattr(option, "lf", False):
        reasons.append(
            f"{counted(len(dropped), 'test')} left out by a plugin or conftest"
        )
    stopped = bool(session.shouldfail or session.shouldstop)
    interrupted = (
        ended.interrupted
        or ended.internal_error
        or session.exitstatus == pytest.ExitCode.INTERRUPTED
    )
    further = {
        "--lf": getattr(option, "lf", False),  # it leaves out whole files unseen
        "ignored files": roster is not None and roster.ignored,
        "stopped early": stopped,
        INTERRUPTED: interrupted,
        f"{counted(len(unfinished), 'test')} not finished": (
            unfinished and not (stopped or interrupted)
        ),
    }
    reasons += [name for name, given in further.items() if given]
    arguments = [told_of(str(one)) for one in session.config.invocation_params.args]
    return Scope(", ".join(reasons) or None, shlex.join(["pytest", *arguments]))


def told_of(argument: str) -> str:
    r"""What results say of an argument: of a path to elsewhere its last part.

    >>> told_of("--robust-results=/data/Roe, Jane/results")
    '--robust-results=.../results'
    """
    found = _OPTION.fullmatch(argument)
    assert found is not None
    option, value = found[1] or "", found[2]
    if re.match(_START, value):
        *_, last = re.split(r"[/\\]", value.rstrip("/\\"))
        return f"{option}.../{last}"
    return option + _ABSOLUTE.sub(r".../\1", value)


@dataclass(repr=False)
class RunCollector:
    """Gathers what test reports carry.

    The same outcome comes with several tests: it is kept once.
    """

    saw_any: bool = False
    finished: set[str] = field(default_factory=set)
    """The tests of ours that came to their end."""
    passed: set[str] = field(default_factory=set)
    _outcomes: dict[Case, Outcome] = field(default_factory=dict)
    _costs: dict[Case, CostMeasurement] = field(default_factory=dict)
    _breaking: dict[Case, BreakingOutcome] = field(default_factory=dict)
    _cards: dict[str, Json] = field(default_factory=dict)
    _not_tested: dict[str, str] = field(default_factory=dict)
    _datasets: dict[str, Json] = field(default_factory=dict)
    _truncated: dict[str, dict[str, int]] = field(default_factory=dict)
    """How many reports a model cuts, by data set."""
    _notes: dict[str, None] = field(default_factory=dict)
    _broken: dict[str, list[str]] = field(default_factory=dict)
    """Node ids by what went wrong; under "" those that failed by a gate, whose
    sentences are shown anyway.
    """
    _crashed: set[str] = field(default_factory=set)
    """The models in whose tests a worker of pytest-xdist died."""

    def add(self, report: pytest.TestReport) -> None:
        """Take in what the report of a phase of a test of ours carries."""
        self.saw_any = True
        record: Json | None = getattr(report, "robust", None)
        if record is not None:
            self._add_measured(record)
            if report.failed:
                message = "" if record["gate_objected"] else record["failure"]
                self._broken.setdefault(message, []).append(report.nodeid)
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)
        if report.when == "teardown":
            self.finished.add(report.nodeid)
            if report.failed:
                self._broken.setdefault(_TEARDOWN, []).append(report.nodeid)

    def add_crash(self, test: str, model: str) -> None:
        """Note that the worker which ran a test died in it."""
        self._crashed.add(model)
        self.finished.add(test)
        self._broken.setdefault(_CRASHED, []).append(test)
        self._not_tested[model] = f"a worker died in {test}"

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
            self._cards.setdefault(record["model"], {"truncated_reports": None}).update(
                record["card"]
            )
        if record["not_tested"] is not None:
            self._not_tested[record["model"]] = record["not_tested"]
        self._notes |= dict.fromkeys(record["notes"])
        if record["dataset"] is not None:
            name = record["dataset"]["name"]
            if (
                record["dataset"]["pixel_digest"] is not None
                or name not in self._datasets
            ):
                self._datasets[name] = record["dataset"]
            if record["truncated_reports"] is not None:
                self._truncated.setdefault(record["model"], {})[name] = record[
                    "truncated_reports"
                ]
                self._cards[record["model"]]["truncated_reports"] = sum(
                    self._truncated[record["model"]].values()
                )

    def conclude(
        self,
        session: RobustSession,
        scope: Scope,
        failures: Iterable[str],
        unfinished: int,
    ) -> RunRecord:
        """Judge what was gathered. Nothing is measured here.

        `failures` is what stands against a release beside what was gathered, and
        `unfinished` tests did not come to their end, for whatever reason.
        """
        run = Run(self._measurements(session, scope), Evidence(session.store))
        crashes = [
            f"a worker died in a test of {model}" for model in sorted(self._crashed)
        ]
        stopped = scope.partial is not None and INTERRUPTED in scope.partial
        cut = (
            [f"{counted(unfinished, 'collected test')} did not finish"]
            if unfinished and not stopped
            else []
        )
        tables = (
            ()
            if session.settings.config_file is None
            else session.settings.config_file.models
        )
        ending = Ending(
            failures=(*crashes, *cut, *failures),
            gate_failures=len(self._broken.get("", ())),
            passed_tests=len(self.passed),
            measure_only=session.settings.measure_only,
            own_models=frozenset(table.name for table in tables),
        )
        return judge_run(run, session.policy, _against(session), ending)

    def _measurements(self, session: RobustSession, scope: Scope) -> Measurements:
        broken = {message: tests for message, tests in self._broken.items() if message}
        order = {name: number for number, name in enumerate(session.selection.models)}

        def place(case: Case) -> tuple[int, Case]:
            return order.get(case.model, -1), case

        measured = {
            case.model for case in (*self._outcomes, *self._costs, *self._breaking)
        }
        return Measurements(
            identity=session.identity,
            scope=scope,
            limit=session.settings.limit,
            plan=session.whole_plan,
            outcomes=tuple(
                self._outcomes[case] for case in sorted(self._outcomes, key=place)
            ),
            costs=tuple(self._costs[case] for case in sorted(self._costs, key=place)),
            breaking=tuple(
                self._breaking[case] for case in sorted(self._breaking, key=place)
            ),
            models=tuple(
                self._model_record(name, selected.named, name in measured)
                for name, selected in session.selection.models.items()
            ),
            datasets=tuple(self._datasets[name] for name in sorted(self._datasets)),
            broken=tuple(
                sorted(
                    _broken_sentence(message, tests)
                    for message, tests in broken.items()
                )
            ),
            broken_tests=sum(map(len, broken.values())),
            notes=tuple(sorted(self._notes)),
        )

    def _model_record(self, name: str, named: bool, tested: bool) -> ModelRecord:
        reason = (
            None
            if tested
            else self._not_tested.get(name, "no test of it was run or finished")
        )
        return ModelRecord(name, tested, reason, self._cards.get(name, {}), named)


def _broken_sentence(message: str, tests: Sequence[str]) -> str:
    first, *others = sorted(tests)  # workers report in any order
    more = f" and {len(others)} more" if others else ""
    return f"{first}{more}: {message}"


def judged_again(session: RobustSession) -> RunRecord:
    """The run of `--robust-replay`, judged by this run's policy and baseline."""
    run = session.replayed_run()
    assert run is not None
    ending = Ending(replayed=True, must_be_tested=must_be_tested(session.settings))
    return judge_run(run, session.policy, _against(session), ending)


def _against(session: RobustSession) -> Against:
    folder = session.settings.baseline
    run = session.baseline_run()
    if folder is None or run is not None:
        return Against(run)
    sentence = (
        f"There is no baseline yet: --robust-baseline names {folder.name!r}, where no"
        " run is saved. Make one from the model that is known to be good: pytest SUITE"
        f" --robust-results {folder.name}"
    )
    return Against(problem=sentence)


def with_samples(
    run: RunRecord, session: RobustSession
) -> tuple[RunRecord, Sequence[SampleSheet]]:
    """The samples that the page is to show, which are no part of the run; and the run,
    with a note of what it lacks.
    """
    if not session.settings.show_samples:
        return run, ()
    sheets = () if run.replayed else session.sample_sheets()
    note = _lacking(run, session, sheets)
    return run if note is None else replace(run, warnings=(*run.warnings, note)), sheets


def _lacking(
    run: RunRecord, session: RobustSession, sheets: Sequence[SampleSheet]
) -> str | None:
    if run.replayed:
        return (
            "--robust-show-samples shows nothing here: a saved run holds no images and"
            " no report texts. Measure again to see samples."
        )
    if not session.wants_samples:
        return (
            "--robust-show-samples shows nothing here: samples are shown in a page. Add"
            " --robust-report FILE.html."
        )
    cases = [outcome.case for outcome in run.outcomes if outcome.case.level > 0]
    asked = {(case.model, case.dataset, "hidden") for case in cases}
    asked |= {(search.model, search.dataset, "breaking") for search in run.breaking}
    missing = sorted(
        {
            (model, dataset)
            for model, dataset, _ in asked - {sheet.key for sheet in sheets}
        }
    )
    if not missing:
        return (
            None
            if sheets
            else (
                "--robust-show-samples shows nothing here: nothing was measured with a"
                " part hidden."
            )
        )
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return (
        f"The report lacks samples of {missing[0][0]} on {missing[0][1]}{more}: their"
        " images could not be shown again, or were measured on another machine, which"
        " keeps them."
    )


def write_results(run: RunRecord, session: RobustSession) -> RunRecord:
    """Write the run where `--robust-results` says, or beside a run there that measured more.

    A folder that cannot be written is said, and nothing is lost.
    """
    settings = session.settings
    if settings.results is None:
        return run
    from ..reports.saved_run import save_run
    from .outputs import place_for

    folder, note = settings.results, None
    try:
        if not settings.overwrite:
            folder, note = place_for(run, folder, (settings.replay, settings.baseline))
        if note is not None:
            run = replace(run, warnings=(*run.warnings, note))
        save_run(run, session.store, folder, settings.replay)
    except RobustError as error:
        why = str(error)
    except OSError as error:
        why = error.strerror or type(error).__name__  # its own text names whole paths
    except FOREIGN as error:
        why = described(error)
        let_go(error)
    else:
        return replace(run, results=folder)
    sentence = (
        f"Expected to write the results to --robust-results, got: {why}. Choose a"
        " folder that can be written."
    )
    return replace(
        run,
        warnings=(*run.warnings, sentence),
        failures=(*run.failures, "its results were not saved"),
    )


def write_reports(
    run: RunRecord, session: RobustSession, samples: Sequence[SampleSheet] = ()
) -> RunRecord:
    """Write each file of `--robust-report`; one that cannot be written is said, and fails the gate.

    Only a report that is made to show `samples` is given them.
    """
    entries = session.report_entries()
    asked, failures = run, run.failures
    for path, entry in entries.items():
        run = _written(run, path, entry, samples)
    if run.failures != failures:  # those that were written before do not know of it yet
        for path in run.reports[len(asked.reports) :]:
            run = replace(
                _written(replace(run, reports=()), path, entries[path], samples),
                reports=run.reports,
            )
    try:
        write_step_summary(run, os.environ)
    except OSError as error:
        why = error.strerror or type(error).__name__
        sentence = (
            f"Expected to write GitHub's step summary, got: {why}. The gate does not"
            " depend on it."
        )
        run = replace(run, warnings=(*run.warnings, sentence))
    config = session.settings.config_file
    return (
        run
        if config is None or config.tracking is None
        else _tracked(run, config.tracking)
    )


def _written(
    run: RunRecord, path: Path, entry: ReportEntry, samples: Sequence[SampleSheet]
) -> RunRecord:
    """The run, with this report or with why there is none: one report's failure costs no other."""
    try:
        write_whole(path, _rendered(entry, run, samples))
    except RobustError as error:
        why = str(error)
    except OSError as error:
        why = error.strerror or type(error).__name__
    # a report of one's own raises what it likes, with what it likes in its text
    except FOREIGN as error:
        why = described(error)
        let_go(error)
    else:
        return replace(run, reports=(*run.reports, path))
    sentence = (
        f"Expected to write the report {path.name}, got: {why}. Choose a place that can"
        " be written, or fix the report."
    )
    failures = (*run.failures, f"the report {path.name} was not written")
    return replace(run, warnings=(*run.warnings, sentence), failures=failures)


def _rendered(
    entry: ReportEntry, run: RunRecord, samples: Sequence[SampleSheet]
) -> str | bytes:
    return (
        entry.with_samples(run, samples)
        if samples and entry.with_samples is not None
        else entry.render(run)
    )


def _tracked(run: RunRecord, tracking: TrackingTable) -> RunRecord:
    """Send what was measured where `[tracking]` says; a run that is judged again was
    sent before.
    """
    if run.replayed or not (run.outcomes or run.breaking or run.costs):
        return run
    from ..reports.tracking import send

    try:
        send(run, tracking)
    except RobustError as error:
        return replace(run, warnings=(*run.warnings, str(error)))
    return run


def annotations_of(run: RunRecord, session: RobustSession) -> list[str]:
    """The lines by which GitHub Actions marks what failed; none elsewhere."""
    config = session.settings.config_file
    return list(
        error_commands(run, None if config is None else config.path, os.environ)
    )


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, and the folder that it belongs in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        require_regular(
            path
        )  # a FIFO or device that came there meanwhile is not replaced
    with whole_file(path) as part:
        part.write_bytes(content if isinstance(content, bytes) else content.encode())
