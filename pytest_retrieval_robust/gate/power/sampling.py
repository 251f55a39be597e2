"""How the queries of a future test set come: how many each patient has, and how alike those
of one patient are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np

from ...core.errors import ArgumentError
from ...retrieval.patients import PatientSizes, are_too_few
from ...retrieval.student import effect_at
from ..curve_statistics import Floats

_NODES = 64
"""Equally likely values that stand for the distribution of an estimated error."""
_TYPICAL = 400
"""Patients of assumed sizes that stand for all."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A test set of a certain size."""

    queries: int
    sizes: PatientSizes
    """Of its patients."""
    effect: float
    """The design effect of what a gate judges: 1 where no patient repeats."""

    @property
    def patients(self) -> int:
        return self.sizes.count

    @property
    def are_alone(self) -> bool:
        """Whether no patient repeats, so that hits are independent."""
        return self.sizes.are_alone

    @property
    def has_too_few_patients(self) -> bool:
        """Whether no bound over them holds, so that gates by bound are inconclusive."""
        return are_too_few(self.sizes.degrees_of_freedom)

    @property
    def effective(self) -> float:
        """How many independent queries it is worth."""
        return self.queries / self.effect

    @cached_property
    def error_ratios(self) -> Floats:
        """(J,) equally likely values of the estimated standard error, as a multiple of
        the true one.
        """
        return _chi_ratios(self.sizes.degrees_of_freedom)

    @property
    def resampled_share(self) -> float:
        """The share of the variance over patients that resamples show."""
        if self.are_alone:
            return 1 - 1 / self.queries
        return self.sizes.expansion**-2

    def effects(self, confidence: float) -> Floats:
        """(J,) equally likely design effects that a score interval at a one-sided
        confidence is given. An estimate below 1 is replaced by 1.
        """
        estimates = np.maximum(self.effect * self.error_ratios**2, 1.0)
        degrees = self.sizes.degrees_of_freedom
        factor = effect_at(1.0, degrees, self.queries, confidence)
        scaled: Floats = estimates * factor
        return scaled


@lru_cache(maxsize=4096)
def _chi_ratios(degrees: float) -> Floats:
    """(J,) quantiles of sqrt(chi-squared / degrees), in the middle of J equal shares; the
    approximation of E. B. Wilson and M. M. Hilferty (1931).
    """
    if math.isinf(degrees):
        return np.ones(1)
    normal = NormalDist()
    z = np.array([normal.inv_cdf((node + 0.5) / _NODES) for node in range(_NODES)])
    spread = 2 / (9 * degrees)
    squares = np.maximum(1 - spread + z * math.sqrt(spread), 0.05) ** 3
    # The mean of the squares is 1 by definition; so many nodes cut off its tails.
    ratios: Floats = np.sqrt(squares / squares.mean())
    return ratios


@dataclass(frozen=True)
class Sampling:
    """Patients of certain sizes, whatever their number."""

    sizes: tuple[int, ...]
    """Queries of each of some typical patients, rising."""
    icc: float
    """Intraclass correlation of what a gate judges, from 0 to 1: of hits for a floor, of
    differences beside a baseline.
    """

    @classmethod
    def assumed(cls, queries_per_patient: float = 1.0, icc: float = 0.0) -> Sampling:
        """One query and a geometric number more per patient, so that a few patients have
        many.

        Raises:
            ArgumentError: Fewer than one query per patient, or a correlation outside [0, 1].
        """
        if not 1 <= queries_per_patient < math.inf:
            raise ArgumentError(
                "Expected at least 1 query per patient, got"
                f" queries_per_patient={queries_per_patient!r}. Divide the number of"
                " queries by that of patients."
            )
        if not 0 <= icc <= 1:
            raise ArgumentError(
                f"Expected an intraclass correlation from 0 to 1, got icc={icc!r}. Use 0"
                " where the queries of one patient are as different as those of two."
            )
        if queries_per_patient == 1:
            return cls((1,), icc)
        more = 1 - 1 / queries_per_patient
        shares = (np.arange(_TYPICAL) + 0.5) / _TYPICAL
        sizes = np.ceil(np.log1p(-shares) / math.log(more)).astype(int)
        return cls(tuple(np.maximum(sizes, 1).tolist()), icc)

    @classmethod
    def with_effect(cls, sizes: tuple[int, ...], effect: float) -> Sampling:
        """Patients of the sizes of a run in which something had this design effect."""
        sampling = cls(tuple(sorted(sizes)), 0.0)
        others = sampling.queries_beside - 1
        if others <= 0:
            return sampling
        return replace(sampling, icc=min(1.0, max(0.0, effect - 1) / others))

    @cached_property
    def queries_per_patient(self) -> float:
        return sum(self.sizes) / len(self.sizes)

    @cached_property
    def queries_beside(self) -> float:
        """How many queries the patient of a query has, in the mean over queries."""
        return sum(size**2 for size in self.sizes) / sum(self.sizes)

    @property
    def repeats(self) -> bool:
        """Whether a patient has more than one query."""
        return self.sizes[-1] > 1

    @property
    def effect(self) -> float:
        """The design effect, whatever the number of patients (L. Kish, 1965)."""
        return 1 + (self.queries_beside - 1) * self.icc

    def at(self, queries: int) -> Sample:
        """A test set of so many queries."""
        patients = max(2, round(queries / self.queries_per_patient))
        # Quantiles of the typical sizes.
        places = (np.arange(patients) + 0.5) / patients * len(self.sizes)
        sizes = np.array(self.sizes, dtype=np.int64)[places.astype(np.int64)]
        effect = self.effect if self.repeats else 1.0
        return Sample(queries, PatientSizes(sizes), effect)
