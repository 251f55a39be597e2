"""From what was gathered, or saved earlier, to the record of a run. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.roles import Role
from ..core.words import counted
from ..gate.attempts import AttemptNumbers
from ..gate.comparison import Run
from ..gate.measurements import INTERRUPTED, Scope
from ..gate.policy import Policy
from ..gate.record import Against, Ending, RunRecord, judge_run
from .attempting import Attempting
from .selected_models import must_be_tested

if TYPE_CHECKING:
    from .collector import RunCollector
    from .session import RobustSession


def conclude(
    collector: RunCollector,
    session: RobustSession,
    scope: Scope,
    failures: Iterable[str],
    unfinished: int,
) -> RunRecord:
    """Judge what was gathered.

    `failures` is what stands against a release beside the tests of ours; `unfinished`
    tests did not come to their end, for whatever reason.
    """
    crashes = [
        f"a worker died in a test of {model}" for model in sorted(collector.crashed)
    ]
    cut_short = []
    is_interrupted = scope.partial is not None and INTERRUPTED in scope.partial
    # An interrupted run says so already.
    if unfinished and not is_interrupted:
        cut_short = [f"{counted(unfinished, 'collected test')} did not finish"]
    measured = replace(
        collector.measurements(session, scope),
        other_failures=(*cut_short, *failures),
    )
    # That of the tests: what they have estimated in this process is not done again.
    run = Run(measured, session.judging.evidence)
    config_file = session.settings.config_file
    tables = () if config_file is None else config_file.models
    ending = Ending(
        failures=tuple(crashes),
        gate_failures=collector.gate_failures,
        passed_tests=len(collector.passed),
        measure_only=session.settings.measure_only,
        own_models=frozenset(table.name for table in tables),
    )
    return _judged(run, session, ending)


def judge_again(session: RobustSession) -> RunRecord:
    """The run of `--robust-replay`, judged by this run's policy, baseline and reference."""
    run = session.saved_runs.replayed()
    assert run is not None
    evidence = run.evidence.with_metrics(session.gate_metrics)
    run = Run(run.measured, evidence)
    ending = Ending(replayed=True, must_be_tested=must_be_tested(session.settings))
    return _judged(run, session, ending)


def _judged(run: Run, session: RobustSession, ending: Ending) -> RunRecord:
    against = {role: _against(session, role) for role in Role}
    policy = Policy() if ending.measure_only else session.policy
    attempting = Attempting(run.measured, policy, against, session.ledger)

    def judge(attempts: AttemptNumbers | None) -> RunRecord:
        return judge_run(
            run,
            session.policy,
            against[Role.BASELINE],
            ending,
            against_reference=against[Role.REFERENCE],
            attempts=attempts,
        )

    return attempting.judged(judge)


def _against(session: RobustSession, role: Role) -> Against:
    folder = session.settings.saved_run(role)
    run = session.saved_runs.beside(role)
    if folder is None or run is not None:
        return Against(run)
    sentence = (
        f"There is no {role} yet: {role.option} names {folder.name!r}, where no"
        " run is saved. Make one from the model that is known to be good: pytest SUITE"
        f" --robust-results {folder.name}"
    )
    return Against(problem=sentence)
