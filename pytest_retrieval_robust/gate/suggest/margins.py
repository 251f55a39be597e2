"""Margins of gates beside a baseline, for a model that is as good as the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ...core.cases import Direction
from ...core.verdict import GateKind
from ...retrieval.curve import Curve
from ...retrieval.intervals import Estimate
from ..chance import least_by_chance
from ..curve_statistics import estimate_of
from ..evidence import Evidence
from ..floors import WEAK
from ..limits import BaselineLimit
from .asked import Asked
from .least import confidence_at, rounded_up
from .suggested import Place, Suggested

AGREEMENT = 0.5
"""The correlation, over queries, of what two equally good models hit over all levels. One
run does not tell it. The same weights agree wholly.
"""


def suggested_margin(
    curves: Sequence[Curve],
    direction: Direction,
    evidence: Evidence,
    asked: Asked,
    deviate: float,
) -> Iterator[Suggested]:
    """The margin of Recall@k pooled over the levels and seeds of one perturbation, at the
    largest k; none where half of the recall would fit into it.
    """
    k = asked.ks[-1]
    pooled = _pooled_recall(curves, direction, k, evidence, confidence_at(deviate))
    if pooled is None:
        return
    # An equally good model loses as much as it wins. Where hits agree at c, a difference
    # varies 2 (1 - c) times as much as one recall.
    apart = math.sqrt(2 * (1 - AGREEMENT))
    # How far two samples vary, and how far away the bound of the second one lies.
    predicted = pooled.deviates(confidence_at(deviate))
    reach = apart * pooled.error * (predicted + pooled.deviates(asked.confidence))
    if not math.isfinite(reach):
        return
    margin = rounded_up(reach, reach)
    least = max(
        least_by_chance(curve, direction, GateKind.RECALL, k) for curve in curves
    )
    if margin > WEAK * pooled.value or pooled.value - margin <= least:
        return
    clusters = evidence.clusters(
        curves[0].clean.case.dataset, direction, pooled.queries
    )
    shown = pooled.deviates(0.975) * pooled.error
    yield Suggested(
        Place.over_levels(curves[0].outcomes[-1].case, direction),
        BaselineLimit(k, margin),
        pooled.value,
        (pooled.value - shown, pooled.value + shown),
        pooled.queries,
        clusters.count,
        len(curves),
    )


def _pooled_recall(
    curves: Sequence[Curve],
    direction: Direction,
    k: int,
    evidence: Evidence,
    confidence: float,
) -> Estimate | None:
    """The mean Recall@k over levels and seeds; None without ranks."""
    means = []
    for curve in curves:
        ks = sorted(curve.clean.scores(direction).recall)
        samples = evidence.samples(curve.outcomes, direction, ks)
        if samples is None:
            return None
        means.append(samples[:, :, ks.index(k)].mean(axis=1))
    recalls = [
        outcome.recall(k, direction) for curve in curves for outcome in curve.outcomes
    ]
    clean = curves[0].clean
    queries = clean.scores(direction).queries
    clusters = evidence.clusters(clean.case.dataset, direction, queries)
    pooled = np.mean(means, axis=0)
    return estimate_of(
        float(np.mean(recalls)), pooled, clusters.patient_sizes, confidence
    )
