"""The power of floors of numbers that are made of recalls at several levels: retention, area,
half level and slope, whose bounds are a bootstrap over patients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.verdict import DecidedBy
from ..curve_statistics import Floats, Statistic, statistic
from ..decision import ROUNDING
from .planned import PowerOfFloor
from .resampled import Spread, is_above
from .sampling import Sample, Sampling

_STEP = 1e-5
"""Of a recall, for the derivative of a number that is made of it."""


@dataclass(frozen=True)
class CurveFloorPower(PowerOfFloor):
    """`retention = { 10 = 0.6 }` and the like, for a model whose true recalls are known."""

    number: Statistic
    levels: tuple[float, ...]
    recalls: tuple[float, ...]
    between: tuple[tuple[float, ...], ...]
    """(L, L) correlations of the hits at two levels."""
    floor: float
    decide: DecidedBy
    confidence: float
    sampling: Sampling
    groups: int = 1
    """Groups of queries that share the error of the bound that fails: any may block."""

    @cached_property
    def value(self) -> float:
        """The number as it is planned; inf of a half level that is not reached."""
        return self._value(np.array(self.recalls))

    @property
    def most(self) -> float:
        if self.number is Statistic.SLOPE:
            return self.recalls[-1] / (self.levels[-1] - self.levels[0])
        return self.value

    @property
    def obstacle(self) -> str | None:
        if self.value > self.floor + ROUNDING:
            return None
        return (
            f"the planned value of {self.value:.3g} is not above the floor of"
            f" {self.floor:g}, so more queries do not help. Choose a lower floor"
        )

    def _passes(self, sample: Sample, loss: float) -> float:
        probability = self.confidence if self.decide == "bound" else 0.5
        return self._is_above(sample, loss, probability)

    def _fails(self, sample: Sample, loss: float) -> float:
        shared = (1 - self.confidence) / self.groups
        probability = shared if self.decide == "bound" else 0.5
        return 1 - self._is_above(sample, loss, probability)

    def _is_above(self, sample: Sample, loss: float, probability: float) -> float:
        recalls = self._after(loss)
        spread = self._spread(sample, recalls)
        distance = self.value - loss - self.floor
        return is_above(sample, distance, spread, probability)

    def _after(self, loss: float) -> Floats:
        """(L,) recalls of a model whose number is lower by a loss."""
        recalls = np.array(self.recalls)
        if self.number is Statistic.RETENTION:
            recalls[-1] -= loss * recalls[0]
        elif self.number is Statistic.AUC:
            recalls -= loss
        elif self.number is Statistic.SLOPE:
            recalls -= loss * (np.array(self.levels) - self.levels[0])
        # Of a half level it is not known where recall was lost.
        inside: Floats = np.clip(recalls, 0.0, 1.0)
        return inside

    def _spread(self, sample: Sample, recalls: Floats) -> Spread:
        n = sample.queries
        patients = sample.patients
        per_patient = n / patients
        true_squares = n * self._variance(recalls, recalls) * sample.effect
        # Two patients are added, one with hits at level 0 alone and one at all others:
        # see `Evidence`.
        pulled = (patients * recalls + 1) / (patients + 2)
        clean_alone = np.zeros(len(recalls))
        clean_alone[0] = 1
        squares = n * self._variance(recalls, pulled) * sample.effect
        squares *= sample.resampled_share
        slope = derivative(self.number, self.levels, pulled)
        for added in (clean_alone, 1 - clean_alone):
            squares += (per_patient * float(slope @ (added - pulled))) ** 2
        shift = self._value(pulled) - self._value(recalls)
        if not math.isfinite(shift):
            shift = 0.0
        error = math.sqrt(squares) / (n + 2 * per_patient)
        return Spread(shift, error, math.sqrt(true_squares) / n)

    def _variance(self, recalls: Floats, at: Floats) -> float:
        """Of what a query of such recalls adds to the number, with its derivative at
        others.
        """
        slope = derivative(self.number, self.levels, at)
        deviations = np.sqrt(recalls * (1 - recalls)) * slope
        return float(deviations @ np.array(self.between) @ deviations)

    def _value(self, recalls: Floats) -> float:
        return float(statistic(self.number, self.levels, recalls[None])[0])


def derivative(number: Statistic, levels: Sequence[float], recalls: Floats) -> Floats:
    """(L,) how a number changes with the recall at each level; 0 where it has no value."""
    steps = _STEP * np.eye(len(recalls))
    above = statistic(number, levels, recalls + steps)
    below = statistic(number, levels, recalls - steps)
    # A half level that is not reached is infinite on both sides.
    is_known = np.isfinite(above) & np.isfinite(below)
    slope = np.zeros(len(recalls))
    slope[is_known] = (above[is_known] - below[is_known]) / (2 * _STEP)
    return slope
