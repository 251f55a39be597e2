"""A run whose gates have been judged: what its warnings, its failures and the decision are
made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..core.cases import Case
from ..core.outcomes import Outcome
from ..core.roles import Role
from ..core.verdict import GateKind, Verdict
from .chance import untrained
from .compared_runs import Against, BaselineRecord, ComparedRun, ReferenceRecord
from .measurements import Measurements
from .plan import PlannedGate
from .policy import Policy


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
    they are on this machine or not.
    """
    must_be_tested: frozenset[str] = frozenset()
    """Models that must have been measured, beside those whose record says that they
    were asked for by name.
    """


@dataclass(frozen=True, repr=False)
class Judged:
    """What was measured, and everything that the policy says of it."""

    measured: Measurements
    policy: Policy
    planned: tuple[PlannedGate, ...]
    verdicts: tuple[Verdict, ...]
    against: Against = field(default_factory=Against)
    baseline: BaselineRecord | None = None
    ending: Ending = field(default_factory=Ending)
    against_reference: Against = field(default_factory=Against)
    reference: ReferenceRecord | None = None

    def against_of(self, role: Role) -> Against:
        """What the role's option named."""
        return self.against_reference if role is Role.REFERENCE else self.against

    def record_of(self, role: Role) -> ComparedRun | None:
        """What is recorded of the run in a role; None without one."""
        return self.reference if role is Role.REFERENCE else self.baseline

    @cached_property
    def gated(self) -> tuple[Verdict, ...]:
        """The verdicts that say something: all but the ungated ones."""
        return tuple(v for v in self.verdicts if v.verdict != "ungated")

    @cached_property
    def clean_outcomes(self) -> Mapping[tuple[str, str], Outcome]:
        return clean_outcomes(self.measured)

    @cached_property
    def retrieving(self) -> set[tuple[str, str]]:
        """(model, data set) of every model that is better than chance there."""
        return {
            subject
            for subject, outcome in self.clean_outcomes.items()
            if untrained(outcome) is None
        }

    @cached_property
    def unjudged(self) -> tuple[PlannedGate, ...]:
        """Gates that no verdict speaks of, although the run covers them: a test was
        skipped, failed, or does not exist.

        A partial run covers what it left of the suite. A model that only `all` or a
        glob brought in, and that could not be tested, is covered where a gate names it.
        """
        if self.measured.scope.partial:
            return ()
        judged = {(verdict.case, verdict.gate) for verdict in self.verdicts}
        # The gates of a model at chance are not judged one by one.
        at_chance = {
            subject_of(verdict.case)
            for verdict in self.verdicts
            if verdict.gate.kind is GateKind.ABOVE_CHANCE and verdict.verdict == "fail"
        }
        return tuple(
            gate
            for gate in self.planned
            if (gate.case, gate.gate) not in judged
            and subject_of(gate.case) not in at_chance
            and self._covers(gate.case.model)
        )

    def _covers(self, model: str) -> bool:
        return (
            model in self.measured.measured_models
            or model in self.ending.own_models
            or model in self.ending.must_be_tested
            or any(
                record.named for record in self.measured.models if record.name == model
            )
            or self.policy.names_exactly(model)
        )


def subject_of(case: Case) -> tuple[str, str]:
    """Whom a case is about: (model, data set)."""
    return case.model, case.dataset


def clean_outcomes(measured: Measurements) -> dict[tuple[str, str], Outcome]:
    """The outcome with nothing hidden of each model on each data set: one of several
    that are the same.
    """
    return {
        subject_of(outcome.case): outcome
        for outcome in measured.outcomes
        if outcome.case.level == 0
    }
