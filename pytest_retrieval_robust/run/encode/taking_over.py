"""Takes over what the other parts have not done, or not yet.

What nobody has begun comes first, in random order. Then only batches are left that
somebody has begun: they are waited for once, as long as a batch took here, because most
of them are about to be done. What is still missing belongs to a process that is slow or
dead, and is begun once more. So it goes on until nothing is missing; the first whole
file wins, and another one is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .shares import shuffled

if TYPE_CHECKING:
    from .marks import Marks
    from .part import Part

MOST_SECONDS = 600.0
"""Nothing is waited for longer, however long a batch took."""
LEAST_SECONDS = 0.2
"""Between two looks at a folder in which others' files may appear late."""


@dataclass(frozen=True, repr=False)
class SweepLeft:
    """A sweep of which other parts have batches. Its model may be let go."""

    number: int
    names: Sequence[str]
    """Every batch of it."""
    marks: Marks


Encode = Callable[[SweepLeft, Sequence[str], int], int | None]
"""Encodes the named batches, each begun for the n-th time, as far as nobody else begins it.

It returns how many it took, or None where the sweep cannot go on here.
"""


class TakingOver:
    """Goes through the sweeps until nothing is missing.

    Args:
        part: The part that takes over.
        encode: What encodes.
        batch_seconds: What a batch took here; 0 if none was encoded.
    """

    def __init__(
        self, part: Part, encode: Encode, batch_seconds: Callable[[], float]
    ) -> None:
        self._part = part
        self._encode = encode
        self._batch_seconds = batch_seconds

    def run(self, sweeps: Sequence[SweepLeft]) -> None:
        """Take over what is left of the sweeps, in that order."""
        remaining = list(sweeps)
        times = 0
        while remaining:
            taken = 0
            for sweep in list(remaining):
                count = self._take_over(sweep, times)
                # Without marks nobody says what is done.
                if count is None or not sweep.marks.work:
                    remaining.remove(sweep)
                taken += count or 0
            least = [_fewest_begun(sweep) for sweep in remaining]
            begun = [count for count in least if count is not None]
            if not begun:
                return
            times = min(begun)
            if times or not taken:
                time.sleep(self._pause())

    def _take_over(self, sweep: SweepLeft, times: int) -> int | None:
        """Encode what was begun `times` times."""
        seen = sweep.marks.seen()
        missing = seen.missing(sweep.names)
        names = [name for name in missing if seen.begun[name] == times]
        if not names:
            return 0
        ordered = shuffled(names, self._part, sweep.number)
        return self._encode(sweep, ordered, times + 1)

    def _pause(self) -> float:
        return min(max(self._batch_seconds(), LEAST_SECONDS), MOST_SECONDS)


def _fewest_begun(sweep: SweepLeft) -> int | None:
    """How often the missing batch was begun that fewest have begun; None if none is missing."""
    seen = sweep.marks.seen()
    counts = [seen.begun[name] for name in seen.missing(sweep.names)]
    return min(counts, default=None)
