"""Several models on the same queries: which pairs are told apart, and which ranks each
model may have.

Percentiles of the ranks that resamples give do not say how well an order is known: of
models that are nearly equal they miss the true order more often than not (M. Xie, K.
Singh, C.-H. Zhang, JASA 104, 2009; `benchmarks.rank_intervals`). So ranks follow from
pairs: a model has at least as many models above it as are told apart above it. All pairs
are right at once with a probability of 0.95, and so all ranks are (M. Mogstad, J. P.
Romano, A. M. Shaikh, D. Wilhelm, Review of Economic Studies 91, 2024, with the step-down
of J. P. Romano and M. Wolf, Econometrica 73, 2005).

A pair is tested by the signs of its patients: if two models are equal, a patient on whom
one is better could as well be one on whom the other is. Of a single cell in which no
patient repeats this is McNemar's exact test. It asks nothing of the number or the sizes of
the patients, where a variance that is estimated from them would be too small.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .bootstrap import RESAMPLES, Clusters
from .intervals import normal_quantile

Floats = NDArray[np.float64]
ALPHA = 0.05
"""How often any pair that is told apart, or any interval of ranks, may be wrong."""
_CHUNK = 1 << 20
"""Signs that are drawn at a time."""
_NONE = 1e-12
"""A sum that counts as 0: the two models have the same hits of a patient."""
_ROUNDING = 1e-9
"""Sums that differ by such a share are the same."""


@dataclass(frozen=True)
class RankInterval:
    """The ranks that a model may have, from 1 for the best; both ends included."""

    best: int
    worst: int

    @property
    def is_known(self) -> bool:
        """Whether one rank alone is possible."""
        return self.best == self.worst


@dataclass(frozen=True, eq=False, repr=False)
class AllPairs:
    """M models on the same queries, pair by pair."""

    means: Floats
    """(M,) the mean score of each model."""
    p: Floats
    """(M, M) two-sided p of each difference by itself; 1 on the diagonal."""
    adjusted_p: Floats
    """(M, M) adjusted for the number of pairs: told apart below `ALPHA`."""
    low: Floats
    """(M, M) lower end of the difference, the row's mean minus the column's. The
    intervals of all pairs hold at once with a probability of 0.95.
    """
    high: Floats
    """(M, M) the upper end."""

    @property
    def count(self) -> int:
        return len(self.means)

    @cached_property
    def better(self) -> NDArray[np.bool_]:
        """(M, M) whether the model of the row is told apart above that of the column."""
        differences = self.means[:, None] - self.means[None, :]
        better: NDArray[np.bool_] = (self.adjusted_p < ALPHA) & (differences > 0)
        return better

    @cached_property
    def intervals(self) -> tuple[RankInterval, ...]:
        """Of each model. All of them hold at once with a probability of 0.95."""
        above = self.better.sum(axis=0)
        below = self.better.sum(axis=1)
        return tuple(
            RankInterval(1 + int(more), self.count - int(fewer))
            for more, fewer in zip(above, below, strict=True)
        )


def compare_all(
    scores: Floats, clusters: Clusters, *, flips: int = RESAMPLES, seed: int = 0
) -> AllPairs:
    """Compare M models by their scores on the same queries.

    Args:
        scores: (N, M) the score of each query and model, in [0, 1]: a hit, or its mean
            over levels and seeds.
        clusters: The patient of each query; the signs of patients are flipped.
        flips: How many draws of signs; no p is below 1 / (1 + flips).

    The draws depend on `seed` and the number of patients alone.
    """
    sums = clusters.sums(scores)
    reaches = _reaches(sums)
    distances = np.abs(_differences(sums.sum(axis=0))) / np.maximum(reaches, _NONE)
    flipped = _flipped_sums(sums, flips, seed)
    count = sums.shape[1]
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    # From the least distance up: a pair stands beside all that are no more distant.
    rising = sorted(pairs, key=lambda pair: distances[pair])
    p = np.ones((count, count))
    adjusted_p = np.ones((count, count))
    greatest = np.zeros(flips)
    for i, j in rising:
        away = np.abs(flipped[i] - flipped[j])
        # Of a pair that never differs only rounding is left.
        away /= reaches[i, j] if reaches[i, j] > _NONE else np.inf
        np.maximum(greatest, away, out=greatest)
        p[i, j] = p[j, i] = _share_beyond(away, distances[i, j])
        adjusted_p[i, j] = adjusted_p[j, i] = _share_beyond(greatest, distances[i, j])
    for larger, smaller in _falling(rising):
        # A pair is told apart only if every more distant one is.
        least = max(adjusted_p[larger], adjusted_p[smaller])
        adjusted_p[smaller] = adjusted_p[smaller[::-1]] = least
    reach = float(np.quantile(greatest, 1 - ALPHA))
    if any(reaches[pair] <= _NONE for pair in pairs):
        # Signs say nothing of a pair that never differs: it takes what all pairs would
        # take if they had nothing in common (C. E. Bonferroni, 1936).
        reach = max(reach, normal_quantile(1 - ALPHA / (2 * len(pairs))))
    low, high = _bounds(sums, clusters.sizes.astype(np.float64), reach)
    return AllPairs(scores.mean(axis=0), p, adjusted_p, low, high)


def _share_beyond(samples: Floats, distance: float) -> float:
    """How often chance gets as far. The observed signs count as one draw, so that no p
    is 0.
    """
    beyond = int((samples >= distance * (1 - _ROUNDING)).sum())
    return (1 + beyond) / (1 + len(samples))


def _falling(
    rising: list[tuple[int, int]],
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Each pair with the one that is next less distant, the most distant first."""
    falling = rising[::-1]
    return pairwise(falling)


