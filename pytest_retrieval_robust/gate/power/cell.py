"""The power of a gate of non-inferiority in one cell: Tango's score bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...retrieval.intervals import normal_quantile
from ..curve_statistics import Floats
from ..difference import Errors
from .normal import mean_below
from .paired_rates import wins_and_losses
from .planned import PowerOfMargin
from .sampling import Sample, Sampling

_MOST_EXACT = 4000
"""Queries up to which every number of wins and losses is gone through."""
_REACH = 7.0
"""Standard deviations of wins and losses that are gone through."""
_ROUNDING = 1e-9
"""How far a score may miss the deviate and still be taken for it."""


@dataclass(frozen=True)
class CellPower(PowerOfMargin):
    """`not_worse_than_baseline = { ..., over = "cells" }` in one cell.

    Exact where no patient repeats, up to some thousand queries. Elsewhere differences
    are normal, and the design effect that the bounds take is estimated from the
    patients.
    """

    recall: float
    """The baseline's."""
    correlation: float
    """Of the hits of the two models (phi)."""
    margin: float
    errors: Errors
    sampling: Sampling

    @property
    def value(self) -> float:
        return self.recall

    @property
    def most(self) -> float:
        return self.recall

    def _passes(self, sample: Sample, loss: float) -> float:
        return self._is_above(
            sample, loss, self.errors.passing, normal_quantile(1 - self.errors.passing)
        )

    def _fails(self, sample: Sample, loss: float) -> float:
        deviate = -normal_quantile(1 - self.errors.failing)
        return 1 - self._is_above(sample, loss, self.errors.failing, deviate)

    def _is_above(
        self, sample: Sample, loss: float, alpha: float, deviate: float
    ) -> float:
        """How likely the score of a loss of the margin is at least `deviate`."""
        candidate = max(self.recall - loss, 0.0)
        won, lost = wins_and_losses(self.recall, candidate, self.correlation)
        if sample.are_alone and sample.queries <= _MOST_EXACT:
            return self._exactly(sample.queries, won, lost, deviate)
        worth = sample.queries / sample.effects(1 - alpha)
        needed = self._needed(won + lost, worth, deviate)
        variance = (won + lost - (won - lost) ** 2) / sample.effective
        return mean_below((won - lost - needed) / math.sqrt(variance))

    def _exactly(self, n: int, won: float, lost: float, deviate: float) -> float:
        """The sum over all likely numbers of wins and losses."""
        wins = _likely_counts(n, won)[:, None]
        losses = _likely_counts(n, lost)[None, :]
        ties = n - wins - losses
        is_possible = ties >= 0
        logs = _log_factorials(n)
        log_chance = (
            logs[n]
            - logs[wins]
            - logs[losses]
            - logs[np.maximum(ties, 0)]
            + wins * math.log(max(won, 1e-300))
            + losses * math.log(max(lost, 1e-300))
            + ties * math.log(max(1 - won - lost, 1e-300))
        )
        scores = tango_scores(
            wins.astype(np.float64), losses.astype(np.float64), float(n), -self.margin
        )
        is_above = is_possible & (scores >= deviate - _ROUNDING)
        return min(1.0, float(np.exp(log_chance[is_above]).sum()))

    def _needed(self, differing: float, worth: Floats, deviate: float) -> Floats:
        """(J,) the differences whose score is the deviate, of so many independent queries
        of which a share differs.
        """
        low = np.full(len(worth), -differing)
        high = np.full(len(worth), differing)
        for _ in range(30):
            middle = (low + high) / 2
            scores = np.sqrt(worth) * tango_scores(
                (differing + middle) / 2, (differing - middle) / 2, 1.0, -self.margin
            )
            is_low = scores < deviate
            low = np.where(is_low, middle, low)
            high = np.where(is_low, high, middle)
        return high


def tango_scores(wins: Floats, losses: Floats, n: float, delta: float) -> Floats:
    """Standardised distances of observed differences from `delta`: the score of T. Tango
    (1998), whose bounds are `retrieval.intervals.paired_score_bounds`.
    """
    slope = wins + losses - (2 * n - wins + losses) * delta
    square = np.maximum(0.0, slope * slope + 8 * n * losses * delta * (1 - delta))
    lost = (slope + np.sqrt(square)) / (4 * n)
    variance = n * (2 * np.maximum(lost, max(-delta, 0.0)) + delta * (1 - delta))
    distance = wins - losses - n * delta
    scores: Floats = distance / np.sqrt(np.maximum(variance, 1e-15))
    return scores


def _likely_counts(n: int, share: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The numbers of queries, of `n`, within so many standard deviations of their mean."""
    reach = _REACH * math.sqrt(n * share * (1 - share)) + 10
    low = max(0, math.floor(n * share - reach))
    high = min(n, math.ceil(n * share + reach))
    return np.arange(low, high + 1, dtype=np.int64)


def _log_factorials(n: int) -> Floats:
    """(n + 1,) ln 0! to ln n!."""
    logs: Floats = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return logs
