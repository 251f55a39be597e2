"""Exact ranks and best answers, in tiles of the similarity matrix and never the whole of it.

The score of a query and a gallery item is the exact dot product of their float32 rows.
Tiles are multiplied by a filter in low precision, whose error has a rigorous bound
(`_filter`; N. J. Higham, "Accuracy and Stability of Numerical Algorithms", section
3.1). Only pairs that this bound leaves in doubt are looked at again in float64, where
the products of float32 numbers are exact. What float64's own bound cannot tell apart is
a tie, and ties count against the model: a collapsed encoder must not score 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ._checks import (
    Groups,
    Rows,
    Similarity,
    check_answerable,
    check_finite,
    checked_groups,
    checked_rows,
    to_host,
)
from ._custom import beside, custom_counts, scored
from ._exact import Side, plain_sums
from ._filter import make_filter, precisions, take_means
from ._kernels import Kernels, choose
from ._right_pairs import best_right, right_pairs
from ._tiles import ROWS, Problem, count_wrong
from ._top_k import top_k

__all__ = [
    "Groups",
    "Rows",
    "Similarity",
    "positive_ranks",
    "positive_ranks_both",
    "scored",
    "top_k",
]


_LARGER = 4  # tiles of a device whose time goes into starting work


def positive_ranks(
    queries: Rows,
    gallery: Rows,
    query_groups: Groups,
    gallery_groups: Groups,
    *,
    similarity: Similarity | None = None,
    tile: int = 1024,
) -> NDArray[np.int64]:
    """For each query, 1 + the number of wrong gallery items that score at least as high
    as its best right one.

    A gallery item is right where its group is the query's. Beyond the embeddings,
    memory is some ten tiles'.

    >>> rows = np.eye(3, dtype=np.float32)
    >>> positive_ranks(rows, rows, [0, 1, 2], [0, 1, 2])
    array([1, 1, 1])
    >>> positive_ranks(np.ones_like(rows), rows, [0, 1, 2], [0, 1, 2])  # collapsed: everything ties
    array([3, 3, 3])

    Args:
        queries: (Q, D) float32.
        gallery: (G, D) float32, on the same device.
        query_groups: (Q,) integers.
        gallery_groups: (G,) integers.
        similarity: Scores a tile in place of the dot product. Its values are ranked as they are.
        tile: Rows of queries and of gallery items that are compared at a time.

    Returns:
        (Q,) int64 from 1, on the host.

    Raises:
        RankingError: NaN, infinite or zero rows, a query without a right item, or
        shapes and dtypes that do not fit.
    """
    return _ranks(
        queries, gallery, query_groups, gallery_groups, similarity, tile, both=False
    )[0]


def positive_ranks_both(
    queries: Rows,
    gallery: Rows,
    query_groups: Groups,
    gallery_groups: Groups,
    *,
    similarity: Similarity | None = None,
    tile: int = 1024,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`positive_ranks` of the queries in the gallery, and of the gallery's items among
    the queries, from one pass.

    >>> rows = np.eye(3, dtype=np.float32)
    >>> positive_ranks_both(rows, rows[:2], [0, 1, 1], [0, 1])
    (array([1, 1, 2]), array([1, 1]))

    Args:
        queries: (Q, D) float32. gallery: (G, D) float32, on the same device.
        query_groups: (Q,) integers. gallery_groups: (G,) integers. similarity: Scores a
        tile in place of the dot product. Each pair is scored once, for both directions.
        tile: Rows of queries and of gallery items that are compared at a time.

    Returns:
        (Q,) and (G,) int64 from 1, on the host.

    Raises:
        RankingError: NaN, infinite or zero rows, a query or a gallery item without a
            right partner, or shapes and dtypes that do not fit.
    """
    return _ranks(
        queries, gallery, query_groups, gallery_groups, similarity, tile, both=True
    )


def _ranks(
    queries: Rows,
    gallery: Rows,
    query_groups: Groups,
    gallery_groups: Groups,
    similarity: Similarity | None,
    tile: int,
    *,
    both: bool,
    forced: Sequence[torch.dtype] | None = None,
    kernels: Kernels | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    q_rows, g_rows = checked_rows(queries, gallery, tile)
    q_groups = checked_groups("query_groups", query_groups, len(q_rows))
    g_groups = checked_groups("gallery_groups", gallery_groups, len(g_rows))
    check_answerable(q_groups, g_groups)
    if both:
        check_answerable(g_groups, q_groups, back=True)
    with torch.no_grad():
        if similarity is None:
            counts = _counts(
                q_rows, g_rows, q_groups, g_groups, tile, both, forced, kernels
            )
        else:
            check_finite("queries", q_rows)
            check_finite("gallery", g_rows)
            scorer = beside(similarity, queries)
            counts = custom_counts(q_rows, g_rows, q_groups, g_groups, scorer, tile)
    return to_host(counts[:1]) + 1, to_host(counts[1:]) + 1


def _counts(
    q_rows: torch.Tensor,
    g_rows: torch.Tensor,
    q_groups: NDArray[np.int64],
    g_groups: NDArray[np.int64],
    tile: int,
    both: bool,
    forced: Sequence[torch.dtype] | None,
    kernels: Kernels | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    device = q_rows.device
    if device.type != "cpu":
        tile *= _LARGER
    kernels = kernels or choose(len(q_rows) * len(g_rows), device)
    with plain_sums(device):
        (q_norms, q_means), (g_norms, g_means) = take_means(kernels, q_rows, g_rows)
        left = Side(q_rows, q_norms, torch.from_numpy(q_groups).to(device))
        right = Side(g_rows, g_norms, torch.from_numpy(g_groups).to(device))
        pairs = right_pairs(left, right, ROWS * tile, tile)
        q_floors, g_floors = best_right(kernels, left, right, pairs, tile)
        dtypes = forced or precisions(left, right)
        filters = [
            make_filter(left, right, q_means, g_means, dtype) for dtype in dtypes
        ]
        return count_wrong(
            Problem(left, right, q_floors, g_floors, pairs, tile, both, kernels),
            filters,
        )
