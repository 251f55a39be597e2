"""Foreign text that is short enough to be read, and numbers as reports write them."""

from __future__ import annotations

import math
from hashlib import blake2b

from ..core.cases import Family

# Reports take it from here, together with what is made of it below.
from ..core.plain_text import plain as plain

_LONGEST_NAME = 96
_LONGEST_SENTENCE = 900
QUANTILES = (0.05, 0.25, 0.5, 0.75)
"""Of the breaking shares, that reports show."""


def short(name: str) -> str:
    """`plain`, with the middle of a very long name left out.

    A hash keeps names apart that differ only there.
    """
    return _cut(plain(name), _LONGEST_NAME)


def readable(text: str) -> str:
    """`plain`, with the middle left out of what nobody would read to its end."""
    return _cut(plain(text), _LONGEST_SENTENCE)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    digest = blake2b(text.encode(), digest_size=3).hexdigest()
    # More of the beginning than of the end; two places are for the ellipses.
    end = longest // 3
    start = longest - end - len(digest) - 2
    return f"{text[:start]}…{digest}…{text[-end:]}"


def number(value: float | None, digits: int = 3) -> str:
    """The value with that many decimals; a dash where there is none or it is not finite."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share in %, without the sign."""
    if share is None:
        return number(None)
    return number(100 * share, digits)


def points(difference: float) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return f"{100 * difference:+.1f}"


def points_between(low: float, high: float) -> str:
    """The interval of a difference: `-1.2 to +3.4`."""
    return f"{points(low)} to {points(high)}"


def level_text(level: float, family: Family = "occlusion") -> str:
    """A level of 0.3 as 30 %, a severity of 0.3 as 0.3."""
    if family == "occlusion":
        return f"{100 * level:g} %"
    return f"{level:g}"


def level_number(level: float, family: Family) -> str:
    """A number between levels, as a half level is: in %, or a severity of two decimals."""
    return percent(level) if family == "occlusion" else number(level, 2)


def known(value: float | None) -> float | None:
    """The value, or None where it is missing or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)
