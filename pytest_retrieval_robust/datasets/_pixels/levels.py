"""Stored values of any depth as levels of 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .refusals import LEAVE_OUT, Refused

Values = NDArray[np.float64]


def by_value(
    pixels: NDArray[Any], to_shares: Callable[[Values], Values]
) -> NDArray[np.uint8]:
    """The pixels through `to_shares`, which answers from 0 (black) to 1 (white).

    Its answers are clipped and rounded to 0..255. It is called once: with the values that
    occur, in their order, if they have up to 16 bits; else with every pixel.
    """
    if pixels.itemsize > 2:
        return _levels(to_shares(pixels.astype(np.float64)))

    # A radiograph has far more pixels than different values: look each one up in a table.
    # The unsigned pattern of a value is its place there, whether it is signed or not.
    patterns = pixels.view(f"u{pixels.itemsize}")
    pattern_count = 2 ** (8 * pixels.itemsize)
    every_value = np.arange(pattern_count, dtype=patterns.dtype).view(pixels.dtype)
    occurs = np.zeros(pattern_count, dtype=np.bool_)
    occurs[patterns] = True

    levels = np.zeros(pattern_count, dtype=np.uint8)
    levels[occurs] = _levels(to_shares(every_value[occurs].astype(np.float64)))
    picture: NDArray[np.uint8] = levels[patterns]
    return picture


def _levels(shares: Values) -> NDArray[np.uint8]:
    if not np.isfinite(shares).all():
        raise Refused(
            "a scale that makes levels of all values", "one that overflows", LEAVE_OUT
        )
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
