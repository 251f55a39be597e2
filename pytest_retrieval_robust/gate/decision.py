"""How limits are decided: by the number itself, or by its bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.verdict import DecidedBy, Verdict, VerdictName
from ..core.words import known_word

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
    ignores_small_groups: bool = False
    """Whether a gate on groups passes although groups are too small to be judged."""

    def __post_init__(self) -> None:
        known_word("decide", self.by, ("point", "bound"))


def pass_or_fail(passes: bool) -> VerdictName:
    """The verdict where nothing stays open."""
    return "pass" if passes else "fail"


def tolerated(verdict: Verdict, decision: Decision) -> Verdict:
    """The verdict, which may pass where it is inconclusive and the policy allows that.

    What was not measured never passes.
    """
    is_open = verdict.verdict == "inconclusive" and verdict.observed is not None
    return replace(verdict, tolerated=is_open and decision.tolerates_inconclusive)
