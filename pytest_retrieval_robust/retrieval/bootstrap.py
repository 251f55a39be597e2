"""The bootstrap over patients: what an average over queries might have been with other
patients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from .patients import PatientSizes

RESAMPLES = 10_000
_CHUNK = 1 << 17
"""Draws that are counted at a time: they stay in the processor's cache."""
_MOST_CACHED = 1 << 27
"""Bytes of counted draws that are cached: those of 13,000 patients."""
_MOST_OF_16_BITS = 1 << 12
"""Patients that are drawn by numbers of 16 bits."""


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

    @cached_property
    def patient_sizes(self) -> PatientSizes:
        """The sizes, and what bounds over such patients allow for."""
        return PatientSizes(self.sizes)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(C, V) sums of (N, V) values over each patient's queries."""
        sums = np.zeros((self.count, values.shape[1]))
        np.add.at(sums, self.numbers, values)
        return sums


@dataclass(frozen=True, eq=False, repr=False)
class Resampled:
    """Values of queries whose means are resampled."""

    values: NDArray[np.float64]
    """(N, V)"""
    clusters: Clusters
    pseudo: NDArray[np.float64] | None = None
    """(P, V) patients that are added to the sample: see `resampled_means`."""

    def table(self) -> NDArray[np.float32]:
        """(C + P, V + 1) sums over each patient's queries, and their number."""
        sums = self.clusters.sums(self.values)
        sizes = self.clusters.sizes.astype(np.float64)
        if self.pseudo is not None:
            usual = len(self.values) / self.clusters.count
            sums = np.vstack([sums, self.pseudo * usual])
            sizes = np.append(sizes, np.full(len(self.pseudo), usual))
        return np.column_stack([sums, sizes]).astype(np.float32)


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
    [means] = resampled_together(
        [Resampled(values, clusters, pseudo)], resamples=resamples, seed=seed
    )
    return means


def resampled_together(
    all_values: Sequence[Resampled], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[NDArray[np.float64]]:
    """The `resampled_means` of each of several, from one pass over the draws.

    All have the same number of patients, those that are added included.
    """
    tables = [values.table() for values in all_values]
    totals = [np.empty((resamples, table.shape[1])) for table in tables]
    start = 0
    for times in draws(len(tables[0]), resamples, seed):
        stop = start + len(times)
        weights = times.astype(np.float32)
        for table, total in zip(tables, totals, strict=True):
            total[start:stop] = weights @ table
        start = stop
    return [total[:, :-1] / total[:, -1:] for total in totals]


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
    if are_draws_kept(count, resamples):
        return _cached_draws(count, resamples, seed)
    return _fresh_draws(count, resamples, seed)


def are_draws_kept(patients: int, resamples: int = RESAMPLES) -> bool:
    """Whether draws are counted once for all curves, because memory holds them."""
    return patients * resamples <= _MOST_CACHED


@lru_cache(maxsize=2)
def _cached_draws(count: int, resamples: int, seed: int) -> list[NDArray[np.uint8]]:
    return list(_fresh_draws(count, resamples, seed))


def _fresh_draws(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.Generator(np.random.SFC64(seed))
    # Of 16 bits, numbers above the largest multiple of `count` are drawn again: up to
    # half of them, which takes longer than 32 bits do.
    dtype = np.uint16 if count <= _MOST_OF_16_BITS else np.uint32
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

    The variance is CR2: where patients are of one size, the usual one over patients, and
    where they are not, it allows for how far those with many queries draw the mean to
    themselves (R. M. Bell and D. F. McCaffrey, Survey Methodology 28, 2002).

    A multiple below 1 is put down to chance: it would promise more than independent
    queries can. Where nothing varies, or all queries are one patient's, it is unknown,
    and that of patients whose queries are all alike is taken (L. Kish, 1965).
    """
    if clusters.alone:
        return 1.0
    patients = clusters.patient_sizes
    centred = values - values.mean()
    usual = float(centred @ centred)
    if usual < 1e-12 or clusters.count < 2:
        return patients.largest_effect
    sums = np.bincount(clusters.numbers, weights=centred, minlength=clusters.count)
    if patients.are_equal:
        between = float(sums @ sums) / usual * clusters.count / (clusters.count - 1)
    else:
        between = float(sums * sums @ patients.leverage) / usual
    return max(1.0, between)
