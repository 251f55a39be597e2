"""The difference between a candidate and a baseline, with the bounds that decide a gate.

Non-inferiority: a release needs every gate non-inferior, so an error in one of them
does not release (no correction where a gate passes), but an error in any of them blocks
(the bound that fails a gate is at the error divided by the number of gates).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..core.verdict import VerdictName
from ..retrieval.intervals import deviates
from ..retrieval.paired_power import PairedSpread, detectable_paired_loss
from ..retrieval.power import POWER_DEVIATE, queries_until_told
from .decision import ROUNDING


@dataclass(frozen=True)
class NotComparable:
    """Why two runs, or two numbers of them, cannot be compared."""

    reason: str


@dataclass(frozen=True)
class Errors:
    """How often a gate may be wrong: `alpha`, and how many gates share it."""

    alpha: float
    gates: int = 1

    @property
    def passing(self) -> float:
        """The error of the bound that passes a gate."""
        return self.alpha

    @property
    def failing(self) -> float:
        """The error of the bound that fails a gate: any of the gates may block."""
        return self.alpha / self.gates


@dataclass(frozen=True)
class Difference:
    """Candidate minus baseline."""

    candidate: float
    baseline: float
    passes_at: float
    """Lower bound at the error that a release may have."""
    fails_at: float
    """Upper bound at that error divided by the number of gates."""
    error: float
    """Standard error of the difference."""
    queries: int
    degrees_of_freedom: float = math.inf
    """Of the error, where patients repeat; inf where each query is a patient's only one."""
    spread: PairedSpread | None = None
    """How much it varies where it is a difference of shares; None of other numbers, whose
    error is taken to be the same at every loss.
    """
    is_score_test: bool = False
    """Whether its bounds are those of a score test."""

    @property
    def value(self) -> float:
        return self.candidate - self.baseline

    def detectable_loss(self, margin: float, errors: Errors) -> float:
        """The smallest loss that would fail with a power of 0.8; inf where none would."""
        away = deviates(1 - errors.failing, self.degrees_of_freedom)
        if self.spread is None:
            return margin + (away + POWER_DEVIATE) * self.error
        return detectable_paired_loss(
            margin, self.spread, away, is_score_test=self.is_score_test
        )

    def queries_until_decided(self, margin: float, errors: Errors) -> int | None:
        """How many more queries until the difference, should it be the truth, passes or
        fails with a probability of 0.8; None where none would do.
        """
        distance = self.value + margin
        error = errors.passing if distance > 0 else errors.failing
        return queries_until_told(
            self.queries, distance, self.error, 1 - error, self.degrees_of_freedom
        )


def non_inferior(difference: Difference, margin: float) -> VerdictName:
    """Pass: the bound at the error alpha clears the margin. Fail: the bound at alpha /
    gates shows a loss beyond it.
    """
    if difference.passes_at >= -margin - ROUNDING:
        return "pass"
    return "fail" if difference.fails_at < -margin - ROUNDING else "inconclusive"
