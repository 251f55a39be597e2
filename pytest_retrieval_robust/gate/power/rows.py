"""What a plan says of each gate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...core.codec import Written
from .planned import GatePower
from .solve import FEWEST, MOST, needed_queries, smallest_loss

_POINTS = 25
"""Of a power curve."""


@dataclass(frozen=True)
class PowerPoint(Written):
    """How likely a gate passes with so many queries."""

    queries: int
    passes: float


@dataclass(frozen=True)
class Today(Written):
    """What a gate does with the queries that there are."""

    queries: int | None
    """None where what is judged has no queries."""
    patients: int | None
    passes: float | None
    """The probability that it passes a model that is as it was planned; None where it is
    not known.
    """
    smallest_loss: float | None
    """The loss at which it fails with the planned power; None where no loss is seen."""
    has_too_few_patients: bool = False
    """Whether it is inconclusive, because no bound over so few patients holds."""


@dataclass(frozen=True)
class PlannedRow(Written):
    """A gate, and how many queries it needs to pass with the planned power."""

    gate: str
    subject: str
    """What it judges; empty where that is assumed."""
    value: float | None = None
    """What is planned: of a floor the true value, beside a baseline the baseline's."""
    limit: float | None = None
    """The floor, or the margin."""
    queries: int | None = None
    patients: int | None = None
    smallest_loss: float | None = None
    """With so many queries."""
    design_effect: float = 1.0
    today: Today | None = None
    reason: str | None = None
    """Why no number of queries is given, as a sentence."""
    curve: tuple[PowerPoint, ...] = ()


@dataclass(frozen=True)
class GatePlan(Written):
    """All gates of a plan, and what it rests on."""

    power: float
    """The probability with which a gate is to pass, and to fail at its smallest loss."""
    assumptions: tuple[str, ...]
    """In sentences: what is assumed, and what comes from where."""
    gates: tuple[PlannedRow, ...]


@dataclass(frozen=True)
class Subject:
    """What a row is about."""

    gate: str
    name: str = ""
    value: float | None = None
    limit: float | None = None


def planned_row(
    subject: Subject,
    gate: GatePower,
    power: float,
    queries_today: int | None = None,
    *,
    with_curve: bool = True,
) -> PlannedRow:
    """The plan of one gate, and what it does with the queries that there are."""
    needed = needed_queries(gate, power)
    reason = None
    patients = None
    loss = None
    if needed is None:
        sentence = gate.obstacle or (
            f"it takes more than {MOST:,} queries. Choose a wider limit"
        )
        reason = f"{sentence}."
    else:
        patients = gate.sampling.at(needed).patients
        loss = smallest_loss(gate, needed, power)
    today = None
    if queries_today is not None:
        sample = gate.sampling.at(queries_today)
        today = Today(
            queries_today,
            sample.patients,
            gate.passes(sample),
            smallest_loss(gate, queries_today, power),
            gate.is_open(sample),
        )
    middle = needed or queries_today
    curve: tuple[PowerPoint, ...] = ()
    if with_curve and middle is not None:
        curve = power_curve(gate, middle)
    return PlannedRow(
        subject.gate,
        subject.name,
        subject.value,
        subject.limit,
        needed,
        patients,
        loss,
        gate.sampling.effect,
        today,
        reason,
        curve,
    )


def power_curve(gate: GatePower, middle: int) -> tuple[PowerPoint, ...]:
    """From an eighth of so many queries to four times as many, evenly on a scale of
    ratios.
    """
    low = math.log(max(FEWEST, middle / 8))
    high = math.log(max(FEWEST * 4, middle * 4))
    sizes = [
        round(math.exp(low + (high - low) * place / (_POINTS - 1)))
        for place in range(_POINTS)
    ]
    return tuple(
        PowerPoint(size, gate.passes(gate.sampling.at(size)))
        for size in dict.fromkeys(sizes)
    )
