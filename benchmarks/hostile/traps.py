"""Runs that an overtrusting gate would pass: what each is made of, and how it must end."""

from __future__ import annotations

from .trap import Trap
from .traps_of_gates import CANNOT_FAIL, GREEN_TRAPS, NOTHING_JUDGED
from .traps_of_sessions import CUT_SHORT, ELSEWHERE
from .traps_of_setups import REPLAYED, WHERE, WORKERS

TRAPS: tuple[Trap, ...] = (
    *GREEN_TRAPS,
    *NOTHING_JUDGED,
    *CANNOT_FAIL,
    *CUT_SHORT,
    *ELSEWHERE,
    *WHERE,
    *REPLAYED,
    *WORKERS,
)
