"""Enumerations whose members are their texts, on every Python that the package takes."""

from __future__ import annotations

import sys

# It can go with Python 3.10, the last without it.
if sys.version_info >= (3, 11):
    from enum import StrEnum as StrEnum
else:
    from enum import Enum

    class StrEnum(str, Enum):
        """Members are their values, also in an f-string, where 3.10 would show their names."""

        __str__ = str.__str__
        __format__ = str.__format__  # type: ignore[assignment]
