"""Ages and lengths as the ranges that strata group them by."""

from __future__ import annotations

import re

AGES = (18, 40, 65, 80)
"""Years at which the ranges of ages begin: 0-17, 18-39, 40-64, 65-79, 80+."""
LENGTHS = (11, 21, 41, 81, 161)
"""Words at which the ranges of lengths begin: 1-10, 11-20, 21-40, 41-80, 81-160, 161+."""
_OLDEST = 130
"""Numbers above are no ages."""
_AGE = re.compile(
    r"(?:>=?|≥|over|above)?\s*(\d{1,3})(?:\.\d*)?\s*\+?"
    r"[\s-]*(?P<unit>d|w|m|y|days?|weeks?|months?|years?|yrs?|yo|y/o|y\.?o\.?)?\.?"
    r"(?:[\s-]*(?:old|of age|or older|and over|and above))?",
)
_YOUNGER = re.compile(r"(?:<=?|≤|under|below)\s*1(?:\s*y(?:ears?|rs?)?)?")
"""Of children in their first year."""
_PER_YEAR = {"d": 365.25, "w": 52.18, "m": 12.0, "y": 1.0}
"""Units of DICOM's age string (AS), by their first letter."""


def age_in_years(written: str) -> int | None:
    """The whole years of an age as tables write it; None for what is no age.

    Years are the unit where none is written. `90+` and `>89` are the least age that is
    meant.

    >>> [age_in_years(age) for age in ("067Y", "67.0", "67 years", "90+", "011M", "old")]
    [67, 67, 67, 90, 0, None]
    """
    text = written.strip().lower()
    if _YOUNGER.fullmatch(text):
        return 0
    match = _AGE.fullmatch(text)
    if match is None:
        return None
    years = int(int(match[1]) / _PER_YEAR[(match["unit"] or "y")[0]])
    return years if years <= _OLDEST else None


def age_range(years: int) -> str:
    """The range that an age is in.

    >>> age_range(17), age_range(40), age_range(80)
    ('0-17', '40-64', '80+')
    """
    return _range(years, (0, *AGES))


def length_range(words: int) -> str:
    """The range that a text of so many words is in.

    >>> length_range(10), length_range(11), length_range(161)
    ('1-10', '11-20', '161+')
    """
    return _range(words, (1, *LENGTHS))


def _range(number: int, beginnings: tuple[int, ...]) -> str:
    last = max(place for place, start in enumerate(beginnings) if start <= number)
    start = beginnings[last]
    if last + 1 == len(beginnings):
        return f"{start}+"
    return f"{start}-{beginnings[last + 1] - 1}"
