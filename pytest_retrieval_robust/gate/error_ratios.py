"""Errors of a candidate as multiples of a baseline's: mean corruption error and its
relative form.

D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations" (ICLR 2019). There the divisor is a fixed network; here it
is the baseline run, on the same queries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..retrieval.bootstrap import Clusters, resampled_means
from .curve_statistics import Floats, tails
from .error_statistic import ErrorStatistic
from .paired_hits import PairedHits

_NOTHING = 1e-9
"""An error that is no more than this is 0: nothing can be divided by it."""


@dataclass(frozen=True)
class ErrorRatio:
    """A multiple of the baseline's error, with its bounds."""

    value: float
    """Nan where it is undefined: see `PairedErrors.undefined`."""
    low: float
    high: float
    """Infinite where more resamples than lie beyond a bound have no value."""

    @property
    def is_defined(self) -> bool:
        return math.isfinite(self.value)


@dataclass(frozen=True, eq=False, repr=False)
class PairedErrors:
    """Errors of the same queries in two runs, 1 - hit, with nothing done and under each of
    several perturbations.

    An error under a perturbation is the mean over its severities and seeds, so that a
    query may have a part of one.
    """

    candidate: Floats
    """(N, 1 + P): the first column with nothing done."""
    baseline: Floats
    clusters: Clusters
    """The patient of each query."""

    @classmethod
    def of(cls, clean: PairedHits, perturbed: Sequence[PairedHits]) -> PairedErrors:
        """From the hits with nothing done, (N, 1), and of the cells of each perturbation."""
        every = [clean, *perturbed]
        return cls(
            np.column_stack([1 - hits.candidate.mean(axis=1) for hits in every]),
            np.column_stack([1 - hits.baseline.mean(axis=1) for hits in every]),
            clean.clusters,
        )

    @cached_property
    def means(self) -> tuple[Floats, Floats]:
        """(1, 1 + P) errors of the candidate, and of the baseline."""
        return self.candidate.mean(axis=0)[None], self.baseline.mean(axis=0)[None]

    def values(self, statistic: ErrorStatistic) -> list[float]:
        """The ratio of each perturbation; nan where it is undefined."""
        is_relative = statistic is ErrorStatistic.RELATIVE
        [values] = _ratios(*self.means, is_relative=is_relative)
        return [float(value) for value in values]

    def value(self, statistic: ErrorStatistic) -> float:
        """The statistic over all perturbations; nan where one is undefined."""
        values = np.array(self.values(statistic))
        return float(
            values.max() if statistic is ErrorStatistic.WORST else values.mean()
        )

    def error_ratios(self, statistic: ErrorStatistic) -> list[ErrorRatio]:
        """The ratio of each perturbation, with two-sided 95 % intervals."""
        is_relative = statistic is ErrorStatistic.RELATIVE
        samples = _ratios(*self._resampled, is_relative=is_relative)
        return [
            self._bounded(value, samples[:, number], 0.025)
            for number, value in enumerate(self.values(statistic))
        ]

    def summary(self, statistic: ErrorStatistic, confidence: float) -> ErrorRatio:
        """The statistic over all perturbations, each bound held with `confidence`.

        The greatest of several noisy ratios lies above the greatest true one, and its
        resamples lie higher still. So its lower bound is the greatest of the single
        lower bounds, which share the error (C. E. Bonferroni).
        """
        is_relative = statistic is ErrorStatistic.RELATIVE
        ratios = _ratios(*self._resampled, is_relative=is_relative)
        error = 1 - confidence
        if statistic is not ErrorStatistic.WORST:
            return self._bounded(self.value(statistic), ratios.mean(axis=1), error)
        greatest = self._bounded(self.value(statistic), ratios.max(axis=1), error)
        each = error / ratios.shape[1]
        low = max(self._bounded(math.nan, column, each).low for column in ratios.T)
        return replace(greatest, low=low)

    def undefined(self, statistic: ErrorStatistic) -> list[int]:
        """The numbers of the perturbations for which the baseline's divisor is 0 or less:
        it makes no error there, or none more than with nothing done.
        """
        values = self.values(statistic)
        return [number for number, value in enumerate(values) if math.isnan(value)]

    @cached_property
    def _resampled(self) -> tuple[Floats, Floats]:
        """(B, 1 + P) errors of the candidate and of the baseline, with other patients.

        Two pseudo-patients are added, who gain or lose under every perturbation:
        without them two runs that differ nowhere would have bounds of no width.
        """
        perturbed = PairedHits(
            self.candidate[:, 1:], self.baseline[:, 1:], self.clusters
        )
        clean = [self.candidate[:, 0].mean(), self.baseline[:, 0].mean()]
        width = perturbed.candidate.shape[1]
        pseudo = perturbed.pseudo_patients()
        # With nothing done they are as the others: so the relative form varies too.
        pseudo = np.column_stack(
            [
                np.full(2, clean[0]),
                pseudo[:, :width],
                np.full(2, clean[1]),
                pseudo[:, width:],
            ]
        )
        means = resampled_means(
            np.hstack([self.candidate, self.baseline]), self.clusters, pseudo=pseudo
        )
        return means[:, : width + 1], means[:, width + 1 :]

    def _bounded(self, value: float, samples: Floats, error: float) -> ErrorRatio:
        """The value with bounds that have the error each, from samples of it.

        A sample without a value may be anything: it lies beyond either bound.
        """
        share = self.clusters.patient_sizes.tail_share(error)
        is_defined = ~np.isnan(samples)
        low, _ = tails(np.where(is_defined, samples, -np.inf), share)
        _, high = tails(np.where(is_defined, samples, np.inf), share)
        return ErrorRatio(value, low, high)


def _ratios(candidate: Floats, baseline: Floats, *, is_relative: bool) -> Floats:
    """(B, P) ratios of (B, 1 + P) errors; nan where there is nothing to divide by."""
    above = candidate[:, 1:]
    below = baseline[:, 1:]
    if is_relative:
        above = above - candidate[:, :1]
        below = below - baseline[:, :1]
    is_defined = below > _NOTHING
    ratios: Floats = np.where(
        is_defined, above / np.where(is_defined, below, 1), np.nan
    )
    return ratios
