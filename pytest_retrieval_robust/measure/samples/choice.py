"""Which level and which queries are shown, by rules that the page states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...core.cases import Cell, PlannedPerturbation

Ranks = NDArray[np.int64]
FALLEN = 3
"""Queries at most that are shown because their rank fell furthest."""


def middle_level(
    cells: Iterable[Cell], changes: Sequence[PlannedPerturbation]
) -> Cell | None:
    """The middle level of the first occluder or corruption and its first seed, the lower
    one of two.

    None if no image is changed in any cell.
    """
    by_change: defaultdict[PlannedPerturbation, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.level > 0 and cell.family != "text-noise":
            by_change[PlannedPerturbation(cell.family, cell.occluder)].append(cell)
    if not by_change:
        return None
    first = by_change[min(by_change, key=list(changes).index)]
    seed = min(cell.seed for cell in first)
    of_seed = sorted(
        (cell for cell in first if cell.seed == seed), key=lambda cell: cell.level
    )
    return of_seed[_middle(of_seed)]


def queries_to_show(before: Ranks, after: Ranks) -> dict[int, str]:
    """The queries to show, each with the reason, by their index in both (N,) rank arrays.

    At most three whose rank fell furthest, one that stayed first, and one with the
    median rank after hiding. Of equals the first in the data is taken, so that the same
    ranks always show the same queries.
    """
    chosen: dict[int, str] = {}
    for query in np.argsort(before - after, kind="stable")[:FALLEN]:
        if after[query] > before[query]:
            chosen[int(query)] = "Fell furthest"
    for query in np.flatnonzero((before == 1) & (after == 1))[:1]:
        chosen[int(query)] = "Stayed first"
    rising = np.argsort(after, kind="stable")
    # The median one may be shown already: then the next one is taken.
    for query in rising[_middle(rising) :]:
        if int(query) not in chosen:
            chosen[int(query)] = "Typical"
            break
    return chosen


def breakings_to_show(shares: NDArray[np.float64]) -> dict[int, str]:
    """The images with the smallest, the median and the greatest breaking share.

    `shares`, (N,), are NaN where nothing was to break and 1 where nothing broke; both
    are left out.
    """
    broken = np.flatnonzero(np.isfinite(shares) & (shares < 1))
    if not len(broken):
        return {}
    rising = broken[np.argsort(shares[broken], kind="stable")]
    chosen = {int(rising[0]): "The smallest"}
    chosen.setdefault(int(rising[_middle(rising)]), "The median")
    chosen.setdefault(int(rising[-1]), "The greatest")
    return chosen


def _middle(rising: Sequence[object] | NDArray[np.intp]) -> int:
    """The index of the median, the lower one of two."""
    return (len(rising) - 1) // 2
