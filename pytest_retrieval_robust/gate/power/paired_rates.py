"""How often two models hit the same query differently, from their recall and how alike their
hits are.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ...core.errors import ArgumentError
from ...retrieval.intervals import normal_quantile
from ..curve_statistics import Floats

_FEWEST = 1e-9
"""A share of differing queries that is still above none."""


def correlation_of(recall: float, discordance: float) -> float:
    """The correlation (phi) of the hits of two models of one recall that differ in a
    share of the queries.

    >>> round(correlation_of(0.6, 0.12), 3)
    0.75

    Raises:
        ArgumentError: No such share is possible.
    """
    independent = 2 * recall * (1 - recall)
    most = 2 * min(recall, 1 - recall)
    if not 0 < discordance <= most:
        raise ArgumentError(
            f"Expected a discordance above 0 and at most {most:.3g}, the most that two"
            f" models of recall={recall:g} can have, got discordance={discordance!r}."
            " Give the share of queries that one of the two models alone hits."
        )
    return 1 - discordance / independent


def wins_and_losses(
    baseline: float, candidate: float, correlation: float
) -> tuple[float, float]:
    """The shares of queries that the candidate alone, and the baseline alone, hits.

    Each model hits a query whose score is below a threshold, and the scores of both have
    a normal distribution. What is lost moves the candidate's threshold, and the scores
    stay as alike as they are: `correlation` is that of the hits (phi) where both models
    have the recall of the baseline. A phi that stayed would have a model that lost much
    win almost nothing.

    >>> wins, losses = wins_and_losses(0.6, 0.55, 0.75)
    >>> round(wins, 4), round(losses, 4)
    (0.0391, 0.0891)
    """
    own = both_hit(baseline, candidate, _alike(baseline, correlation))
    # No more than the smaller recall, and no less than what must overlap.
    both = min(own, baseline - _FEWEST, candidate - _FEWEST)
    both = max(both, baseline + candidate - 1, 0.0)
    return candidate - both, baseline - both


@lru_cache(maxsize=256)
def _alike(recall: float, phi: float) -> float:
    """The correlation of the scores of two models of one recall whose hits have a
    correlation of `phi` (K. Pearson's tetrachoric correlation).
    """
    wanted = recall * recall + phi * recall * (1 - recall)
    low, high = -1.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if both_hit(recall, recall, middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def both_hit(first: float, second: float, correlation: float) -> float:
    """P(X < a, Y < b) of normal variables, where X < a has the probability `first` and
    Y < b the probability `second`.

    The density integrated over the correlation, in its angle, by Gauss and Legendre
    (Z. Drezner and G. O. Wesolowsky 1990).
    """
    if not (0 < first < 1 and 0 < second < 1):
        return first * second
    a = normal_quantile(first)
    b = normal_quantile(second)
    half = math.asin(correlation) / 2
    nodes, weights = _gauss()
    sine = np.sin(half * (nodes + 1))
    distance = a * a + b * b - 2 * a * b * sine
    # The cosine is 0 where the scores are the same.
    square = np.maximum(1 - sine * sine, 1e-300)
    density = np.exp(-distance / (2 * square))
    return first * second + half * float(weights @ density) / (2 * math.pi)


@lru_cache(maxsize=1)
def _gauss() -> tuple[Floats, Floats]:
    """Places in [-1, 1], and their weights."""
    return np.polynomial.legendre.leggauss(64)
