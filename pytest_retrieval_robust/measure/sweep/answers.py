"""What the lists of answers of a cell say: how much of the clean lists is left in them, and
whether the score of the first answer warns of a wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.cases import DIRECTIONS, Direction
from ...core.outcomes import Answers
from ...core.shared_values import shared_interval, shared_number
from ...models import similarity_of
from ...retrieval.bootstrap import Clusters
from ...retrieval.ranking import BestAnswers, Similarity, best_answers
from ...retrieval.risk_coverage import least_risk_coverage_area, risk_coverage_area
from ...retrieval.shares import share_of
from .scores import Ranks, in_tiles

if TYPE_CHECKING:
    from torch import Tensor

    from ...models import DualEncoder
    from ..pairs import Pairs

MOST_QUERIES = 4096
"""Queries whose lists are looked at: more would cost as much again as ranking them all."""
_TWO_SIDED = 0.975


class Rows(NamedTuple):
    """The embeddings of a cell."""

    images: Tensor
    reports: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Lists:
    """The first answers of some queries, in both directions."""

    queries: dict[Direction, NDArray[np.int64]]
    """The numbers of the queries that are looked at, rising."""
    found: dict[Direction, BestAnswers]


def lists_of(model: DualEncoder, rows: Rows, ks: Sequence[int]) -> Lists:
    """The first max(`ks`) answers of at most `MOST_QUERIES` queries of each direction.

    Of more queries those are taken that lie at even steps: the same in every cell.
    """
    scorer = similarity_of(model)
    sides = {DIRECTIONS[0]: rows, DIRECTIONS[1]: Rows(rows.reports, rows.images)}
    scorers = {DIRECTIONS[0]: scorer, DIRECTIONS[1]: _turned(scorer)}
    queries: dict[Direction, NDArray[np.int64]] = {}
    found: dict[Direction, BestAnswers] = {}
    for direction in DIRECTIONS:
        asking, gallery = sides[direction]
        numbers = _even_steps(len(asking))
        chosen = asking if len(numbers) == len(asking) else asking[numbers]

        def find(
            device: str,
            tile: int,
            asking: Tensor = chosen,
            gallery: Tensor = gallery,
            similarity: Similarity | None = scorers[direction],
        ) -> BestAnswers:
            return best_answers(
                asking.to(device),
                gallery.to(device),
                max(ks),
                similarity=similarity,
                tile=tile,
            )

        queries[direction] = numbers
        found[direction] = in_tiles(model, find)
    return Lists(queries, found)


def answers_of(
    lists: Lists,
    clean: Lists | None,
    ranks: dict[Direction, Ranks],
    pairs: Pairs,
    ks: Sequence[int],
) -> dict[Direction, Answers]:
    """What the lists of a cell say, beside those with nothing done if they are given."""
    patients = {
        DIRECTIONS[0]: pairs.queries.images.patients,
        DIRECTIONS[1]: pairs.queries.reports.patients,
    }
    answers = {}
    for direction in DIRECTIONS:
        numbers = lists.queries[direction]
        found = lists.found[direction]
        is_wrong = ranks[direction][numbers] > 1
        area = risk_coverage_area(found.scores, is_wrong)
        least = least_risk_coverage_area(int(is_wrong.sum()), len(is_wrong))
        overlaps = {}
        if clean is not None:
            before = clean.found[direction].items
            overlaps = {k: shared(before[:, :k], found.items[:, :k]) for k in ks}
        clusters = _of_some(patients[direction], numbers)
        answers[direction] = Answers(
            queries=len(numbers),
            aurc=area,
            # Rounding must not lead below what is the least.
            excess_aurc=max(0.0, area - least),
            overlap={
                k: shared_number(float(shares.mean())) for k, shares in overlaps.items()
            },
            overlap_interval={
                k: _interval(shares, clusters) for k, shares in overlaps.items()
            },
        )
    return answers


def shared(before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q,) the share of the items of each row of (Q, k) that is in the other's row too."""
    together = np.sort(np.concatenate([before, after], axis=1), axis=1)
    # Within a row no item stands twice: what repeats is in both.
    twice = (together[:, 1:] == together[:, :-1]).sum(axis=1)
    shares: NDArray[np.float64] = twice / before.shape[1]
    return shares


def _interval(
    shares: NDArray[np.float64], clusters: Clusters | None
) -> tuple[float, float]:
    """Two-sided 95 %."""
    estimate = share_of(shares, clusters, _TWO_SIDED)
    return shared_interval(estimate.low, estimate.high)


def _even_steps(count: int) -> NDArray[np.int64]:
    """`MOST_QUERIES` numbers below `count` at even steps, or all of them."""
    if count <= MOST_QUERIES:
        return np.arange(count)
    return np.arange(MOST_QUERIES) * count // MOST_QUERIES


def _of_some(patients: Clusters | None, numbers: NDArray[np.int64]) -> Clusters | None:
    if patients is None or len(numbers) == len(patients.numbers):
        return patients
    return Clusters.of(patients.numbers[numbers])


def _turned(similarity: Similarity | None) -> Similarity | None:
    """The scorer of (reports, images), from that of (images, reports)."""
    if similarity is None:
        return None

    def score(reports: Tensor, images: Tensor) -> Tensor:
        return similarity(images, reports).T

    return score
