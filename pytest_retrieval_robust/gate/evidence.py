"""What the queries of a run say of a number: its bounds and its standard error, from
ranks and patients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.cases import DIRECTIONS, Direction
from ..core.outcomes import Outcome
from ..core.words import known_word, measured_k
from ..retrieval.bootstrap import Clusters, design_effect, resampled_means
from ..retrieval.curve import Curve
from ..retrieval.intervals import Estimate, normal_quantile, proportion

Floats: TypeAlias = NDArray[np.float64]
STATISTICS = ("recall", "retention", "mean_retention", "auc", "half_level", "slope")
_FEWEST_IN_A_TAIL = 10
"""Resamples beyond a quantile without which it is taken from the normal distribution instead."""


class Arrays(Protocol):
    """Where the ranks and keys of a run lie."""

    def of_case(self, ranks_key: str) -> Mapping[str, NDArray[np.int64]] | None:
        """`image_ranks` and `report_ranks`."""

    def of_dataset(self, name: str) -> Mapping[str, NDArray[np.int64]] | None:
        """`image_query_key`, `report_query_key`, `cluster`, `report_cluster`."""


class Evidence:
    """The ranks of a run, and the bootstrap samples made of them, each once."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._samples: dict[tuple[Any, ...], Floats | None] = {}
        self._clusters: dict[tuple[str, str], Clusters] = {}

    def ranks(self, outcome: Outcome, direction: Direction) -> NDArray[np.int64] | None:
        """(N,) ranks of a case, or None where they were not kept."""
        name = f"{_kind(direction)}_ranks"
        found = (
            None
            if outcome.ranks_key is None
            else self._arrays.of_case(outcome.ranks_key)
        )
        return None if found is None else found.get(name)

    def query_keys(
        self, dataset: str, direction: Direction
    ) -> NDArray[np.int64] | None:
        """(N,) what names each query across runs."""
        name = f"{_kind(direction)}_query_key"
        found = self._arrays.of_dataset(dataset)
        return None if found is None else found.get(name)

    def clusters(self, dataset: str, direction: Direction, queries: int) -> Clusters:
        """The patient of each query; each query alone where that is not known."""
        name = "cluster" if _kind(direction) == "image" else "report_cluster"
        if (dataset, name) not in self._clusters:
            labels = (self._arrays.of_dataset(dataset) or {}).get(name)
            if labels is None:
                return Clusters.of(np.arange(queries))
            self._clusters[dataset, name] = Clusters.of(labels)
        return self._clusters[dataset, name]

    def recall(
        self, outcome: Outcome, direction: Direction, k: int, confidence: float
    ) -> Estimate:
        """Recall@k with Wilson's bounds; where patients repeat, those of as many
        queries as they are worth.
        """
        scores = outcome.scores(direction)
        ranks, effect = self.ranks(outcome, direction), 1.0
        if ranks is not None:
            clusters = self.clusters(outcome.case.dataset, direction, len(ranks))
            effect = design_effect((ranks <= k).astype(np.float64), clusters)
        return proportion(
            scores.recall[measured_k(k, scores.recall)],
            scores.queries,
            confidence,
            effect,
        )

    def of_curve(
        self, curve: Curve, direction: Direction, k: int, name: str, confidence: float
    ) -> Estimate | None:
        """Retention at the last level, area, half level or slope with bootstrap bounds;
        None without ranks.
        """
        samples = self.samples(
            curve.outcomes, direction, sorted(curve.clean.scores(direction).recall)
        )
        if samples is None:
            return None
        measured = sorted(curve.clean.scores(direction).recall)
        place = measured.index(measured_k(k, measured))
        recalls = np.array(
            [[outcome.recall(k, direction) for outcome in curve.outcomes]]
        )
        value = float(statistic(name, curve.levels, recalls)[0])
        queries = curve.clean.scores(direction).queries
        return estimate_of(
            value,
            statistic(name, curve.levels, samples[:, :, place]),
            queries,
            confidence,
        )

    def samples(
        self, outcomes: Sequence[Outcome], direction: Direction, ks: Sequence[int]
    ) -> Floats | None:
        """(B, L, K) Recall@k of the outcomes in resamples of the patients; None where
        ranks are missing.
        """
        key = (tuple(outcome.ranks_key for outcome in outcomes), direction, tuple(ks))
        if key not in self._samples:
            self._samples[key] = self._resampled(outcomes, direction, ks)
        return self._samples[key]

    def _resampled(
        self, outcomes: Sequence[Outcome], direction: Direction, ks: Sequence[int]
    ) -> Floats | None:
        ranks = [self.ranks(outcome, direction) for outcome in outcomes]
        found = [one for one in ranks if one is not None]
        if len(found) < len(ranks) or len({len(one) for one in found}) != 1:
            return None
        hits = hits_of(found, ks)
        clusters = self.clusters(outcomes[0].case.dataset, direction, len(hits))
        # One patient who loses all when anything is hidden, and one who gains all:
        # everything varies.
        clean_alone = np.repeat([1.0] + [0.0] * (len(found) - 1), len(ks))
        means = resampled_means(
            hits, clusters, pseudo=np.stack([clean_alone, 1 - clean_alone])
        )
        return means.reshape(len(means), len(found), len(ks))


