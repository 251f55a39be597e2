"""The page's tables of time and cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from ...core.costs import CostMeasurement
from ...core.outcomes import Outcome
from ...gate.record import RunRecord
from .._text import known, level_text, number, short

_UNKNOWN = "–"
SPEED_COLUMNS = (
    "model",
    "data set",
    "images per second",
    "encode seconds",
    "occlude seconds",
    "device",
    "precision",
)
COST_COLUMNS = (
    "model",
    "data set",
    "occluder",
    "level",
    "ms per image",
    "relative cost (quartiles)",
    "latency ms p50 / p95",
    "peak memory GiB",
    "beside",
    "hardware",
)


def speeds(run: RunRecord) -> list[list[str]]:
    """What the sweep of each model and data set took, under `SPEED_COLUMNS`."""

    def pair(outcome: Outcome) -> tuple[str, str]:
        return outcome.case.model, outcome.case.dataset

    return [
        _speed(model, dataset, list(outcomes))
        for (model, dataset), outcomes in groupby(run.outcomes, key=pair)
    ]


def _speed(model: str, dataset: str, outcomes: Sequence[Outcome]) -> list[str]:
    timings = [outcome.timing for outcome in outcomes]
    rates = [known(timing.images_per_second) for timing in timings]
    measured = [rate for rate in rates if rate is not None]
    return [
        short(model),
        short(dataset),
        number(median(measured), 0) if measured else "from the store",
        number(math.fsum(timing.encode_seconds for timing in timings), 1),
        number(math.fsum(timing.occlude_seconds for timing in timings), 1),
        timings[0].device,
        timings[0].precision,
    ]


@dataclass(frozen=True)
class CostTable:
    """What hiding costs, as `occlusion_timer` measured it."""

    rows: tuple[tuple[str, ...], ...]
    hardware: str | None
    """What all of it was measured on; None where that differs, and is a column."""


def cost_table(run: RunRecord) -> CostTable:
    machines = {cost.hardware or cost.device for cost in run.costs}
    rows = [tuple(_cost(cost)) for cost in run.costs]
    if len(machines) != 1:
        return CostTable(tuple(rows), None)
    return CostTable(tuple(row[:-1] for row in rows), short(machines.pop()))


def cost_csv(run: RunRecord) -> list[list[str]]:
    """One row per case, under `COST_COLUMNS`."""
    return [_cost(cost) for cost in run.costs]


def _cost(cost: CostMeasurement) -> list[str]:
    low, high = cost.spread
    latency = memory = reference = _UNKNOWN
    if cost.latency is not None:
        latency = f"{1e3 * cost.latency.p50:.1f} / {1e3 * cost.latency.p95:.1f}"
    if cost.peak_memory_bytes is not None:
        memory = number(cost.peak_memory_bytes / 2**30, 2)
    if cost.reference is not None:
        reference = f"{cost.reference.ratio:.2f} × {short(cost.reference.model)}"
    return [
        short(cost.case.model),
        short(cost.case.dataset),
        short(cost.case.occluder),
        level_text(cost.case.level, cost.case.family),
        number(1e3 * cost.occluded_seconds, 2),
        f"{number(cost.relative_cost, 2)} ({number(low, 2)}–{number(high, 2)})",
        latency,
        memory,
        reference,
        short(cost.hardware or cost.device),
    ]
