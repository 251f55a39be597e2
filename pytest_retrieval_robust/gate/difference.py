"""The difference between a candidate and a baseline, with the bounds that decide a gate.

Non-inferiority: a release needs every gate non-inferior, so an error in one of them
does not release (no correction where a gate passes), but an error in any of them blocks
(the bound that fails a gate is at the error divided by the number of gates).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..core.verdict import VerdictName
from ..retrieval.intervals import POWER, detectable_loss_of_share, normal_quantile
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
    spent: float | None = None
    """The error of the bound that passes a gate, where it is not `alpha`."""

    @property
    def passing(self) -> float:
        """The error of the bound that passes a gate."""
        return self.alpha if self.spent is None else self.spent

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

    @property
    def value(self) -> float:
        return self.candidate - self.baseline

    def detectable_loss(
        self, margin: float, errors: Errors, *, is_share: bool
    ) -> float:
        """The smallest loss that would fail with a power of 0.8."""
        deviates = normal_quantile(1 - errors.failing) + normal_quantile(POWER)
        if not is_share:
            return margin + deviates * self.error
        return detectable_loss_of_share(
            margin, deviates, self.error, self.baseline, self.queries
        )

    def queries_until_decided(self, margin: float, errors: Errors) -> int | None:
        """How many more queries until the difference, should it stay, passes or fails;
        None where none would do.
        """
        distance = self.value + margin
        if abs(distance) < ROUNDING:
            return None
        error = errors.passing if distance > 0 else errors.failing
        reach = normal_quantile(1 - error) * self.error
        return max(1, math.ceil(self.queries * ((reach / distance) ** 2 - 1)))


def non_inferior(difference: Difference, margin: float) -> VerdictName:
    """Pass: the bound at the error alpha clears the margin. Fail: the bound at alpha /
    gates shows a loss beyond it.
    """
    if difference.passes_at >= -margin - ROUNDING:
        return "pass"
    return "fail" if difference.fails_at < -margin - ROUNDING else "inconclusive"
