"""Elements of a DICOM header: the first value of each, or None."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .refusals import LEAVE_OUT, Refused


def first(file: Any, key: str) -> Any:
    """The first value of an element; None for an absent or empty one."""
    value = file.get(key)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value[0] if len(value) else None
    return value


def word(file: Any, key: str) -> str:
    """The first value of a text element, in capitals and without padding; "" for none."""
    value = first(file, key)
    return "" if value is None else str(value).replace("\0", " ").strip().upper()


def number(file: Any, key: str) -> float | None:
    """The first value of a numeric element, None for an absent or empty one.

    Raises `Refused` for NaN and infinities.
    """
    value = first(file, key)
    if _is_blank(value):
        return None
    parsed = float(value)
    if not math.isfinite(parsed):
        raise Refused("finite numbers in a DICOM header", f"{key}={parsed}", LEAVE_OUT)
    return parsed


def whole(file: Any, key: str) -> int | None:
    """The first value of an element of whole numbers, None for an absent or empty one."""
    value = first(file, key)
    return None if _is_blank(value) else int(value)


def _is_blank(value: Any) -> bool:
    return value is None or str(value).strip() == ""
