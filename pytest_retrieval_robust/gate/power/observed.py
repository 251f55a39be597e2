"""Gates of a model like the one that a run measured: with its recalls, its patients, and how
it differed from a baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.verdict import Metric
from ...retrieval.bootstrap import Clusters, design_effect
from ..curve_statistics import Floats, Statistic, statistic
from ..decision import Decision
from ..difference import Errors
from ..paired_hits import STATISTIC_OF, PairedHits
from .cell import CellPower
from .curve_floor import CurveFloorPower, derivative
from .pooled import PairedLevels, PooledPower
from .recall_floor import RecallFloorPower
from .sampling import Sampling


@dataclass(frozen=True, repr=False)
class ObservedHits:
    """(N, L) hits of the queries of a run at some levels; those with several seeds are
    their means.
    """

    hits: Floats
    clusters: Clusters

    @property
    def queries(self) -> int:
        return len(self.hits)

    @property
    def recalls(self) -> tuple[float, ...]:
        """(L,) never 0 or 1, at which nothing would vary."""
        return tuple(_inside(recall, self.queries) for recall in self.hits.mean(axis=0))

    @property
    def between(self) -> tuple[tuple[float, ...], ...]:
        """(L, L) correlations of the hits at two levels."""
        return _correlations(self.hits)

    def sampling(self, weights: Floats) -> Sampling:
        """Patients of these sizes, as alike in the weighted sum of their queries' hits."""
        return _sampling(self.hits @ weights, self.clusters)

    def recall_floor(self, minimum: float, decision: Decision) -> RecallFloorPower:
        """At the last of the levels."""
        return RecallFloorPower(
            self.recalls[-1],
            minimum,
            decision.by,
            decision.confidence,
            _sampling(self.hits[:, -1], self.clusters),
        )

    def curve_floor(
        self,
        number: Statistic,
        levels: Sequence[float],
        minimum: float,
        decision: Decision,
    ) -> CurveFloorPower:
        """Of retention at the last of the levels, or of a number of all of them."""
        recalls = np.array(self.recalls)
        weights = derivative(number, levels, recalls)
        return CurveFloorPower(
            number,
            tuple(levels),
            self.recalls,
            self.between,
            minimum,
            decision.by,
            decision.confidence,
            self.sampling(weights),
        )


@dataclass(frozen=True, repr=False)
class ObservedPairs:
    """How two runs, or a run and an assumed one beside it, hit the same queries."""

    baseline: ObservedHits
    correlations: tuple[float, ...]
    """(L,) of the hits of both (phi)."""
    between: tuple[tuple[float, ...], ...]
    """(L, L) correlations of the differences at two levels."""
    differences: Floats
    """(N, L) what patients are alike in: differences, or hits where they are unknown."""

    @classmethod
    def of_runs(cls, hits: PairedHits) -> ObservedPairs:
        """Both were measured."""
        differences = hits.candidate - hits.baseline
        baseline = ObservedHits(hits.baseline, hits.clusters)
        candidate = ObservedHits(hits.candidate, hits.clusters)
        correlations = [
            _phi(one, other, float(np.square(column).mean()), len(differences))
            for one, other, column in zip(
                baseline.recalls, candidate.recalls, differences.T, strict=True
            )
        ]
        return cls(
            baseline, tuple(correlations), _correlations(differences), differences
        )

    @classmethod
    def assumed(cls, hits: ObservedHits, correlation: float) -> ObservedPairs:
        """The other run is assumed: differences are as alike as hits are."""
        correlations = (correlation,) * len(hits.recalls)
        return cls(hits, correlations, hits.between, hits.hits)

    def cell(self, margin: float, errors: Errors) -> CellPower:
        """At the last of the levels."""
        return CellPower(
            self.baseline.recalls[-1],
            self.correlations[-1],
            margin,
            errors,
            _sampling(self.differences[:, -1], self.baseline.clusters),
        )

    def pooled(
        self, metric: Metric, levels: Sequence[float], margin: float, errors: Errors
    ) -> PooledPower:
        """Of a metric over the levels."""
        number = STATISTIC_OF[metric]
        recalls = np.array(self.baseline.recalls)
        value = float(statistic(number, levels, recalls[None])[0])
        # A half level that is not reached counts as the last level, as gates have it.
        if number is Statistic.HALF_LEVEL:
            value = min(value, levels[-1])
        weights = derivative(number, levels, recalls)
        return PooledPower(
            PairedLevels(self.baseline.recalls, self.correlations, self.between),
            tuple(weights.tolist()),
            margin,
            errors,
            _sampling(self.differences @ weights, self.baseline.clusters),
            value,
            is_share=metric in ("recall", "auc"),
        )


def _sampling(values: Floats, clusters: Clusters) -> Sampling:
    effect = design_effect(values, clusters)
    return Sampling.with_effect(tuple(clusters.sizes.tolist()), effect)


def _inside(recall: float, n: int) -> float:
    """As if one more query were hit and one more missed, where all or none are."""
    if 0 < recall < 1:
        return float(recall)
    return (recall * n + 1) / (n + 2)


def _phi(one: float, other: float, differing: float, n: int) -> float:
    """The correlation of the hits of two models that differ in a share of `n` queries."""
    # As if one query differed where none does.
    share = differing or 1 / (n + 2)
    both = (one + other - share) / 2
    spread = np.sqrt(one * (1 - one) * other * (1 - other))
    return float(np.clip((both - one * other) / spread, -1.0, 1.0))


def _correlations(values: Floats) -> tuple[tuple[float, ...], ...]:
    """(L, L) of (N, L) values; 0 beside what does not vary."""
    centred = values - values.mean(axis=0)
    lengths = np.sqrt(np.square(centred).sum(axis=0))
    lengths[lengths == 0] = np.inf
    scaled = centred / lengths
    correlations = scaled.T @ scaled
    np.fill_diagonal(correlations, 1.0)
    return tuple(map(tuple, correlations.tolist()))