def hits_of(ranks: Sequence[NDArray[np.int64]], ks: Sequence[int]) -> Floats:
    """(N, L * K) whether each query is hit, for each of L cases and then each k."""
    table = np.stack(ranks, axis=1)[:, :, None] <= np.array(ks)[None, None, :]
    return table.reshape(len(table), -1).astype(np.float64)


def estimate_of(
    value: float, samples: Floats, queries: int, confidence: float
) -> Estimate:
    """A number with the bounds that its bootstrap samples give, each held with `confidence`."""
    low, high = tail(samples, 1 - confidence), -tail(-samples, 1 - confidence)
    error = float(samples.std()) if np.isfinite(samples).all() else math.inf
    return Estimate(value, low, high, error, queries)


def tail(samples: Floats, share: float) -> float:
    """The value that a `share` of the samples lies below; from the normal distribution
    where that is too few to say.
    """
    if share * len(samples) >= _FEWEST_IN_A_TAIL or not np.isfinite(samples).all():
        return float(np.quantile(samples, share, method="lower"))
    return float(samples.mean() + normal_quantile(share) * samples.std())


def statistic(name: str, levels: Sequence[float], recalls: Floats) -> Floats:
    """What the statistic of that name, one of `STATISTICS`, says of each of (B, L)
    recalls: (B,) numbers.

    Retention at the last level (inf where a sample has no recall to lose), mean
    retention of the hidden levels, area, half level (inf where it is not reached),
    slope or mean of (B, L) recalls: what `curve` says of one curve, for all samples at
    once.
    """
    known_word("statistic", name, STATISTICS)
    if name == "recall":
        mean: Floats = recalls.mean(axis=1)
        return mean
    if name in ("auc", "slope"):
        weights = _area_weights(levels) if name == "auc" else _slope_weights(levels)
        weighted: Floats = recalls @ weights
        return weighted
    if name == "half_level":
        return _half_levels(levels, recalls)
    clean = np.maximum(recalls[:, 0], 1e-12)
    if name == "retention":
        kept: Floats = np.where(recalls[:, 0] > 0, recalls[:, -1] / clean, np.inf)
        return kept
    over_levels: Floats = recalls[:, 1:].mean(axis=1) / clean
    return over_levels  # finite, since those of two runs are subtracted


def _area_weights(levels: Sequence[float]) -> Floats:
    weights = np.zeros(len(levels))
    for place, (low, high) in enumerate(pairwise(levels)):
        weights[place : place + 2] += (high - low) / 2
    return weights / (levels[-1] - levels[0])


def _slope_weights(levels: Sequence[float]) -> Floats:
    centred = np.array(levels) - np.mean(levels)
    weights: Floats = centred / (centred @ centred)
    return weights


def _half_levels(levels: Sequence[float], recalls: Floats) -> Floats:
    """(B,) where the first segment crosses half of the clean recall, or inf."""
    half, rows = recalls[:, 0] / 2, np.arange(len(recalls))
    below = recalls[:, 1:] <= half[:, None]
    place = below.argmax(axis=1)
    above, under = recalls[rows, place], recalls[rows, place + 1]
    fall = np.where(above > under, above - under, 1.0)
    low, high = np.array(levels)[place], np.array(levels)[place + 1]
    crossing = low + (high - low) * np.clip((above - half) / fall, 0.0, 1.0)
    return np.where(below.any(axis=1) & (half > 0), crossing, np.inf)


def _kind(direction: Direction) -> str:
    """What the queries are: the stem of their arrays' names."""
    return (
        "image"
        if known_word("direction", direction, DIRECTIONS) == "image-to-report"
        else "report"
    )
