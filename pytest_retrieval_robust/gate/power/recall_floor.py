"""The power of a floor of Recall@k, by point or by Wilson's bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...core.verdict import DecidedBy
from ...retrieval.binomial import binomial_upper_tail
from ...retrieval.intervals import normal_quantile
from ..curve_statistics import Floats
from ..decision import ROUNDING
from .normal import mean_below
from .planned import PowerOfFloor
from .sampling import Sample, Sampling


@dataclass(frozen=True)
class RecallFloorPower(PowerOfFloor):
    """`recall = { 10 = 0.5 }` for a model whose true Recall@k is known.

    Exact where no patient repeats. Elsewhere hits are normal, and the design effect
    that the bounds take is estimated from the patients.
    """

    recall: float
    floor: float
    decide: DecidedBy
    confidence: float
    sampling: Sampling
    groups: int = 1
    """Groups of queries that share the error of the bound that fails: any may block."""

    @property
    def value(self) -> float:
        return self.recall

    @property
    def most(self) -> float:
        return self.recall

    @property
    def obstacle(self) -> str | None:
        if self.recall > self.floor + ROUNDING:
            return None
        return (
            f"recall={self.recall:g} is not above the floor of {self.floor:g}, so more"
            " queries do not help. Choose a lower floor"
        )

    def _passes(self, sample: Sample, loss: float) -> float:
        if self.decide == "point":
            return self._reaches(sample, loss, self.confidence, 0.0)
        return self._reaches(sample, loss, self.confidence, 1.0)

    def _fails(self, sample: Sample, loss: float) -> float:
        if self.decide == "point":
            return 1 - self._passes(sample, loss)
        shared = 1 - (1 - self.confidence) / self.groups
        return 1 - self._reaches(sample, loss, shared, -1.0)

    def _reaches(
        self, sample: Sample, loss: float, confidence: float, sign: float
    ) -> float:
        """How likely recall is so many score errors above the floor, or fewer below it."""
        recall = max(self.recall - loss, 0.0)
        z = sign * normal_quantile(confidence)
        spread = self.floor * (1 - self.floor)
        if sample.are_alone:
            n = sample.queries
            needed = math.ceil(n * self.floor + z * math.sqrt(n * spread) - 1e-9)
            if needed > n:
                return 0.0
            return binomial_upper_tail(max(0, needed), n, recall)
        effects = sample.effects(confidence)
        needed_recall: Floats = self.floor + z * np.sqrt(
            spread * effects / sample.queries
        )
        error = math.sqrt(recall * (1 - recall) / sample.effective)
        if error == 0:
            return float((needed_recall <= recall).mean())
        return mean_below((recall - needed_recall) / error)
