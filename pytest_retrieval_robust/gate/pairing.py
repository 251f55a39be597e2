"""Two runs side by side: which query of the one is which query of the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.cases import Direction
from .evidence import Evidence
from .measurements import Measurements


@dataclass(frozen=True, repr=False)
class Run:
    """A run and its evidence."""

    measured: Measurements
    evidence: Evidence


class Pairing:
    """A candidate, a baseline, and the queries that they share."""

    def __init__(self, candidate: Run, baseline: Run) -> None:
        self.candidate = candidate
        self.baseline = baseline
        self._order: dict[tuple[str, Direction], NDArray[np.int64] | None] = {}

    def order(self, dataset: str, direction: Direction) -> NDArray[np.int64] | None:
        """(N,) the indices of the candidate's queries among the baseline's; None where
        they are not the same queries.
        """
        key = (dataset, direction)
        if key not in self._order:
            candidate_keys = self.candidate.evidence.query_keys(dataset, direction)
            baseline_keys = self.baseline.evidence.query_keys(dataset, direction)
            order = None
            if candidate_keys is not None and baseline_keys is not None:
                order = _matched(candidate_keys, baseline_keys)
            self._order[key] = order
        return self._order[key]


def _matched(
    keys: NDArray[np.int64], baseline_keys: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """The indices of `keys` among `baseline_keys`; None where the two are not the same
    keys in some order.
    """
    if len(keys) != len(baseline_keys):
        return None
    # A stable sort matches texts that occur more than once in their order.
    rising = np.argsort(keys, kind="stable")
    baseline_rising = np.argsort(baseline_keys, kind="stable")
    if not np.array_equal(keys[rising], baseline_keys[baseline_rising]):
        return None
    order = np.empty(len(keys), dtype=np.int64)
    order[rising] = baseline_rising
    return order
