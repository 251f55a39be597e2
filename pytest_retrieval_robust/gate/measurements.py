"""What a run measured, apart from what is thought of it: it can be judged now, or again
later from the saved run.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from ..core.cases import Case, Json, Plan
from ..core.costs import CostMeasurement
from ..core.outcomes import ModelRecord, Outcome
from ..core.searches import BreakingOutcome
from ..retrieval.curve import Curve

INTERRUPTED = "interrupted"
"""What a scope says of a run that was not let finish."""


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
        """That of a run that starts now."""
        from .. import __version__

        return cls(
            secrets.token_hex(8),
            datetime.now(UTC).isoformat(timespec="seconds"),
            __version__,
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
    models: tuple[ModelRecord, ...]
    datasets: tuple[Json, ...]
    broken: tuple[str, ...]
    """One sentence for each way in which tests of ours failed other than by a gate."""
    broken_tests: int
    """How many tests that were."""
    notes: tuple[str, ...]
    """What its user should know of how it was measured, in sentences."""

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        return tuple(curves_of(self.outcomes))

    @cached_property
    def by_case(self) -> dict[Case, Outcome]:
        return {outcome.case: outcome for outcome in self.outcomes}

    @cached_property
    def measured_models(self) -> set[str]:
        cases = (
            *(o.case for o in self.outcomes),
            *(c.case for c in self.costs),
            *(b.case for b in self.breaking),
        )
        return {case.model for case in cases}

    @property
    def full(self) -> bool:
        """Whether it may be a baseline: the whole suite on the whole of the data."""
        return self.scope.partial is None and self.limit is None


def curves_of(outcomes: Iterable[Outcome]) -> list[Curve]:
    """One curve for each model, data set, occluder and seed whose level 0 was measured."""
    grouped: dict[tuple[str, str, str, int], list[Outcome]] = {}
    for outcome in outcomes:
        case = outcome.case
        grouped.setdefault(
            (case.model, case.dataset, case.occluder, case.seed), []
        ).append(outcome)
    rising = [
        tuple(sorted(group, key=lambda outcome: outcome.case.level))
        for group in grouped.values()
    ]
    return [Curve(group) for group in rising if group[0].case.level == 0]
