"""The bootstrap over patients: what an average over queries might have been, had other patients been there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_CHUNK = 1 << 17
"""Draws that are counted at a time: they stay in the processor's cache."""


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
        found = np.zeros((self.count, values.shape[1]))
        np.add.at(found, self.numbers, values)
        return found


def resampled_means(
    values: NDArray[np.float64],
    clusters: Clusters,
    *,
    pseudo: NDArray[np.float64] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> NDArray[np.float64]:
    """(B, V) means of `values` (N, V) in `resamples` samples of as many patients, drawn with replacement.

    `pseudo` (P, V) are patients added to the sample, of average size and with these values for each of their queries.
    Without them a sample in which nothing differs would have an interval of no width, however small it is: the cure
    is that of A. Agresti and Y. Min (Statistics in Medicine 24, 2005), who add one discordant pair to two shares.

    The draws depend on `seed` and the number of patients alone, so the same runs have the same bounds.
    """
    sums, sizes = clusters.sums(values), clusters.sizes.astype(np.float64)
    if pseudo is not None:
        usual = len(values) / clusters.count
        sums = np.vstack([sums, pseudo * usual])
        sizes = np.append(sizes, np.full(len(pseudo), usual))
    table = np.column_stack([sums, sizes]).astype(np.float32)
    count, rng = len(table), np.random.Generator(np.random.SFC64(seed))
    step = max(1, min(_CHUNK // count, resamples))
    offsets = (np.arange(step, dtype=np.int64) * count)[:, None]
    totals = np.empty((resamples, table.shape[1]))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, count, size=(rows, count), dtype=_smallest(count))
        times = np.bincount((drawn + offsets[:rows]).ravel(), minlength=rows * count).reshape(rows, count)
        totals[start : start + rows] = times.astype(np.float32) @ table
    return totals[:, :-1] / totals[:, -1:]


def _smallest(count: int) -> type[np.unsignedinteger]:
    return np.uint16 if count <= 1 << 16 else np.uint32


def design_effect(values: NDArray[np.float64], clusters: Clusters) -> float:
    """How many times the variance of the mean of `values` (N,) is what it would be for independent queries; from 1.

    Below 1 it is put down to chance: it would promise more than independent queries can.
    """
    if clusters.alone or clusters.count < 2:
        return 1.0
    centred = values - values.mean()
    usual = float(centred @ centred)
    if usual == 0:
        return 1.0
    sums = np.bincount(clusters.numbers, weights=centred, minlength=clusters.count)
    return max(1.0, float(sums @ sums) / usual * clusters.count / (clusters.count - 1))
