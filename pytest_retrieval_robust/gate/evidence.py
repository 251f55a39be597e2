"""What the queries of a run say of a number: its bounds and its standard error, from
ranks and patients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.cases import DIRECTIONS, Direction
from ..core.outcomes import Outcome
from ..core.words import known_word, measured_k
from ..retrieval.bootstrap import (
    Clusters,
    Resampled,
    are_draws_kept,
    design_effect,
    resampled_ranks,
    resampled_together,
)
from ..retrieval.curve import Curve
from ..retrieval.intervals import Estimate, normal_quantile, proportion
from ..retrieval.metrics.named import NamedMetric

Floats: TypeAlias = NDArray[np.float64]


class Statistic(StrEnum):
    """A number that is made of the recalls at several levels."""

    RECALL = "recall"
    """Their mean."""
    RETENTION = "retention"
    """The last level's share of level 0; inf where a sample has no recall to lose."""
    MEAN_RETENTION = "mean_retention"
    """The mean share of level 0 over the hidden levels."""
    AUC = "auc"
    HALF_LEVEL = "half_level"
    """Inf where recall is not halved."""
    SLOPE = "slope"


STATISTICS = tuple(name.value for name in Statistic)
_FEWEST_IN_A_TAIL = 10
"""Resamples beyond a quantile without which it is taken from the normal distribution instead."""
_METRIC_RESAMPLES = 1_000
"""Fewer than of recall: a metric is a Python function, called for each of them."""
_NO_RECALL = 1e-12
"""Stands for a clean recall of 0, which nothing can be divided by."""


class Arrays(Protocol):
    """Where the ranks and keys of a run lie."""

    def of_case(self, ranks_key: str) -> Mapping[str, NDArray[np.int64]] | None:
        """`image_ranks` and `report_ranks`."""

    def of_dataset(self, name: str) -> Mapping[str, NDArray[np.int64]] | None:
        """`image_query_key`, `report_query_key`, `cluster`, `report_cluster`."""


_SampleKey: TypeAlias = tuple[tuple[str | None, ...], Direction, tuple[int, ...]]


