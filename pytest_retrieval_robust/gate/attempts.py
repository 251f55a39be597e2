"""Attempts against one saved run: how many there were, and what they do to the error.

A model that is worse by the margin passes one attempt with a probability of at most the
error. Who tries again until one passes has that chance every time. So an error may be
spent over attempts: the n-th one has the share 6 / (pi n)^2 of it, and the shares of any
number of attempts add up to less than 1. Alpha-spending: D. P. Foster and R. A. Stine,
"Alpha-investing" (J. R. Statist. Soc. B 70, 2008); J. Tian and A. Ramdas, "Online control
of the familywise error rate" (Statistical Methods in Medical Research 30, 2021); for
releases of medical models: J. Feng, S. Emerson and N. Simon, "Approval policies for
modifications to machine learning-based software as a medical device: A study of
bio-creep" (Biometrics 77, 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from ..core.roles import Role
from ..core.verdict import GateKind, Verdict
from .baseline import BaselineLimit
from .decision import Decision

if TYPE_CHECKING:
    from ..core.cases import Case, Direction, Plan
    from .limits import Limit
    from .policy import Policy

AttemptNumbers: TypeAlias = Mapping[Role, int]
"""The number of an attempt, from 1, against the saved run in each role."""


def repeated_error(error: float, attempts: int) -> float:
    """The probability that at least one of so many independent attempts errs.

    >>> round(repeated_error(0.05, 4), 3)
    0.185
    """
    return -math.expm1(attempts * math.log1p(-error))


@dataclass(frozen=True)
class TriedRole:
    """Attempts against the saved run in one role, and the errors of the gates beside it."""

    role: Role
    number: int
    """Of this attempt, from 1."""
    error: float | None
    """The greatest error of the gates that have it anew at each attempt; None without any."""
    spent: float | None
    """The greatest error that is spent over attempts; None where none is."""
    spent_here: float | None = None
    """Its share at this attempt."""

    @property
    def sentences(self) -> Iterator[str]:
        """What the number means, in sentences."""
        if self.error is not None and self.number > 1:
            total = repeated_error(self.error, self.number)
            yield (
                f"With an error of {_percent(self.error)} each, {self.number} independent"
                " attempts let a model that is worse by its margin pass with a"
                f" probability of up to {_percent(total)}. The setting attempts ="
                f' "spend" keeps it below {_percent(self.error)} however many there are'
            )
        if self.spent is not None and self.spent_here is not None:
            yield (
                f"The error of {_percent(self.spent)} is spent over all attempts against"
                f" the {self.role}, however many there are: attempt {self.number} has"
                f" {_percent(self.spent_here)} of it"
            )


@dataclass(frozen=True)
class AttemptRecord:
    """Which attempt a run is, as the ledger counts it."""

    tried: tuple[TriedRole, ...]
    same_weights: int | None
    """The number, against the same baseline, of the first attempt with these weights."""
    is_new: bool
    """Whether it was added to the ledger now. A run that is judged again is in it."""
    ledger_sha256: str
    """Of the ledger's first line: which ledger it is."""
    line_sha256: str
    """Of its own line."""

    @property
    def title(self) -> str:
        """`attempt 4 against this baseline, attempt 9 against this reference`."""
        numbers = [
            f"attempt {each.number} against this {each.role}" for each in self.tried
        ]
        return ", ".join(numbers)

    @property
    def sentences(self) -> Iterator[str]:
        """All that is to be said of it, for every report."""
        title = f"{self.title[:1].upper()}{self.title[1:]}"
        if not self.is_new:
            title += ", judged again: that is no new attempt"
        elif self.same_weights is not None:
            title += (
                f", with the same weights as attempt {self.same_weights}: it counts all"
                " the same"
            )
        yield title
        for each in self.tried:
            yield from each.sentences


def tried_role(role: Role, number: int, policy: Policy, plan: Plan) -> TriedRole:
    """The attempt of that number, and the greatest errors of the gates of a plan that
    compare with the run in that role.
    """
    decisions = [
        replace(decision, attempt=number)
        for decision in _decisions_beside(role, policy, plan)
    ]
    counted = [each.error for each in decisions if not each.spends]
    spent = [each.error for each in decisions if each.spends]
    here = [each.passing_error for each in decisions if each.spends]
    return TriedRole(
        role,
        number,
        max(counted, default=None),
        max(spent, default=None),
        max(here, default=None),
    )


def decision_on(
    limit: Limit, policy: Policy, case: Case, direction: Direction
) -> Decision:
    """How a limit is decided for a case, by its own word on attempts where it has one."""
    decision = policy.decision(case, direction, limit.key)
    if isinstance(limit, BaselineLimit) and limit.attempts is not None:
        return replace(decision, spends=limit.attempts == "spend")
    return decision


def _decisions_beside(role: Role, policy: Policy, plan: Plan) -> Iterator[Decision]:
    """How each planned gate is decided that compares with the run in a role by bound."""
    for planned in policy.planned(plan):
        kind = planned.gate.kind
        if kind.compared_with is not role:
            continue
        key = replace(planned.gate, direction=None)
        limits = policy.limits_for(planned.case, planned.direction)
        limit = next(each for each in limits if each.key == key)
        decision = decision_on(limit, policy, planned.case, planned.direction)
        if kind.is_paired or kind is GateKind.WORST_CE or decision.by == "bound":
            yield decision


def as_spent(verdict: Verdict, decision: Decision) -> Verdict:
    """The verdict with the error that it was decided at in its sentence, where that is
    spent over attempts; inconclusive where nobody counts them.

    A fail stays one. What is decided by point has no error.
    """
    if not decision.spends or verdict.decided_by != "bound":
        return verdict
    if decision.attempt is not None:
        sentence = (
            f"{verdict.sentence} This is attempt {decision.attempt}: the bound that"
            f" passes has an error of {_percent(decision.passing_error)}, of"
            f" {_percent(decision.error)} for all attempts."
        )
        return replace(verdict, sentence=sentence)
    if verdict.verdict == "fail":
        return verdict
    sentence = (
        f"{verdict.gate} of {verdict.case}: its error is spent over attempts, and they"
        " are not counted. Add --robust-attempts FILE or --robust-results DIR, to the run"
        " or to --robust-replay, which judges it again."
    )
    return replace(
        verdict,
        verdict="inconclusive",
        sentence=sentence,
        tolerated=False,
        more_queries=None,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
