"""What a test report carries from the process that measured to the one that judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..core.cases import Json
from ..core.costs import CostMeasurement
from ..core.counterfactual_outcomes import CounterfactualOutcome
from ..core.drift import DriftOutcome
from ..core.outcomes import Outcome
from ..core.searches import BreakingOutcome


@dataclass(frozen=True, repr=False)
class TestRecord:
    """What is known after a test of ours.

    It crosses pytest-xdist's serialiser, which takes plain data alone: `as_json` is
    what a test report holds, `from_json` reads it.
    """

    __test__: ClassVar[bool] = False
    """It is no test class, although its name begins like one."""
    model: str | None
    not_tested: str | None = None
    """Why the model could not be tested."""
    failure: str | None = None
    """What the test failed with; without the text of foreign errors."""
    gate_objected: bool = False
    """Whether a verdict explains the failure."""
    outcomes: tuple[Outcome, ...] = ()
    cost: CostMeasurement | None = None
    breaking: BreakingOutcome | None = None
    counterfactuals: tuple[CounterfactualOutcome, ...] = ()
    drift: DriftOutcome | None = None
    card: Json | None = None
    dataset: Json | None = None
    """The description of the data set."""
    truncated_reports: int | None = None
    """How many of its reports the model cuts; None where that was not counted."""
    notes: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """Plain data."""
        return {
            "model": self.model,
            "not_tested": self.not_tested,
            "failure": self.failure,
            "gate_objected": self.gate_objected,
            "outcomes": [outcome.as_json() for outcome in self.outcomes],
            "cost": None if self.cost is None else self.cost.as_json(),
            "breaking": None if self.breaking is None else self.breaking.as_json(),
            "counterfactuals": [one.as_json() for one in self.counterfactuals],
            "drift": None if self.drift is None else self.drift.as_json(),
            "card": self.card,
            "dataset": self.dataset,
            "truncated_reports": self.truncated_reports,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Json) -> TestRecord:
        cost = data["cost"]
        breaking = data["breaking"]
        drift = data["drift"]
        return cls(
            model=data["model"],
            not_tested=data["not_tested"],
            failure=data["failure"],
            gate_objected=data["gate_objected"],
            outcomes=tuple(Outcome.from_json(one) for one in data["outcomes"]),
            cost=None if cost is None else CostMeasurement.from_json(cost),
            breaking=None if breaking is None else BreakingOutcome.from_json(breaking),
            counterfactuals=tuple(
                CounterfactualOutcome.from_json(one) for one in data["counterfactuals"]
            ),
            drift=None if drift is None else DriftOutcome.from_json(drift),
            card=data["card"],
            dataset=data["dataset"],
            truncated_reports=data["truncated_reports"],
            notes=tuple(data["notes"]),
        )
