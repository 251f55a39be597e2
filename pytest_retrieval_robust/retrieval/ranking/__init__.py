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
    Grouped,
    Groups,
    Request,
    Rows,
    Similarity,
    check_finite,
    checked_sides,
    to_host,
)
from ._custom import custom_counts, on_device_of, scored
from ._exact import Side, plain_sums
from ._filter import make_filter, precisions
from ._kernels import Kernels, choose
from ._means import take_means
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


# Tiles are larger on a device whose time goes into starting work.
_LARGER_ON_DEVICE = 4


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
    request = Request(queries, gallery, query_groups, gallery_groups, similarity, tile)
    return _ranks(request, both_directions=False)[0]


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
        queries: (Q, D) float32.
        gallery: (G, D) float32, on the same device.
        query_groups: (Q,) integers.
        gallery_groups: (G,) integers.
        similarity: Scores a tile in place of the dot product. Each pair is scored once,
            for both directions.
        tile: Rows of queries and of gallery items that are compared at a time.

    Returns:
        (Q,) and (G,) int64 from 1, on the host.

    Raises:
        RankingError: NaN, infinite or zero rows, a query or a gallery item without a
            right partner, or shapes and dtypes that do not fit.
    """
    request = Request(queries, gallery, query_groups, gallery_groups, similarity, tile)
    return _ranks(request, both_directions=True)


def _ranks(
    request: Request,
    *,
    both_directions: bool,
    forced: Sequence[torch.dtype] | None = None,
    kernels: Kernels | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the queries, and of the gallery's items if `both_directions` (else meaningless).

    `forced` precisions of the filters and `kernels` replace the usual choice.
    """
    queries, gallery = checked_sides(request, both_directions=both_directions)
    with torch.no_grad():
        if request.similarity is None:
            counts = _counts(
                queries, gallery, request.tile, both_directions, forced, kernels
            )
        else:
            # A scorer of the user's own needs no norms, which would show what is not finite.
            check_finite("queries", queries.rows)
            check_finite("gallery", gallery.rows)
            similarity = on_device_of(request.queries, request.similarity)
            counts = custom_counts(queries, gallery, similarity, request.tile)
    q_counts, g_counts = counts
    return to_host([q_counts]) + 1, to_host([g_counts]) + 1


def _counts(
    queries: Grouped,
    gallery: Grouped,
    tile: int,
    both_directions: bool,
    forced: Sequence[torch.dtype] | None,
    kernels: Kernels | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64: how many wrong partners score as high as the best right one."""
    device = queries.rows.device
    if device.type != "cpu":
        tile *= _LARGER_ON_DEVICE
    if kernels is None:
        kernels = choose(len(queries.rows) * len(gallery.rows), device)
    with plain_sums(device):
        # 1. Norms, and the mean rows that the filters take off.
        of_queries, of_gallery = take_means(kernels, queries.rows, gallery.rows)
        left = _side(queries, of_queries.norms)
        right = _side(gallery, of_gallery.norms)
        # 2. In float64: what each row's best right partner surely scores, its floor.
        pairs = right_pairs(left, right, ROWS * tile, tile)
        q_floors, g_floors = best_right(kernels, left, right, pairs, tile)
        # 3. Tile by tile: which wrong pairs reach a floor, by the filters' scores, and in
        #    float64 where these leave it in doubt.
        filters = [
            make_filter(left, right, of_queries.means, of_gallery.means, dtype)
            for dtype in forced or precisions(left, right)
        ]
        problem = Problem(
            left, right, q_floors, g_floors, pairs, tile, both_directions, kernels
        )
        return count_wrong(problem, filters)


def _side(grouped: Grouped, norms: torch.Tensor) -> Side:
    groups = torch.from_numpy(grouped.groups).to(grouped.rows.device)
    return Side(grouped.rows, norms, groups)
