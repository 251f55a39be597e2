"""What one rule of the policy says of one case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .cases import Case, Json
from .outcomes import finite

VerdictName: TypeAlias = Literal["pass", "fail", "inconclusive", "ungated"]


@dataclass(frozen=True)
class Verdict:
    """What one rule of the policy says of one case, in a full sentence."""

    case: Case
    gate: str
    """The rule: `recall@10`, `retention@10`, `relative_cost`, ..."""
    verdict: VerdictName
    observed: float | None
    limit: float | None
    sentence: str
    bounds: tuple[float, float] | None = None
    """Lower and upper bound of what was observed, each held with `confidence`; None
    where there are none.
    """
    decided_by: Literal["point", "bound"] | None = None
    confidence: float | None = None
    detectable_loss: float | None = None
    """The smallest loss, from what was observed, at which this gate would fail with a
    probability of 0.8.
    """
    more_queries: int | None = None
    """How many more queries an inconclusive gate would take to be decided, should the
    observed value stay.
    """
    tolerated: bool = False
    """An inconclusive one that the policy lets pass."""
    weak: bool = False
    """Whether it could lose half of what it guards unnoticed."""

    @property
    def objects(self) -> bool:
        """Whether it stops a release."""
        return self.verdict == "fail" or (
            self.verdict == "inconclusive" and not self.tolerated
        )

    def as_json(self) -> Json:
        return {
            "case": self.case.as_json(),
            "gate": self.gate,
            "verdict": self.verdict,
            "observed": self.observed,
            "limit": self.limit,
            "sentence": self.sentence,
            "bounds": (
                None
                if self.bounds is None
                else [finite(bound) for bound in self.bounds]
            ),
            "decided_by": self.decided_by,
            "confidence": self.confidence,
            "detectable_loss": self.detectable_loss,
            "more_queries": self.more_queries,
            "tolerated": self.tolerated,
            "weak": self.weak,
        }