def _differences(values: Floats) -> Floats:
    """(M, M) of each pair of (M,) values."""
    differences: Floats = values[:, None] - values[None, :]
    return differences


def _reaches(sums: Floats) -> Floats:
    """(M, M) the root of the summed squares of the patients' differences: how far random
    signs lead, and the same whatever the signs are.
    """
    squares = []
    for column in sums.T:
        differences = sums - column[:, None]
        squares.append((differences * differences).sum(axis=0))
    reaches: Floats = np.sqrt(np.stack(squares))
    return reaches


def _flipped_sums(sums: Floats, flips: int, seed: int) -> Floats:
    """(M, B) the sums over patients that get random signs, the same for all models."""
    rng = np.random.Generator(np.random.SFC64(seed))
    patients, models = sums.shape
    flipped = np.empty((models, flips))
    step = max(1, min(_CHUNK // patients, flips))
    for start in range(0, flips, step):
        rows = min(step, flips - start)
        words = rng.bytes(rows * (-(-patients // 8)))
        bits = np.frombuffer(words, dtype=np.uint8).reshape(rows, -1)
        signs = np.unpackbits(bits, axis=1, count=patients).astype(np.float64)
        signs *= 2
        signs -= 1
        flipped[:, start : start + rows] = sums.T @ signs.T
    return flipped


def _bounds(sums: Floats, sizes: Floats, reach: float) -> tuple[Floats, Floats]:
    """(M, M) the differences that a test of `reach` would not tell from the observed one:
    a score interval, whose ends solve a quadratic.

    As to a bootstrap, two patients are added who gain and lose what is usual where a pair
    differs: without them a pair that differs nowhere would have no width.
    """
    count = sums.shape[1]
    queries = float(sizes.sum())
    of_sizes = float(sizes @ sizes)
    low = np.full((count, count), -1.0)
    high = np.full((count, count), 1.0)
    leading = queries * queries - reach * reach * of_sizes
    # Too few patients for any bound: a test of this reach rejects nothing.
    if leading <= 0:
        np.fill_diagonal(low, 0.0)
        np.fill_diagonal(high, 0.0)
        return low, high
    for i in range(count):
        for j in range(i + 1, count):
            differences = sums[:, i] - sums[:, j]
            squares = float(differences @ differences)
            squares += 2 * _gain(differences, queries / len(sizes)) ** 2
            total = float(differences.sum())
            middle = queries * total - reach * reach * float(differences @ sizes)
            last = total * total - reach * reach * squares
            root = math.sqrt(max(0.0, middle * middle - leading * last))
            ends = ((middle - root) / leading, (middle + root) / leading)
            low[i, j] = max(-1.0, ends[0])
            high[i, j] = min(1.0, ends[1])
            low[j, i] = -high[i, j]
            high[j, i] = -low[i, j]
    np.fill_diagonal(low, 0.0)
    np.fill_diagonal(high, 0.0)
    return low, high


def _gain(differences: Floats, usual: float) -> float:
    """What an added patient of usual size gains: the root mean square of the patients in
    whom the models differ, and all of its queries where hardly any do.
    """
    differing = int((np.abs(differences) > _NONE).sum())
    squares = float(differences @ differences) / (usual * usual)
    return usual * min(1.0, math.sqrt((1 + squares) / (1 + differing)))
