"""Several mask seeds: how much Recall@k varies with the layout of the mask, apart from
how much it varies with the queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, product
from statistics import fmean, stdev

import numpy as np

from ..core.cases import DIRECTIONS, Direction, Json
from ..core.outcomes import Outcome
from ..retrieval.bootstrap import design_effect
from ..retrieval.curve import Curve
from .evidence import Evidence


@dataclass(frozen=True)
class LayoutVariation:
    """Recall@k of one model, data set, occluder and level over several seeds."""

    model: str
    dataset: str
    occluder: str
    level: float
    direction: Direction
    k: int
    seeds: int
    mean: float
    layouts: float
    """Standard deviation of Recall@k between the layouts, for these same queries."""
    queries: float
    """Standard error of the mean over layouts that comes from the choice of queries
    (patients where they repeat).
    """

    def as_json(self) -> Json:
        return dict(vars(self))


def layout_variation(
    curves: Iterable[Curve], evidence: Evidence
) -> Iterator[LayoutVariation]:
    """The variation of every hidden cell that was measured with two seeds or more."""
    hidden = [
        outcome
        for curve in curves
        for outcome in curve.outcomes
        if outcome.case.level > 0
    ]
    for _, group in groupby(
        sorted(hidden, key=lambda outcome: outcome.case), key=_without_seed
    ):
        outcomes = list(group)
        if len(outcomes) > 1:
            for direction, k in product(
                DIRECTIONS, sorted(outcomes[0].image_to_report.recall)
            ):
                yield _variation(outcomes, direction, k, evidence)


def _without_seed(outcome: Outcome) -> tuple[str, str, str, float]:
    case = outcome.case
    return case.model, case.dataset, case.occluder, case.level


def _variation(
    outcomes: list[Outcome], direction: Direction, k: int, evidence: Evidence
) -> LayoutVariation:
    recalls = [outcome.recall(k, direction) for outcome in outcomes]
    case = outcomes[0].case
    return LayoutVariation(
        case.model,
        case.dataset,
        case.occluder,
        case.level,
        direction,
        k,
        len(outcomes),
        fmean(recalls),
        stdev(recalls),
        _error_of_queries(outcomes, direction, k, evidence),
    )


def _error_of_queries(
    outcomes: list[Outcome], direction: Direction, k: int, evidence: Evidence
) -> float:
    ranks = [
        found
        for outcome in outcomes
        if (found := evidence.ranks(outcome, direction)) is not None
    ]
    queries = outcomes[0].scores(direction).queries
    if len(ranks) < len(outcomes):
        mean = fmean(outcome.recall(k, direction) for outcome in outcomes)
        return float((mean * (1 - mean) / queries) ** 0.5)
    # The share of layouts in which a query is hit, whose mean over the queries is the
    # mean over the layouts.
    hit = np.mean([one <= k for one in ranks], axis=0)
    effect = design_effect(
        hit, evidence.clusters(outcomes[0].case.dataset, direction, queries)
    )
    return float((hit.var(ddof=1) * effect / queries) ** 0.5) if queries > 1 else 0.0
