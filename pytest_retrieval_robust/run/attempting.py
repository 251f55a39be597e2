"""Judges a run as an attempt against its baseline and reference, and counts it.

An attempt is a full run that was judged beside a saved run which it may be compared with.
The number is taken and the line is written under one lock, so that two runs that end
together are two attempts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..core.roles import Role
from ..gate.attempts import AttemptNumbers, AttemptRecord, tried_role
from ..gate.compared_runs import Against
from ..gate.ledger import (
    Attempt,
    Ledger,
    LedgerError,
    Line,
    saved_run_key,
    weights_key,
)
from ..gate.measurements import Measurements
from ..gate.policy import Policy
from ..gate.record import RunRecord
from .ledger_file import LedgerFile


@dataclass(frozen=True, repr=False)
class Attempting:
    """What is to be judged, and where attempts are counted."""

    measured: Measurements
    policy: Policy
    against: Mapping[Role, Against]
    ledger: LedgerFile | None
    """None where nobody counts."""

    @property
    def beside(self) -> dict[Role, str]:
        """The saved runs that gates of the policy compare with, by their hashes."""
        saved = {role: against.run for role, against in self.against.items()}
        return {
            role: saved_run_key(run.measured)
            for role, run in saved.items()
            if run is not None and self.policy.asks_for(role)
        }

    @property
    def spends(self) -> bool:
        """Whether a planned gate's error is spent over attempts."""
        plan = self.measured.plan
        tried = (tried_role(role, 1, self.policy, plan) for role in self.beside)
        return any(each.spent is not None for each in tried)

    @property
    def numbers(self) -> AttemptNumbers | None:
        """Which attempt it would be now; None where nobody counts.

        Raises:
            LedgerError: The ledger was changed, or cannot be read.
        """
        if self.ledger is None:
            return None
        return self._numbers(self.ledger.read())

    def judged(self, judge: Callable[[AttemptNumbers | None], RunRecord]) -> RunRecord:
        """The record that `judge` makes of the number of the attempt, with what the
        ledger says of it.
        """
        if self.ledger is None or not self.beside:
            return judge(None)
        try:
            # A part of the suite, or of the data, is judged as the attempt that it would
            # be, and is none.
            if not self.measured.full:
                return judge(self._numbers(self.ledger.read()))
            return self._counted(self.ledger, judge)
        except LedgerError as error:
            problem = str(error)
        record = judge(None)
        return _with_problem(record, problem, fails=self.spends or self.ledger.is_there)

    def _numbers(self, ledger: Ledger) -> AttemptNumbers:
        return ledger.numbers(self.measured.identity.id, self.beside)

    def _counted(
        self,
        file: LedgerFile,
        judge: Callable[[AttemptNumbers | None], RunRecord],
    ) -> RunRecord:
        with file.locked() as ledger:
            is_begun = bool(ledger.lines)
            record = judge(self._numbers(ledger))
            # What was not judged, such as a run on other data, has no chance to pass.
            beside = {
                role: saved
                for role, saved in self.beside.items()
                if _is_judged(record, role)
            }
            if not beside:
                return record
            line = ledger.line_of(self.measured.identity.id, beside)
            is_new = line is None
            if line is None:
                line = file.append(ledger, self._attempt(record, beside))
                ledger = ledger.with_line(line)
        record = replace(record, attempt=self._record(ledger, line, beside, is_new))
        if is_begun or not self.spends:
            return record
        note = (
            f"A new ledger of attempts was started, {file.name}, because there was none:"
            " attempts before this one are not known. Keep it beside the baseline."
        )
        return replace(record, warnings=(*record.warnings, note))

    def _attempt(self, record: RunRecord, beside: Mapping[Role, str]) -> Attempt:
        identity = self.measured.identity
        return Attempt(
            run=identity.id,
            started=identity.started,
            version=identity.version,
            weights=weights_key(self.measured),
            baseline=beside.get(Role.BASELINE),
            reference=beside.get(Role.REFERENCE),
            gates=record.gates_sha256,
            judged=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            verdict=record.release.status,
        )

    def _record(
        self, ledger: Ledger, line: Line, beside: Mapping[Role, str], is_new: bool
    ) -> AttemptRecord:
        run = self.measured.identity.id
        numbers = ledger.numbers(run, beside)
        plan = self.measured.plan
        first_role = next(iter(beside))
        same = ledger.first_with(
            weights_key(self.measured), first_role, beside[first_role]
        )
        return AttemptRecord(
            tuple(
                tried_role(role, number, self.policy, plan)
                for role, number in numbers.items()
            ),
            same_weights=None if same == numbers[first_role] else same,
            is_new=is_new,
            ledger_sha256=ledger.lines[0].sha256,
            line_sha256=line.sha256,
        )


def _is_judged(record: RunRecord, role: Role) -> bool:
    """Whether a gate beside the saved run in a role was judged on its numbers."""
    saved = record.reference if role is Role.REFERENCE else record.baseline
    if saved is None or saved.obstacles:
        return False
    return any(
        verdict.gate.kind.compared_with is role and verdict.verdict != "ungated"
        for verdict in record.verdicts
    )


def _with_problem(record: RunRecord, problem: str, *, fails: bool) -> RunRecord:
    """The record of a run that could not be counted."""
    record = replace(record, warnings=(*record.warnings, problem))
    if not fails:
        return record
    failures = (*record.failures, "its attempts could not be counted")
    return replace(record, failures=failures)
