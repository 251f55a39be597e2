"""The bootstrap of many shares of hits at once, as whole numbers.

What is resampled are counts, so each product of draws and hits is a whole number, and
float32 holds it exactly: the numbers do not depend on which columns are multiplied
together, and are those of `bootstrap.resampled_means` to the bit. So the draws are
looked through once for many columns, and several columns share one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bootstrap import RESAMPLES, Clusters, draws

_EXACT_BITS = 24
"""Float32 holds each whole number below 2 to this power."""


@dataclass(frozen=True, repr=False)
class ResampledCounts:
    """Hits of each of B samples of patients, for each of V columns."""

    hits: NDArray[np.int32]
    """(V, B)"""
    queries: NDArray[np.float64]
    """(B,) how many queries each sample has."""


def resampled_counts(
    hits: Sequence[NDArray[np.bool_]],
    pseudo: Sequence[tuple[int, int]],
    clusters: Clusters,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ResampledCounts | None:
    """The hits of `resamples` samples of patients, for V columns of (N,) hits.

    `pseudo` are the values of two patients that are added to each column, as
    `resampled_means` explains. None where patients of average size are not whole
    numbers, or float32 does not hold the counts.
    """
    queries = len(hits[0])
    if queries % clusters.count:
        return None
    usual = queries // clusters.count
    largest = (clusters.count + 2) * max(usual, int(clusters.sizes.max()))
    bits = largest.bit_length()
    if bits > _EXACT_BITS:
        return None
    columns = [
        _by_patient(each, ends, usual, clusters)
        for each, ends in zip(hits, pseudo, strict=True)
    ]
    sizes = np.append(clusters.sizes, [usual, usual])
    table = _packed([*columns, sizes], bits)
    totals = np.empty((len(table), resamples), dtype=np.float32)
    start = 0
    for times in draws(clusters.count + 2, resamples, seed):
        stop = start + len(times)
        totals[:, start:stop] = table @ times.astype(np.float32).T
        start = stop
    unpacked = _unpacked(totals, bits, len(columns) + 1)
    return ResampledCounts(unpacked[:-1], unpacked[-1].astype(np.float64))


def _by_patient(
    hits: NDArray[np.bool_],
    pseudo: tuple[int, int],
    usual: int,
    clusters: Clusters,
) -> NDArray[np.int64]:
    """(C + 2,) hits of each patient, and of the two that are added."""
    sums = np.bincount(clusters.numbers, weights=hits, minlength=clusters.count)
    ends = np.array(pseudo) * usual
    return np.concatenate([sums.astype(np.int64), ends])


def _packed(columns: Sequence[NDArray[np.int64]], bits: int) -> NDArray[np.float32]:
    """(ceil(V / P), C) numbers that hold P columns each, the first in the lowest bits."""
    per_number = _EXACT_BITS // bits
    rows = -(-len(columns) // per_number)
    table = np.zeros((rows, len(columns[0])), dtype=np.int64)
    for number, column in enumerate(columns):
        table[number // per_number] += column << (bits * (number % per_number))
    return table.astype(np.float32)


def _unpacked(totals: NDArray[np.float32], bits: int, count: int) -> NDArray[np.int32]:
    """(V, B) the columns that `_packed` put together, after sums that did not overflow."""
    per_number = _EXACT_BITS // bits
    whole = totals.astype(np.int32)
    unpacked = np.empty((count, totals.shape[1]), dtype=np.int32)
    mask = (1 << bits) - 1
    for number in range(count):
        row = whole[number // per_number]
        unpacked[number] = (row >> (bits * (number % per_number))) & mask
    return unpacked
