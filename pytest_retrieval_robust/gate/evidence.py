"""What the queries of a run say of a number: its bounds and its standard error, from
ranks and patients.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.cases import DIRECTIONS, Case, Direction
from ..core.outcomes import Outcome
from ..core.words import known_word, measured_k
from ..retrieval.bootstrap import (
    Clusters,
    Resampled,
    are_draws_kept,
    resampled_ranks,
    resampled_together,
)
from ..retrieval.curve import Curve
from ..retrieval.intervals import Estimate, proportion
from ..retrieval.metrics.named import NamedMetric
from ..retrieval.random_order import ranks_by_chance
from ..retrieval.shares import share_of
from .curve_statistics import Floats, Statistic, estimate_of, retention_of, statistic
from .decision import ROUNDING
from .hit_samples import CELLS_AHEAD, HitColumn, HitSamples, RanksAhead, no_ranks

_METRIC_RESAMPLES = 1_000
"""Fewer than of recall: a metric is a Python function, called for each of them."""
_MOST_SAMPLES = 8
"""Curves whose samples are kept: those of 10 levels, 3 k and both directions are 5 MB."""


class Arrays(Protocol):
    """Where the ranks and keys of a run lie."""

    def of_case(self, ranks_key: str) -> Mapping[str, NDArray[np.int64]] | None:
        """`image_ranks` and `report_ranks`."""

    def of_dataset(self, name: str) -> Mapping[str, NDArray[np.int64]] | None:
        """`image_query_key`, `report_query_key`, `cluster`, `report_cluster`,
        `image_right`, `report_right`; of a data set with strata `image_strata` and
        `report_strata` too.
        """


_SampleKey: TypeAlias = tuple[tuple[str | None, ...], Direction, tuple[int, ...]]
_EstimateKey: TypeAlias = tuple[object, ...]


class Evidence:
    """The ranks of a run, and what is estimated from them, each number once."""

    def __init__(
        self,
        arrays: Arrays,
        metrics: Iterable[NamedMetric] = (),
        ranks_ahead: RanksAhead = no_ranks,
    ) -> None:
        self._arrays = arrays
        self._metrics = {metric.name: metric for metric in metrics}
        self._ranks_ahead = ranks_ahead
        self._expected: Sequence[Outcome] = ()
        self._places: Mapping[Case, int] = {}
        self._hit_samples = HitSamples()
        self._estimates: dict[_EstimateKey, Estimate] = {}
        self._met_by_chance: dict[_EstimateKey, bool] = {}
        self._samples: OrderedDict[_SampleKey, Floats | None] = OrderedDict()
        self._clusters: dict[tuple[str, str], Clusters] = {}

    def expect(self, outcomes: Sequence[Outcome]) -> None:
        """Say what will be asked for, in this order: cells are resampled several at a time."""
        self._expected = outcomes
        self._places = {each.case: number for number, each in enumerate(outcomes)}

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

    def group_codes(
        self, dataset: str, direction: Direction
    ) -> NDArray[np.int64] | None:
        """(S, N) the group of each query in each stratum of a data set.

        Strata are in the order of its record, and codes are places in the groups that the
        record lists (`core.strata.Stratum`). None where no strata were kept.
        """
        name = f"{_query_kind(direction)}_strata"
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
        """Recall@k with Wilson's bounds, over patients where they repeat."""
        scores = outcome.scores(direction)
        recall = scores.recall[measured_k(k, scores.recall)]
        ranks = self.ranks(outcome, direction)
        if ranks is None:
            return proportion(recall, scores.queries, confidence)
        clusters = self.clusters(outcome.case.dataset, direction, len(ranks))
        return replace(share_of(ranks <= k, clusters, confidence), value=recall)

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
        key = (outcome.ranks_key, value, direction, name, confidence)
        if key not in self._estimates:
            clusters = self.clusters(outcome.case.dataset, direction, len(ranks))
            samples = resampled_ranks(
                ranks, clusters, scores.gallery, resamples=_METRIC_RESAMPLES
            )
            metric = self._metrics[name]
            values = np.array([metric.value(sample) for sample in samples])
            estimate = estimate_of(value, values, clusters.patient_sizes, confidence)
            # A metric without a scale may be moved far by the two added patients. What
            # was observed is never out of bounds.
            self._estimates[key] = replace(
                estimate, low=min(estimate.low, value), high=max(estimate.high, value)
            )
        return self._estimates[key]

    def is_met_by_chance(
        self, outcome: Outcome, direction: Direction, name: str, minimum: float
    ) -> bool:
        """Whether a random order reaches a floor of a metric with a probability of 0.999
        or more; False where nobody can tell, because its code or the numbers of right
        answers are missing.
        """
        arrays = self._arrays.of_dataset(outcome.case.dataset) or {}
        right = arrays.get(f"{_query_kind(direction)}_right")
        metric = self._metrics.get(name)
        if right is None or metric is None:
            return False
        gallery = outcome.scores(direction).gallery
        # The same for every cell: each would draw 1,000 orders, at its test and at the end.
        key = (outcome.case.dataset, direction, gallery, name, minimum)
        if key not in self._met_by_chance:
            self._met_by_chance[key] = _is_met_by_chance(
                metric, minimum, right, gallery
            )
        return self._met_by_chance[key]

    def of_curve(
        self, curve: Curve, direction: Direction, k: int, name: str, confidence: float
    ) -> Estimate | None:
        """Retention at the last level, area, half level or slope with bootstrap bounds;
        None without ranks.
        """
        recalls = tuple(outcome.recall(k, direction) for outcome in curve.outcomes)
        ranks_keys = tuple(outcome.ranks_key for outcome in curve.outcomes)
        # The test and the end of a run ask for the same numbers.
        key = (ranks_keys, curve.levels, recalls, direction, k, name, confidence)
        if key not in self._estimates:
            samples = self._samples_of_statistic(curve, direction, k, name)
            if samples is None:
                return None
            value = float(statistic(name, curve.levels, np.array([recalls]))[0])
            queries = curve.clean.scores(direction).queries
            patients = self.clusters(curve.clean.case.dataset, direction, queries)
            self._estimates[key] = estimate_of(
                value, samples, patients.patient_sizes, confidence
            )
        return self._estimates[key]

    def _samples_of_statistic(
        self, curve: Curve, direction: Direction, k: int, name: str
    ) -> Floats | None:
        """(B,) a statistic of a curve in resamples of the patients."""
        # Retention looks at the two ends alone, and is asked of many cells.
        if name == Statistic.RETENTION and len(curve.outcomes) > 1:
            ends = (curve.outcomes[0], curve.outcomes[-1])
            shares = self._shares_ahead(ends, direction, k)
            if shares is not None:
                return retention_of(shares[0], shares[1])
        ks = sorted(curve.clean.scores(direction).recall)
        samples = self.samples(curve.outcomes, direction, ks)
        if samples is None:
            return None
        index = ks.index(measured_k(k, ks))
        return statistic(name, curve.levels, samples[:, :, index])

    def _shares_ahead(
        self, outcomes: Sequence[Outcome], direction: Direction, k: int
    ) -> list[Floats] | None:
        """(B,) Recall@k of each outcome in resamples of the patients; None where ranks
        are missing, or no whole numbers can be counted.

        Cells that come soon are counted with it.
        """
        columns = self.columns(outcomes, direction, [k])
        if columns is None:
            return None
        patients = f"{outcomes[0].case.dataset} {direction}"
        queries = len(columns[0].hits)
        clusters = self.clusters(outcomes[0].case.dataset, direction, queries)
        ahead: list[HitColumn] = []
        # Where patients of average size are no whole number, nothing is counted ahead.
        is_counted = queries % clusters.count == 0
        if is_counted and not self._hit_samples.has(columns, patients):
            for ranks in self._ahead(outcomes[-1], direction):
                if len(ranks) == queries:
                    ahead.append(HitColumn(ranks <= k, is_clean=False))
        return self._hit_samples.shares(columns, patients, clusters, ahead)

    def _ahead(
        self, outcome: Outcome, direction: Direction
    ) -> Iterable[NDArray[np.int64]]:
        """The ranks that will be asked for soon after those of an outcome."""
        number = self._places.get(outcome.case)
        if number is None:
            yield from self._ranks_ahead(outcome, direction)
            return
        for other in self._expected[number + 1 : number + 1 + CELLS_AHEAD]:
            ranks = self.ranks(other, direction)
            if ranks is not None and other.case.dataset == outcome.case.dataset:
                yield ranks

    def columns(
        self, outcomes: Sequence[Outcome], direction: Direction, ks: Sequence[int]
    ) -> list[HitColumn] | None:
        """The hits of each outcome and then each k; None where ranks are missing."""
        columns = []
        for number, outcome in enumerate(outcomes):
            ranks = self.ranks(outcome, direction)
            if ranks is None:
                return None
            columns += [HitColumn(ranks <= k, is_clean=number == 0) for k in ks]
        if len({len(column.hits) for column in columns}) != 1:
            return None
        return columns

    def samples(
        self, outcomes: Sequence[Outcome], direction: Direction, ks: Sequence[int]
    ) -> Floats | None:
        """(B, L, K) Recall@k of the outcomes in resamples of the patients; None where
        ranks are missing.
        """
        key = _sample_key(outcomes, direction, ks)
        if key not in self._samples:
            self._resample(outcomes, direction, ks)
            while len(self._samples) > _MOST_SAMPLES:
                self._samples.popitem(last=False)
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


def _is_met_by_chance(
    metric: NamedMetric, minimum: float, right: NDArray[np.int64], gallery: int
) -> bool:
    rng = np.random.default_rng(0)
    misses = 0
    # Nearly always the first orders miss it, and no more are drawn.
    for _ in range(_METRIC_RESAMPLES):
        ranks = ranks_by_chance(right, gallery, rng)
        misses += metric.value(ranks) < minimum - ROUNDING
        if misses > 1:
            return False
    return True


def _query_kind(direction: Direction) -> Literal["image", "report"]:
    """What the queries are: the stem of their arrays' names."""
    known_word("direction", direction, DIRECTIONS)
    return "image" if direction == "image-to-report" else "report"
