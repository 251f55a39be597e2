"""What values of a `[[gate]]` table may be, and the error where one is something else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias, TypeGuard

from ..core.errors import ConfigError

Wrong: TypeAlias = Callable[[str, str], ConfigError]
"""The error of (key, what was expected), with the line of that key."""


def has_keys(value: object, needed: set[str], optional: set[str]) -> bool:
    """Whether `value` is a table that has every key it needs, and no unknown one."""
    return isinstance(value, dict) and needed <= set(value) <= needed | optional


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: object) -> TypeGuard[float]:
    return is_number(value) and math.isfinite(value)


def is_whole(value: object, least: int) -> bool:
    return type(value) is int and value >= least