class Evidence:
    """The ranks of a run, and the bootstrap samples made of them, each once."""

    def __init__(self, arrays: Arrays, metrics: Iterable[NamedMetric] = ()) -> None:
        self._arrays = arrays
        self._metrics = {metric.name: metric for metric in metrics}
        self._metric_samples: dict[tuple[str | None, Direction, str], Floats] = {}
        self._samples: dict[_SampleKey, Floats | None] = {}
        self._clusters: dict[tuple[str, str], Clusters] = {}

    def ranks(self, outcome: Outcome, direction: Direction) -> NDArray[np.int64] | None:
        """(N,) ranks of a case, or None where they were not kept."""
        name = f"{_query_kind(direction)}_ranks"
        if outcome.ranks_key is None:
            return None
        arrays = self._arrays.of_case(outcome.ranks_key)
        return None if arrays is None else arrays.get(name)

    def query_keys(
        self, dataset: str, direction: Direction
    ) -> NDArray[np.int64] | None:
        """(N,) what names each query across runs."""
        name = f"{_query_kind(direction)}_query_key"
        arrays = self._arrays.of_dataset(dataset)
        return None if arrays is None else arrays.get(name)

    def clusters(self, dataset: str, direction: Direction, queries: int) -> Clusters:
        """The patient of each query; each query alone where that is not known."""
        is_image = _query_kind(direction) == "image"
        name = "cluster" if is_image else "report_cluster"
        if (dataset, name) not in self._clusters:
            labels = (self._arrays.of_dataset(dataset) or {}).get(name)
            if labels is None:
                return Clusters.of(np.arange(queries))
            self._clusters[dataset, name] = Clusters.of(labels)
        return self._clusters[dataset, name]

    def recall(
        self, outcome: Outcome, direction: Direction, k: int, confidence: float
    ) -> Estimate:
        """Recall@k with Wilson's bounds. With repeated patients they are those of the
        effective sample size n / design effect.
        """
        scores = outcome.scores(direction)
        recall = scores.recall[measured_k(k, scores.recall)]
        ranks = self.ranks(outcome, direction)
        effect = 1.0
        if ranks is not None:
            hits = (ranks <= k).astype(np.float64)
            clusters = self.clusters(outcome.case.dataset, direction, len(ranks))
            effect = design_effect(hits, clusters)
        return proportion(recall, scores.queries, confidence, effect)

    def with_metrics(self, metrics: Iterable[NamedMetric]) -> Evidence:
        """The same ranks, of which these metrics can be computed too."""
        return Evidence(self._arrays, metrics)

    def metric(self, outcome: Outcome, direction: Direction, name: str) -> float | None:
        """A metric of a case; None where it is not in its scores, and its code or ranks
        are missing.

        Raises:
            MetricError: The metric has no value for these ranks.
        """
        saved = outcome.scores(direction).metrics.get(name)
        if saved is not None:
            return saved
        ranks = self.ranks(outcome, direction)
        if ranks is None or name not in self._metrics:
            return None
        return self._metrics[name].value(ranks)

    def metric_estimate(
        self, outcome: Outcome, direction: Direction, name: str, confidence: float
    ) -> Estimate | None:
        """A metric of a case with bootstrap bounds; None where its value, its code or
        its ranks are missing.

        Raises:
            MetricError: The metric has no value for these ranks, or for a sample of them.
        """
        value = self.metric(outcome, direction, name)
        ranks = self.ranks(outcome, direction)
        if value is None or ranks is None or name not in self._metrics:
            return None
        scores = outcome.scores(direction)
        key = (outcome.ranks_key, direction, name)
        if key not in self._metric_samples:
            clusters = self.clusters(outcome.case.dataset, direction, len(ranks))
            samples = resampled_ranks(
                ranks, clusters, scores.gallery, resamples=_METRIC_RESAMPLES
            )
            metric = self._metrics[name]
            values = [metric.value(sample) for sample in samples]
            self._metric_samples[key] = np.array(values)
        estimate = estimate_of(
            value, self._metric_samples[key], scores.queries, confidence
        )
        # A metric without a scale may be moved far by the two added patients. What was
        # observed is never out of bounds.
        return replace(
            estimate, low=min(estimate.low, value), high=max(estimate.high, value)
        )

    def of_curve(
        self, curve: Curve, direction: Direction, k: int, name: str, confidence: float
    ) -> Estimate | None:
        """Retention at the last level, area, half level or slope with bootstrap bounds;
        None without ranks.
        """
        scores = curve.clean.scores(direction)
        ks = sorted(scores.recall)
        samples = self.samples(curve.outcomes, direction, ks)
        if samples is None:
            return None
        index = ks.index(measured_k(k, ks))
        recalls = [outcome.recall(k, direction) for outcome in curve.outcomes]
        value = float(statistic(name, curve.levels, np.array([recalls]))[0])
        sampled_values = statistic(name, curve.levels, samples[:, :, index])
        return estimate_of(value, sampled_values, scores.queries, confidence)

    def samples(
        self, outcomes: Sequence[Outcome], direction: Direction, ks: Sequence[int]
    ) -> Floats | None:
        """(B, L, K) Recall@k of the outcomes in resamples of the patients; None where
        ranks are missing.
        """
        key = _sample_key(outcomes, direction, ks)
        if key not in self._samples:
            self._resample(outcomes, direction, ks)
        return self._samples[key]

    def _resample(
        self, outcomes: Sequence[Outcome], direction: Direction, ks: Sequence[int]
    ) -> None:
        """Make the samples of a direction, and of both where they share draws that are
        made anew each time.
        """
        hits = self._hits(outcomes, direction, ks)
        self._samples[_sample_key(outcomes, direction, ks)] = None
        if hits is None:
            return
        together = {direction: hits}
        patients = hits.clusters.count
        others = () if are_draws_kept(patients) else DIRECTIONS
        for other in others:
            if other == direction:
                continue
            other_hits = self._hits(outcomes, other, ks)
            if other_hits is not None and other_hits.clusters.count == patients:
                together[other] = other_hits
        all_means = resampled_together(list(together.values()))
        shape = (len(outcomes), len(ks))
        for way, means in zip(together, all_means, strict=True):
            key = _sample_key(outcomes, way, ks)
            self._samples[key] = means.reshape(len(means), *shape)

    def _hits(
        self, outcomes: Sequence[Outcome], direction: Direction, ks: Sequence[int]
    ) -> Resampled | None:
        """The hits of the outcomes; None where ranks are missing."""
        ranks_of_levels = []
        for outcome in outcomes:
            ranks = self.ranks(outcome, direction)
            if ranks is None:
                return None
            ranks_of_levels.append(ranks)
        if len({len(ranks) for ranks in ranks_of_levels}) != 1:
            return None
        hits = hits_of(ranks_of_levels, ks)
        clusters = self.clusters(outcomes[0].case.dataset, direction, len(hits))
        # Two pseudo-patients: one who loses all when anything is hidden, and one who
        # gains all. With them everything varies, in the smallest run too.
        levels = len(ranks_of_levels)
        clean_alone = np.repeat([1.0] + [0.0] * (levels - 1), len(ks))
        pseudo = np.stack([clean_alone, 1 - clean_alone])
        return Resampled(hits, clusters, pseudo)


