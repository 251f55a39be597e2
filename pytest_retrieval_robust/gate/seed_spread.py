"""Several mask seeds: how much Recall@k varies with the layout of the mask, apart from
how much it varies with the queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from statistics import fmean, stdev

import numpy as np

from ..core.cases import DIRECTIONS, FAMILIES, Direction, Family, Json
from ..core.outcomes import Outcome
from ..retrieval.bootstrap import design_effect
from ..retrieval.curve import Curve
from .evidence import Evidence


@dataclass(frozen=True)
class LayoutVariation:
    """Recall@k of one model, data set, perturbation and level over several seeds."""

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
    family: Family = "occlusion"

    def as_json(self) -> Json:
        return dict(vars(self))


def layout_variation(
    curves: Iterable[Curve], evidence: Evidence
) -> Iterator[LayoutVariation]:
    """The variation of every hidden cell that was measured with two seeds or more."""
    outcomes = [outcome for curve in curves for outcome in curve.outcomes]
    hidden = [outcome for outcome in outcomes if outcome.case.level > 0]
    # Those of a cell are neighbours.
    hidden.sort(key=lambda outcome: (*_without_seed(outcome), outcome.case.seed))
    for _, group in groupby(hidden, key=_without_seed):
        seeds = list(group)
        if len(seeds) == 1:
            continue
        ks = sorted(seeds[0].image_to_report.recall)
        for direction, k in product(DIRECTIONS, ks):
            yield _variation(seeds, direction, k, evidence)


def _without_seed(outcome: Outcome) -> tuple[str, str, int, str, float]:
    case = outcome.case
    family = FAMILIES.index(case.family)
    return case.model, case.dataset, family, case.occluder, case.level


def _variation(
    seeds: Sequence[Outcome], direction: Direction, k: int, evidence: Evidence
) -> LayoutVariation:
    recalls = [outcome.recall(k, direction) for outcome in seeds]
    case = seeds[0].case
    return LayoutVariation(
        case.model,
        case.dataset,
        case.occluder,
        case.level,
        direction,
        k,
        seeds=len(seeds),
        mean=fmean(recalls),
        layouts=stdev(recalls),
        queries=_error_of_queries(seeds, direction, k, evidence),
        family=case.family,
    )


def _error_of_queries(
    seeds: Sequence[Outcome], direction: Direction, k: int, evidence: Evidence
) -> float:
    """The standard error of the mean that comes from the choice of queries."""
    queries = seeds[0].scores(direction).queries
    hits = []
    for outcome in seeds:
        ranks = evidence.ranks(outcome, direction)
        # Without ranks each query counts as one draw of the mean recall.
        if ranks is None:
            mean = fmean(outcome.recall(k, direction) for outcome in seeds)
            return float((mean * (1 - mean) / queries) ** 0.5)
        hits.append(ranks <= k)
    if queries < 2:
        return 0.0
    # The share of layouts in which a query is hit, whose mean over the queries is the
    # mean over the layouts.
    share_hit = np.mean(hits, axis=0)
    clusters = evidence.clusters(seeds[0].case.dataset, direction, queries)
    effect = design_effect(share_hit, clusters)
    return float((share_hit.var(ddof=1) * effect / queries) ** 0.5)
