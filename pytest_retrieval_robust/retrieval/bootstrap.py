"""The bootstrap over patients: what an average over queries might have been with other
patients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_CHUNK = 1 << 17
"""Draws that are counted at a time: they stay in the processor's cache."""
_MOST_CACHED = 1 << 27
"""Bytes of counted draws that are cached: those of 13,000 patients."""


@dataclass(frozen=True)
class Clusters:
    """Which patient each query belongs to, as what the bootstrap needs."""

    numbers: NDArray[np.int64]
    """(N,) of 0 to `count` - 1."""
    sizes: NDArray[np.int64]
    """(C,) queries of each patient."""

    @classmethod
    def of(cls, labels: NDArray[np.int64]) -> Clusters:
        _, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return cls(numbers.astype(np.int64), sizes.astype(np.int64))

    @property
    def count(self) -> int:
        return len(self.sizes)

    @property
    def alone(self) -> bool:
        """Whether each query has a patient of its own."""
        return self.count == len(self.numbers)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(C, V) sums of (N, V) values over each patient's queries."""
        sums = np.zeros((self.count, values.shape[1]))
        np.add.at(sums, self.numbers, values)
        return sums


def resampled_means(
    values: NDArray[np.float64],
    clusters: Clusters,
    *,
    pseudo: NDArray[np.float64] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> NDArray[np.float64]:
    """(B, V) means of `values` (N, V) in `resamples` samples of as many patients, drawn
    with replacement.

    `pseudo` (P, V) are patients added to the sample, of average size and with these
    values for each of their queries. Without them a sample in which nothing differs
    would have an interval of no width, however small it is: the cure is that of A.
    Agresti and Y. Min (Statistics in Medicine 24, 2005), who add one discordant pair to
    two shares.

    The draws depend on `seed` and the number of patients alone, so the same runs have
    the same bounds.
    """
    sums = clusters.sums(values)
    sizes = clusters.sizes.astype(np.float64)
    if pseudo is not None:
        usual = len(values) / clusters.count
        sums = np.vstack([sums, pseudo * usual])
        sizes = np.append(sizes, np.full(len(pseudo), usual))
    table = np.column_stack([sums, sizes]).astype(np.float32)
    totals = np.empty((resamples, table.shape[1]))
    start = 0
    for times in draws(len(table), resamples, seed):
        stop = start + len(times)
        totals[start:stop] = times.astype(np.float32) @ table
        start = stop
    return totals[:, :-1] / totals[:, -1:]


def resampled_ranks(
    ranks: NDArray[np.int64],
    clusters: Clusters,
    worst: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Iterator[NDArray[np.int64]]:
    """The (M,) ranks of each of `resamples` samples of as many patients, for a number
    that is no mean over queries.

    Two patients of average size are added, as `resampled_means` explains: one with all
    ranks 1, and one with all ranks `worst`.
    """
    usual = max(1, round(len(ranks) / clusters.count))
    pool = np.concatenate([ranks, np.full(usual, 1), np.full(usual, worst)])
    pseudo = np.repeat([clusters.count, clusters.count + 1], usual)
    numbers = np.concatenate([clusters.numbers, pseudo])
    for chunk in draws(clusters.count + 2, resamples, seed):
        for times in chunk:
            yield np.repeat(pool, times[numbers])


def draws(count: int, resamples: int, seed: int) -> Iterable[NDArray[np.uint8]]:
    """Chunks of (rows, C) how often each sample has each patient.

    Cached where they fit, because every curve needs them.
    """
    if count * resamples <= _MOST_CACHED:
        return _cached_draws(count, resamples, seed)
    return _fresh_draws(count, resamples, seed)


@lru_cache(maxsize=2)
def _cached_draws(count: int, resamples: int, seed: int) -> list[NDArray[np.uint8]]:
    return list(_fresh_draws(count, resamples, seed))


def _fresh_draws(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.Generator(np.random.SFC64(seed))
    dtype = np.uint16 if count <= 1 << 16 else np.uint32
    step = max(1, min(_CHUNK // count, resamples))
    # Each sample's patients get numbers of their own, so that one count does for all.
    offsets = (np.arange(step, dtype=np.int64) * count)[:, None]
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, count, size=(rows, count), dtype=dtype)
        numbers = (drawn + offsets[:rows]).ravel()
        times = np.bincount(numbers, minlength=rows * count).reshape(rows, count)
        # No patient is drawn 256 times: of fewer patients there are fewer draws, of
        # more it is as good as impossible.
        yield times.astype(np.uint8)


def design_effect(values: NDArray[np.float64], clusters: Clusters) -> float:
    """The variance of the mean of `values` (N,), as a multiple of what it would be for
    independent queries; at least 1.

    A multiple below 1 is put down to chance: it would promise more than independent
    queries can. Where nothing varies, or all queries are one patient's, it is unknown,
    and the largest possible is taken: a patient is worth one query.
    """
    if clusters.alone:
        return 1.0
    centred = values - values.mean()
    usual = float(centred @ centred)
    if usual < 1e-12 or clusters.count < 2:
        return len(values) / clusters.count
    sums = np.bincount(clusters.numbers, weights=centred, minlength=clusters.count)
    return max(1.0, float(sums @ sums) / usual * clusters.count / (clusters.count - 1))
