"""Recall@k: the share of queries whose best right answer is among the first k."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from . import Metric, MetricEntry, check_k, checked_ranks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...core.catalogue import Catalogue


def recall_at_k(ranks: NDArray[np.int64] | Sequence[int], k: int) -> float:
    """The share of `ranks`, (N,) from 1, that are at most `k`; in [0, 1].

    >>> import numpy as np
    >>> recall_at_k(np.array([1, 3, 12, 1]), 3)
    0.75

    Raises:
        ValueError: No ranks, a rank below 1, or a k below 1.
    """
    check_k(k)
    return float((checked_ranks(ranks) <= k).mean())


def chance_recall(right_counts: Iterable[int], gallery_size: int, k: int) -> float:
    """The Recall@k of answers in random order: the mean of 1 - C(N-g, k) / C(N, k) over
    queries with g right of N.

    >>> chance_recall([1, 1], 100, 10)
    0.1

    Args:
        right_counts: For each query, how many gallery items are right, from 1 to `gallery_size`.
        gallery_size: N.
        k: How many answers count.

    Raises:
        ValueError: No queries, a count outside 1..N, or a k below 1.
    """
    check_k(k)
    counts = _numbers_of(right_counts)
    if not counts or min(counts) < 1 or max(counts) > gallery_size:
        raise ValueError(
            f"Expected counts of right items from 1 to gallery_size={gallery_size}, got"
            f" counts={sorted(counts)[:3]}. Leave out queries without a right item."
        )
    chances = (n * _chance(right, gallery_size, k) for right, n in counts.items())
    return math.fsum(chances) / counts.total()


def _numbers_of(counts: Iterable[int]) -> Counter[int]:
    """Count -> how many queries have it."""
    import numpy as np

    # Counted by numpy: a run asks once per cell, direction and k.
    if isinstance(counts, np.ndarray):
        values, numbers = np.unique(counts, return_counts=True)
        pairs = zip(values.tolist(), numbers.tolist(), strict=True)
        return Counter({int(count): number for count, number in pairs})
    return Counter(int(count) for count in counts)


def _chance(right: int, gallery_size: int, k: int) -> float:
    """1 - C(N-g, k) / C(N, k) as 1 minus a short product, whose logarithm keeps small
    chances exact.
    """
    # The number of right items and k may change places, and the shorter product is best.
    few, many = sorted((right, k))
    if few + many > gallery_size:
        return 1.0
    if few == 1:
        return many / gallery_size
    factors = (math.log1p(-many / (gallery_size - i)) for i in range(few))
    return -math.expm1(math.fsum(factors))


def _recall(k: int) -> Metric:
    check_k(k)
    return partial(recall_at_k, k=k)


def register(catalogue: Catalogue[MetricEntry]) -> None:
    catalogue.add(
        MetricEntry(
            name="recall",
            summary="share of queries whose best right answer is among the first k",
            parameters={"k": int},
            build=_recall,
        )
    )
