"""Hits of the same queries in two runs, and the difference that they show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.verdict import Metric
from ..retrieval.bootstrap import Clusters, design_effect, resampled_means
from ..retrieval.intervals import (
    deviates,
    mcnemar_exact,
    paired_score_bounds,
    paired_score_p,
)
from ..retrieval.paired_power import PairedSpread
from ..retrieval.student import effect_at
from .curve_statistics import Floats, Statistic, statistic, tail
from .difference import Difference, Errors

STATISTIC_OF: dict[Metric, Statistic] = {
    "recall": Statistic.RECALL,
    "retention": Statistic.MEAN_RETENTION,
    "auc": Statistic.AUC,
    "half_level": Statistic.HALF_LEVEL,
}
"""What is compared over several levels, by the metric of the gate."""
_MEANS = (Statistic.RECALL, Statistic.AUC)
"""Statistics that are means of what each query says: shares of hits, as far as bounds go."""


_FEW_DIFFER = 30
"""Patients in whom two runs differ below which resamples have too few values for a bound:
of 100 queries of which 3 differ, one in seven samples shows no loss at all, and a bound
from resamples alone would release twice as often as it may. From 30 on both bounds agree
within a thousandth (see docs/statistics.md).
"""


@dataclass(frozen=True)
class DiscordantQueries:
    """How many of `n` queries the candidate alone, or the baseline alone, hits.

    Whole numbers of one cell. Of several, a query that is won in half of them is half a
    win, and all three counts are multiplied so that the difference varies as it does.
    """

    wins: float
    losses: float
    n: float
    effect: float
    """The design effect of the difference: 1 where no patient repeats."""
    degrees_of_freedom: float = math.inf
    """Of the design effect; inf where no patient repeats."""

    def bounds(self, alpha: float) -> tuple[float, float]:
        """One-sided bounds of the difference, each at the error `alpha`, as of the
        effective number of independent queries; -1 and 1 where nothing is known.
        """
        effect = effect_at(
            self.effect, self.degrees_of_freedom, round(self.n), 1 - alpha
        )
        if math.isinf(effect):
            return -1.0, 1.0
        return paired_score_bounds(
            self.wins / effect, self.losses / effect, self.n / effect, alpha
        )

    def spread(self, share: float) -> PairedSpread:
        """How much the difference varies, as of independent queries, beside a baseline
        with such a share of hits.
        """
        return PairedSpread.of(
            self.wins / self.effect,
            self.losses / self.effect,
            share,
            self.n / self.effect,
        )

    @property
    def p(self) -> float:
        """Two-sided: exact McNemar; the score test where patients repeat."""
        if math.isinf(self.degrees_of_freedom):
            return mcnemar_exact(int(self.wins), int(self.losses))
        return paired_score_p(
            self.wins / self.effect,
            self.losses / self.effect,
            self.degrees_of_freedom,
        )


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
            degrees_of_freedom=self.clusters.patient_sizes.degrees_of_freedom,
        )

    def of_recall(self, errors: Errors) -> Difference:
        """The difference of recall in one cell, with exact bounds of a score test."""
        counts = self.discordant()
        low, high = counts.bounds(errors.passing)
        _, fails_at = counts.bounds(errors.failing)
        reach = deviates(1 - errors.passing, counts.degrees_of_freedom)
        return Difference(
            candidate=float(self.candidate.mean()),
            baseline=float(self.baseline.mean()),
            passes_at=low,
            fails_at=fails_at,
            error=(high - low) / (2 * reach) if math.isfinite(reach) else math.inf,
            queries=len(self.candidate),
            degrees_of_freedom=counts.degrees_of_freedom,
            spread=counts.spread(float(self.baseline.mean())),
            is_score_test=True,
        )

    def over_levels(
        self, metric: Metric, levels: Sequence[float], errors: Errors
    ) -> Difference:
        """The difference of a metric over levels: a bootstrap over the patients and two
        pseudo-patients. Where few patients differ, bounds of a mean reach at least as far
        as those of a score test.
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
        patients = self.clusters.patient_sizes
        passes_at = tail(samples, patients.tail_share(errors.passing))
        fails_at = -tail(-samples, patients.tail_share(errors.failing))
        candidate = float(_capped(name, levels, _mean_row(self.candidate))[0])
        baseline = float(_capped(name, levels, _mean_row(self.baseline))[0])
        spread = None
        if name in _MEANS:
            counts = self._pooled_counts(name, levels)
            spread = counts.spread(baseline)
            if self._differing() < _FEW_DIFFER:
                passes_at = min(passes_at, counts.bounds(errors.passing)[0])
                fails_at = max(fails_at, counts.bounds(errors.failing)[1])
        return Difference(
            candidate=candidate,
            baseline=baseline,
            passes_at=passes_at,
            fails_at=fails_at,
            error=float(samples.std()) * patients.expansion,
            queries=len(self.candidate),
            degrees_of_freedom=patients.degrees_of_freedom,
            spread=spread,
        )

    def _pooled_counts(
        self, name: Statistic, levels: Sequence[float]
    ) -> DiscordantQueries:
        """What a mean over levels says of each query, as wins and losses of as many
        independent queries as its mean is worth.

        Parts of a win vary less than whole ones with the same mean do, so that they count
        as more queries.
        """
        parts = statistic(name, levels, self.candidate)
        parts = parts - statistic(name, levels, self.baseline)
        wins = float(np.maximum(parts, 0).sum())
        losses = float(np.maximum(-parts, 0).sum())
        count = len(parts)
        of_whole = (wins + losses) / count - float(parts.mean()) ** 2
        worth = 1.0
        if of_whole > 1e-12:
            worth = max(1.0, of_whole / max(float(parts.var()), 1e-12))
        return DiscordantQueries(
            wins * worth,
            losses * worth,
            count * worth,
            effect=design_effect(parts, self.clusters),
            degrees_of_freedom=self.clusters.patient_sizes.degrees_of_freedom,
        )

    def _differing(self) -> int:
        """In how many patients the runs differ."""
        differs = (self.candidate != self.baseline).any(axis=1)
        return len(np.unique(self.clusters.numbers[differs]))

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