def _sample_key(
    outcomes: Sequence[Outcome], direction: Direction, ks: Sequence[int]
) -> _SampleKey:
    return tuple(outcome.ranks_key for outcome in outcomes), direction, tuple(ks)


def hits_of(ranks: Sequence[NDArray[np.int64]], ks: Sequence[int]) -> Floats:
    """(N, L * K) whether each query is hit, for each of L cases and then each k."""
    table = np.stack(ranks, axis=1)[:, :, None] <= np.array(ks)[None, None, :]
    return table.reshape(len(table), -1).astype(np.float64)


def estimate_of(
    value: float, samples: Floats, queries: int, confidence: float
) -> Estimate:
    """A number with the bounds that its bootstrap samples give, each held with `confidence`."""
    low = tail(samples, 1 - confidence)
    high = -tail(-samples, 1 - confidence)
    error = math.inf
    if np.isfinite(samples).all():
        error = float(samples.std())
    return Estimate(value, low, high, error, queries)


def tail(samples: Floats, share: float) -> float:
    """The value that a `share` of the samples lies below; from the normal distribution
    where that is too few to say.
    """
    if share * len(samples) >= _FEWEST_IN_A_TAIL or not np.isfinite(samples).all():
        return float(np.quantile(samples, share, method="lower"))
    return float(samples.mean() + normal_quantile(share) * samples.std())


def statistic(name: str, levels: Sequence[float], recalls: Floats) -> Floats:
    """(B,) numbers: a statistic of each of (B, L) recalls, as `curve` computes it of one
    curve.

    Raises:
        ArgumentError: `name` is none of `STATISTICS`.
    """
    chosen = Statistic(known_word("statistic", name, STATISTICS))
    if chosen is Statistic.RECALL:
        mean: Floats = recalls.mean(axis=1)
        return mean
    if chosen is Statistic.AUC:
        area: Floats = recalls @ _area_weights(levels)
        return area
    if chosen is Statistic.SLOPE:
        slope: Floats = recalls @ _slope_weights(levels)
        return slope
    if chosen is Statistic.HALF_LEVEL:
        return _half_levels(levels, recalls)
    clean = np.maximum(recalls[:, 0], _NO_RECALL)
    if chosen is Statistic.RETENTION:
        has_recall = recalls[:, 0] > 0
        retention: Floats = np.where(has_recall, recalls[:, -1] / clean, np.inf)
        return retention
    # Mean retention stays finite, because those of two runs are subtracted.
    mean_retention: Floats = recalls[:, 1:].mean(axis=1) / clean
    return mean_retention


def _area_weights(levels: Sequence[float]) -> Floats:
    weights = np.zeros(len(levels))
    for index, (low, high) in enumerate(pairwise(levels)):
        weights[index : index + 2] += (high - low) / 2
    return weights / (levels[-1] - levels[0])


def _slope_weights(levels: Sequence[float]) -> Floats:
    centred = np.array(levels) - np.mean(levels)
    weights: Floats = centred / (centred @ centred)
    return weights


def _half_levels(levels: Sequence[float], recalls: Floats) -> Floats:
    """(B,) where the first segment crosses half of the clean recall, or inf."""
    rows = np.arange(len(recalls))
    half = recalls[:, 0] / 2
    is_below = recalls[:, 1:] <= half[:, None]
    segment = is_below.argmax(axis=1)
    above = recalls[rows, segment]
    below = recalls[rows, segment + 1]
    # Where a curve does not fall there is nothing to interpolate; 1 avoids 0 / 0.
    fall = np.where(above > below, above - below, 1.0)
    low = np.array(levels)[segment]
    high = np.array(levels)[segment + 1]
    crossing = low + (high - low) * np.clip((above - half) / fall, 0.0, 1.0)
    return np.where(is_below.any(axis=1) & (half > 0), crossing, np.inf)


def _query_kind(direction: Direction) -> Literal["image", "report"]:
    """What the queries are: the stem of their arrays' names."""
    known_word("direction", direction, DIRECTIONS)
    return "image" if direction == "image-to-report" else "report"
