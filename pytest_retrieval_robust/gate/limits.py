"""The limits that a policy may state. Each kind is a small class that judges numbers of
its own.

All have the same face: `key`, under which tables merge it; `gate(direction)`, which its
verdicts name; `applies_at(case)` and `is_planned_at(case, plan)`, where it is judged;
and `judge(numbers, decision)`, its verdict in a full sentence.
"""

from __future__ import annotations

from typing import TypeAlias

from .baseline import BaselineLimit
from .breaking import BreakingLimit
from .corruption_error import ErrorLimit
from .cost import Ceiling, CostLimit, HardwareLimit, RelativeLimit
from .counterfactual import CounterfactualFloor, DistractorFloor, EditLimit
from .drift import DriftLimit
from .floors import Floor
from .group_limit import GroupLimit
from .metric_floor import MetricFloor

__all__ = [
    "BaselineLimit",
    "BreakingLimit",
    "Ceiling",
    "CostLimit",
    "CounterfactualFloor",
    "DistractorFloor",
    "DriftLimit",
    "EditLimit",
    "ErrorLimit",
    "Floor",
    "GroupLimit",
    "HardwareLimit",
    "Limit",
    "MetricFloor",
    "RelativeLimit",
]

Limit: TypeAlias = (
    Floor
    | MetricFloor
    | CostLimit
    | BreakingLimit
    | EditLimit
    | GroupLimit
    | BaselineLimit
    | ErrorLimit
    | DriftLimit
)
