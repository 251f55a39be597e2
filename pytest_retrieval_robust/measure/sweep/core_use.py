"""How much of its cores this process uses."""

from __future__ import annotations

import time

from ...core.device import usable_cores

_HALF = 0.5


class CoreUse:
    """The use of the cores since this was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cores = time.process_time()

    def leaves_half_idle(self) -> bool:
        """Whether at least half of the cores had nothing to do, on average."""
        seconds = time.perf_counter() - self._wall
        # Of all threads together.
        busy = time.process_time() - self._cores
        return busy <= _HALF * usable_cores() * seconds
