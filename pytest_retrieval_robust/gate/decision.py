"""How limits are decided: by the number itself, or by its bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ..core.verdict import DecidedBy, Verdict, VerdictName
from ..core.words import known_word

AttemptsSetting: TypeAlias = Literal["count", "spend"]
"""Whether each attempt against a saved run has the whole error, or all of them share it."""
ATTEMPTS: tuple[AttemptsSetting, ...] = ("count", "spend")
ROUNDING = 1e-12
"""How far a number may miss a limit and still be taken for it."""


@dataclass(frozen=True)
class Decision:
    """How one limit is decided for one case."""

    by: DecidedBy
    confidence: float
    tolerates_inconclusive: bool
    hardware: str | None
    """The machine that absolute limits hold on: a name or glob."""
    spends: bool = False
    """Whether the error of passing is spent over attempts against one saved run."""
    attempt: int | None = None
    """The number of this attempt, from 1; None where nobody counts them."""
    ignores_small_groups: bool = False
    """Whether a gate on groups passes although groups are too small to be judged."""

    def __post_init__(self) -> None:
        known_word("decide", self.by, ("point", "bound"))

    @property
    def error(self) -> float:
        """Of each bound: 1 - confidence."""
        return 1 - self.confidence

    @property
    def passing_error(self) -> float:
        """The error of the bound that passes a gate: less of it where it is spent."""
        if not self.spends or self.attempt is None:
            return self.error
        return self.error * share_of_attempt(self.attempt)

    @property
    def passing_confidence(self) -> float:
        """Of the bound that passes a gate."""
        if not self.spends or self.attempt is None:
            return self.confidence
        return 1 - self.passing_error


def share_of_attempt(number: int) -> float:
    """The share of an error that the attempt of that number, from 1, may spend: those of
    all attempts add up to 1.

    >>> [round(share_of_attempt(number), 3) for number in (1, 2, 3)]
    [0.608, 0.152, 0.068]
    """
    return 6 / (math.pi * number) ** 2


def pass_or_fail(passes: bool) -> VerdictName:
    """The verdict where nothing stays open."""
    return "pass" if passes else "fail"


def tolerated(verdict: Verdict, decision: Decision) -> Verdict:
    """The verdict, which may pass where it is inconclusive and the policy allows that.

    What was not measured never passes.
    """
    is_open = verdict.verdict == "inconclusive" and verdict.observed is not None
    return replace(verdict, tolerated=is_open and decision.tolerates_inconclusive)
