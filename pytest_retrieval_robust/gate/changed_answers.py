"""What changed query by query: right with nothing done and wrong in a cell, and the reverse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.cases import DIRECTIONS, Case, Direction
from ..core.outcomes import Outcome
from ..retrieval.bootstrap import Clusters
from ..retrieval.shares import share_of
from .evidence import Evidence
from .measurements import Measurements

_TWO_SIDED = 0.975


@dataclass(frozen=True)
class ChangedAnswers:
    """Of one cell, direction and k: how many queries lost their right answer, and how many
    won one.

    A query is right where one of its first k answers is. Recall@k with nothing done,
    minus `lost`, plus `won`, is Recall@k of the cell.
    """

    case: Case
    direction: Direction
    k: int
    queries: int
    lost: float
    """The share of all queries that is right with nothing done and wrong here."""
    lost_interval: tuple[float, float]
    """Two-sided 95 %: Wilson's, of the effective number of queries where patients repeat."""
    won: float
    """The share of all queries that is wrong with nothing done and right here."""
    won_interval: tuple[float, float]


def changed_answers(
    measured: Measurements, evidence: Evidence
) -> Iterator[ChangedAnswers]:
    """Every cell above level 0 whose ranks are known, beside the same queries with nothing
    done; in the order of the outcomes.
    """
    for outcome in measured.outcomes:
        clean = measured.by_case.get(outcome.case.clean())
        if outcome.case.level == 0 or clean is None:
            continue
        for direction in DIRECTIONS:
            yield from _of_cell(outcome, clean, direction, evidence)


def _of_cell(
    outcome: Outcome, clean: Outcome, direction: Direction, evidence: Evidence
) -> Iterator[ChangedAnswers]:
    ranks = evidence.ranks(outcome, direction)
    before = evidence.ranks(clean, direction)
    if ranks is None or before is None or len(ranks) != len(before):
        return
    patients = evidence.clusters(outcome.case.dataset, direction, len(ranks))
    for k in sorted(outcome.scores(direction).recall):
        is_right = ranks <= k
        was_right = before <= k
        lost, lost_interval = _share(was_right & ~is_right, patients)
        won, won_interval = _share(~was_right & is_right, patients)
        yield ChangedAnswers(
            outcome.case,
            direction,
            k,
            len(ranks),
            lost,
            lost_interval,
            won,
            won_interval,
        )


def _share(
    marked: NDArray[np.bool_], patients: Clusters
) -> tuple[float, tuple[float, float]]:
    """The share of the queries that are marked, and its interval."""
    estimate = share_of(marked, patients, _TWO_SIDED)
    return estimate.value, (estimate.low, estimate.high)
