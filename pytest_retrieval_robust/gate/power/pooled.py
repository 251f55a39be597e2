"""The power of a gate of non-inferiority over levels: a bootstrap over patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..curve_statistics import Floats
from ..difference import Errors
from .paired_rates import wins_and_losses
from .planned import PowerOfMargin
from .resampled import Spread, is_above
from .sampling import Sample, Sampling


@dataclass(frozen=True)
class PairedLevels:
    """Recalls of a baseline at several levels, and how a candidate's differ from them."""

    recalls: tuple[float, ...]
    correlations: tuple[float, ...]
    """Of the hits of both models (phi), at each level."""
    between: tuple[tuple[float, ...], ...]
    """(L, L) correlations of the differences at two levels."""

    @property
    def count(self) -> int:
        return len(self.recalls)

    def differing(self, loss: float) -> Floats:
        """(L,) the share of queries that differ at each level."""
        shares = []
        for recall, correlation in zip(self.recalls, self.correlations, strict=True):
            candidate = max(recall - loss, 0.0)
            shares.append(sum(wins_and_losses(recall, candidate, correlation)))
        return np.array(shares)

    def variance(self, weights: Floats, loss: float) -> float:
        """Of the weighted sum of a query's differences."""
        lost = np.minimum(loss, np.array(self.recalls))
        deviations = np.sqrt(np.maximum(self.differing(loss) - lost**2, 0.0))
        weighted = weights * deviations
        return float(weighted @ np.array(self.between) @ weighted)

    def ever_differing(self, loss: float) -> float:
        """About the share of queries that differ at some level: as if correlated levels
        were fewer independent ones.
        """
        differing = min(0.999, float(self.differing(loss).mean()))
        alike = float(np.array(self.between).mean())
        independent = min(self.count, 1 / max(alike, 1e-9))
        return 1.0 - float((1 - differing) ** independent)


@dataclass(frozen=True)
class PooledPower(PowerOfMargin):
    """`not_worse_than_baseline = { ... }` over all levels of a curve."""

    levels: PairedLevels
    weights: tuple[float, ...]
    """(L,) how the compared number changes with the recall at each level."""
    margin: float
    errors: Errors
    sampling: Sampling
    value: float
    """Of the baseline."""
    is_share: bool = True
    """Whether the number is a mean of shares of hits, which vary more once some are lost."""

    @property
    def most(self) -> float:
        return self.value

    def _passes(self, sample: Sample, loss: float) -> float:
        spread = self._spread(sample, loss)
        return is_above(sample, self.margin - loss, spread, 1 - self.errors.passing)

    def _fails(self, sample: Sample, loss: float) -> float:
        spread = self._spread(sample, loss)
        return 1 - is_above(sample, self.margin - loss, spread, self.errors.failing)

    def _spread(self, sample: Sample, loss: float) -> Spread:
        # Of what is no share it is not known at which level it was lost.
        lost = loss if self.is_share else 0.0
        weights = np.array(self.weights)
        variance = self.levels.variance(weights, lost)
        n = sample.queries
        patients = sample.patients
        per_patient = n / patients
        squares = n * variance * sample.effect
        # What a patient who is added gains or loses: see `PairedHits.pseudo_patients`.
        equal = np.full(self.levels.count, 1 / self.levels.count)
        sums = n * self.levels.variance(equal, lost) * sample.effect
        sums += n * self.sampling.queries_beside * lost**2
        ever = self.levels.ever_differing(lost)
        differing = patients * (1 - (1 - ever) ** per_patient)
        gain = min(1.0, math.sqrt((1 + sums / per_patient**2) / (1 + differing)))
        added = 2 * (per_patient * gain * float(weights.sum())) ** 2
        total = n + 2 * per_patient
        error = math.sqrt(squares * sample.resampled_share + added) / total
        return Spread(0.0, error, math.sqrt(squares) / n)
