"""What every kind of gate does with a number that was measured."""

from __future__ import annotations

from dataclasses import replace

from ..core.verdict import Verdict, VerdictName
from .policy import Decision

ROUNDING = 1e-12
"""How far a number may miss a limit and still be taken for it."""


def pass_or_fail(passes: bool) -> VerdictName:
    """The verdict where nothing stays open."""
    return "pass" if passes else "fail"


def tolerated(verdict: Verdict, decision: Decision) -> Verdict:
    """What was measured and is open may pass where the policy says so; what was not
    measured never does.
    """
    is_open = verdict.verdict == "inconclusive" and verdict.observed is not None
    return replace(verdict, tolerated=is_open and decision.tolerates_inconclusive)
