"""What a run measured, apart from any verdict.

It can be judged now, or again later from the saved run.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import TypeAlias

from ..core.cases import DIRECTIONS, Case, Json, Plan
from ..core.costs import CostMeasurement
from ..core.counterfactual_outcomes import CounterfactualOutcome
from ..core.drift import DriftOutcome
from ..core.outcomes import ModelRecord, Outcome
from ..core.searches import BreakingOutcome
from ..retrieval.curve import Curve

_Measured: TypeAlias = (
    Outcome | CostMeasurement | BreakingOutcome | CounterfactualOutcome | DriftOutcome
)
INTERRUPTED = "interrupted"
"""What a scope says of a run that was not allowed to finish."""


@dataclass(frozen=True)
class Scope:
    """How much of the suite was asked for."""

    partial: str | None
    """Why this is no full run (`-k`, `--lf`, node ids, stopped early), or None."""
    command: str


@dataclass(frozen=True, repr=False)
class Identity:
    """Which run this is: its own id, when it started, and with what."""

    id: str
    started: str
    version: str
    host: Json | None = None
    """What it ran on; None until it is saved."""

    @classmethod
    def new(cls) -> Identity:
        """The identity of a run that starts now."""
        from .. import __version__

        return cls(
            id=secrets.token_hex(8),
            started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            version=__version__,
        )


@dataclass(frozen=True, repr=False)
class Measurements:
    """What was measured and on what, and what went wrong other than by a gate."""

    identity: Identity
    scope: Scope
    limit: int | None
    plan: Plan
    outcomes: tuple[Outcome, ...]
    costs: tuple[CostMeasurement, ...]
    breaking: tuple[BreakingOutcome, ...]
    counterfactuals: tuple[CounterfactualOutcome, ...]
    models: tuple[ModelRecord, ...]
    datasets: tuple[Json, ...]
    broken: tuple[str, ...]
    """One sentence for each way in which tests of ours failed other than by a gate."""
    broken_tests: int
    """How many tests failed in these ways."""
    notes: tuple[str, ...]
    """What the user should know of how it was measured, in sentences."""
    drift: tuple[DriftOutcome, ...] = field(default=(), kw_only=True)
    """Models beside their fingerprints; also those that have none."""
    other_failures: tuple[str, ...] = field(default=(), kw_only=True)
    """What went wrong beside the tests of ours, in sentences: another test that failed,
    a file that could not be collected. It stands against the release, in a replay too.
    """

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        return tuple(curves_of(self.outcomes))

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The names of the registered metrics that were computed, each once."""
        scores = (
            outcome.scores(direction)
            for outcome in self.outcomes
            for direction in DIRECTIONS
        )
        return tuple(dict.fromkeys(name for each in scores for name in each.metrics))

    @cached_property
    def by_case(self) -> dict[Case, Outcome]:
        return {outcome.case: outcome for outcome in self.outcomes}

    @cached_property
    def measured_models(self) -> set[str]:
        """The names of the models of which anything was measured."""
        measured: tuple[_Measured, ...] = (
            *self.outcomes,
            *self.costs,
            *self.breaking,
            *self.counterfactuals,
            *(drift for drift in self.drift if drift.is_measured),
        )
        return {measurement.case.model for measurement in measured}

    @property
    def full(self) -> bool:
        """Whether it may be a baseline: the whole suite on the whole of the data."""
        return self.scope.partial is None and self.limit is None


def curves_of(outcomes: Iterable[Outcome]) -> list[Curve]:
    """One curve for each model, data set, occluder and seed whose level 0 was measured."""
    groups: dict[Case, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.case.clean(), []).append(outcome)
    curves = []
    for clean_case, group in groups.items():
        rising = sorted(group, key=lambda outcome: outcome.case.level)
        if rising[0].case == clean_case:
            curves.append(Curve(tuple(rising)))
    return curves
