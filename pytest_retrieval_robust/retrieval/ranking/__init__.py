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

from ._best_answers import BestAnswers, best_answers
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
from ._counting import count_wrong
from ._custom import custom_counts, on_device_of, scored
from ._duels import Duels, right_wins
from ._exact import Side, plain_sums
from ._filter import make_filter
from ._kernels import Engine, engine_for
from ._means import take_means
from ._precisions import Precision, precisions
from ._right_pairs import best_right, right_pairs
from ._tiles import Problem
from ._top_k import top_k

__all__ = [
    "BestAnswers",
    "Duels",
    "Groups",
    "Rows",
    "Similarity",
    "best_answers",
    "positive_ranks",
    "positive_ranks_both",
    "right_wins",
    "scored",
    "top_k",
]


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
    forced: Sequence[Precision] | None = None,
    engine: Engine | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the queries, and of the gallery's items if `both_directions` (else meaningless).

    `forced` precisions of the filters and an `engine` replace the usual choice.
    """
    queries, gallery = checked_sides(request, both_directions=both_directions)
    with torch.no_grad():
        if request.similarity is None:
            if engine is None:
                count, dimension = queries.rows.shape
                pairs = count * len(gallery.rows)
                engine = engine_for(queries.rows.device, request.tile, dimension, pairs)
            counts = _counts(queries, gallery, both_directions, forced, engine)
        else:
            # A scorer of the user's own needs no norms, which would show what is not finite.
            check_finite("queries", queries.rows)
            check_finite("gallery", gallery.rows)
            similarity = on_device_of(request.queries, request.similarity)
            counts = custom_counts(queries, gallery, similarity, request.tile)
    q_counts, g_counts = counts
    return to_host(q_counts) + 1, to_host(g_counts) + 1


def _counts(
    queries: Grouped,
    gallery: Grouped,
    both_directions: bool,
    forced: Sequence[Precision] | None,
    engine: Engine,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64: how many wrong partners score as high as the best right one."""
    sizes = engine.sizes
    with plain_sums(queries.rows.device):
        # 1. Norms, and the mean rows that the filters take off.
        of_queries, of_gallery = take_means(
            engine.kernels, queries.rows, gallery.rows, sizes.piece
        )
        left = _side(queries, of_queries.norms)
        right = _side(gallery, of_gallery.norms)
        # 2. In float64: what each row's best right partner surely scores, its floor.
        pairs = right_pairs(left, right, sizes)
        q_floors, g_floors = best_right(engine, left, right, pairs)
        # 3. Tile by tile: which wrong pairs reach a floor, by the filters' scores, and in
        #    float64 where these leave it in doubt.
        filters = []
        for precision in forced or precisions(left, right):
            made = make_filter(
                left, right, of_queries.means, of_gallery.means, precision, sizes
            )
            if made is not None:
                filters.append(made)
        problem = Problem(
            left, right, q_floors, g_floors, pairs, both_directions, engine
        )
        return count_wrong(problem, filters)


def _side(grouped: Grouped, norms: torch.Tensor) -> Side:
    groups = torch.from_numpy(grouped.groups).to(grouped.rows.device)
    return Side(grouped.rows, norms, groups)
