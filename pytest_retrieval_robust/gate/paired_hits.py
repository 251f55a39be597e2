"""Hits of the same queries in two runs, and the difference that they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.verdict import Metric
from ..retrieval.bootstrap import Clusters, design_effect, resampled_means
from ..retrieval.intervals import (
    mcnemar_exact,
    normal_quantile,
    paired_score_bounds,
    paired_score_p,
)
from .curve_statistics import Floats, Statistic, statistic, tail
from .difference import Difference, Errors

STATISTIC_OF: dict[Metric, Statistic] = {
    "recall": Statistic.RECALL,
    "retention": Statistic.MEAN_RETENTION,
    "auc": Statistic.AUC,
    "half_level": Statistic.HALF_LEVEL,
}
"""What is compared over several levels, by the metric of the gate."""


@dataclass(frozen=True)
class DiscordantQueries:
    """How many of `n` queries the candidate alone, or the baseline alone, hits."""

    wins: int
    losses: int
    n: int
    effect: float
    """The design effect of the difference: 1 where no patient repeats."""

    def bounds(self, alpha: float) -> tuple[float, float]:
        """One-sided bounds of the difference, each at the error `alpha`, as of the
        effective number of independent queries.
        """
        return paired_score_bounds(
            self.wins / self.effect,
            self.losses / self.effect,
            self.n / self.effect,
            alpha,
        )

    @property
    def p(self) -> float:
        """Two-sided: exact McNemar; the score test where patients repeat."""
        if self.effect == 1:
            return mcnemar_exact(self.wins, self.losses)
        return paired_score_p(self.wins / self.effect, self.losses / self.effect)


@dataclass(frozen=True, repr=False)
class PairedHits:
    """(N, L) hits of the same queries in the same cells of two runs."""

    candidate: Floats
    baseline: Floats
    clusters: Clusters
    """The patient of each query."""

    def discordant(self) -> DiscordantQueries:
        """Of the first cell."""
        difference = self.candidate[:, 0] - self.baseline[:, 0]
        return DiscordantQueries(
            wins=int((difference > 0).sum()),
            losses=int((difference < 0).sum()),
            n=len(difference),
            effect=design_effect(difference, self.clusters),
        )

    def of_recall(self, errors: Errors) -> Difference:
        """The difference of recall in one cell, with exact bounds of a score test."""
        counts = self.discordant()
        low, high = counts.bounds(errors.passing)
        _, fails_at = counts.bounds(errors.failing)
        return Difference(
            candidate=float(self.candidate.mean()),
            baseline=float(self.baseline.mean()),
            passes_at=low,
            fails_at=fails_at,
            error=(high - low) / (2 * normal_quantile(1 - errors.passing)),
            queries=len(self.candidate),
        )

    def over_levels(
        self, metric: Metric, levels: Sequence[float], errors: Errors
    ) -> Difference:
        """The difference of a metric over levels: a bootstrap over the patients and two
        pseudo-patients.
        """
        name = STATISTIC_OF[metric]
        means = resampled_means(
            np.hstack([self.candidate, self.baseline]),
            self.clusters,
            pseudo=self.pseudo_patients(),
        )
        candidate_samples = _capped(name, levels, means[:, : len(levels)])
        baseline_samples = _capped(name, levels, means[:, len(levels) :])
        samples = candidate_samples - baseline_samples
        return Difference(
            candidate=float(_capped(name, levels, _mean_row(self.candidate))[0]),
            baseline=float(_capped(name, levels, _mean_row(self.baseline))[0]),
            passes_at=tail(samples, errors.passing),
            fails_at=-tail(-samples, errors.failing),
            error=float(samples.std()),
            queries=len(self.candidate),
        )

    def pseudo_patients(self) -> Floats:
        """(2, 2 L) the hits of one more patient who gains and of one who loses, at all
        levels.

        They gain or lose as much as is usual among patients in whom the runs differ,
        and the more, the fewer those are. So the bounds keep a width where no patient
        differs, and hardly widen where many do.
        """
        difference = self.candidate - self.baseline
        queries_per_patient = len(difference) / self.clusters.count
        sums = self.clusters.sums(
            np.column_stack([difference.mean(axis=1), np.abs(difference).sum(axis=1)])
        )
        differing = int((sums[:, 1] > 0).sum())
        squares = (sums[:, 0] @ sums[:, 0]) / queries_per_patient**2
        gain = min(1.0, float(np.sqrt((1 + squares) / (1 + differing))))
        candidate = self.candidate.mean(axis=0)
        baseline = self.baseline.mean(axis=0)
        gaining = np.append(candidate + gain / 2, baseline - gain / 2)
        losing = np.append(candidate - gain / 2, baseline + gain / 2)
        return np.stack([gaining, losing])


def _mean_row(hits: Floats) -> Floats:
    """(1, L) the recalls that (N, L) hits make."""
    row: Floats = hits.mean(axis=0)[None]
    return row


def _capped(name: Statistic, levels: Sequence[float], recalls: Floats) -> Floats:
    """A half level that is not reached counts as the highest level that was measured."""
    values = statistic(name, levels, recalls)
    if name is Statistic.HALF_LEVEL:
        return np.minimum(values, levels[-1])
    return values
