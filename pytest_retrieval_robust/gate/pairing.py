"""Two runs side by side: which query of the one is which query of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.cases import Direction
from ..core.roles import Role
from .evidence import Evidence
from .measurements import Measurements


@dataclass(frozen=True, repr=False)
class Run:
    """A run and its evidence."""

    measured: Measurements
    evidence: Evidence


Orders: TypeAlias = dict[tuple[str, Direction], NDArray[np.int64]]
"""The indices of the candidate's queries among the baseline's, where they are the same."""


class Pairing:
    """A candidate, a baseline, and the queries that they share.

    The baseline is whatever the candidate is compared with; `role` is what that run is
    called.
    """

    def __init__(
        self,
        candidate: Run,
        baseline: Run,
        orders: Orders | None = None,
        role: Role = Role.BASELINE,
    ) -> None:
        """`orders` are those that are known of the same two runs; more are added."""
        self.candidate = candidate
        self.baseline = baseline
        self.role = role
        self._orders: Orders = {} if orders is None else orders
        self._without_order: set[tuple[str, Direction]] = set()

    def order(self, dataset: str, direction: Direction) -> NDArray[np.int64] | None:
        """(N,) the indices of the candidate's queries among the baseline's; None where
        they are not the same queries.
        """
        key = (dataset, direction)
        if key not in self._orders and key not in self._without_order:
            order = self._found_order(dataset, direction)
            if order is None:
                self._without_order.add(key)
            else:
                self._orders[key] = order
        return self._orders.get(key)

    def _found_order(
        self, dataset: str, direction: Direction
    ) -> NDArray[np.int64] | None:
        candidate_keys = self.candidate.evidence.query_keys(dataset, direction)
        baseline_keys = self.baseline.evidence.query_keys(dataset, direction)
        if candidate_keys is None or baseline_keys is None:
            return None
        return matched(candidate_keys, baseline_keys)


def matched(
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
