"""The first answers of many queries, quickly: what lists of answers are compared by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import RankingError
from ._checks import Rows, Similarity, checked_rows, parts
from ._custom import on_device_of, strips
from ._exact import plain_sums

_SPARE = 6
"""Answers beyond the k best that are scored again: as many may be swapped by rounding."""
_WIDTH = 8
"""Tiles of the gallery that are looked through at a time."""
_GRID = 2.0**40
"""Scores that differ by less than its inverse are equal: sums of float64 round otherwise
on another device.
"""


class BestAnswers(NamedTuple):
    """The first answers of each query."""

    items: NDArray[np.int64]
    """(Q, k) numbers in the gallery, the best first."""
    scores: NDArray[np.float64]
    """(Q,) the score of the best one."""


class _Found(NamedTuple):
    scores: torch.Tensor
    """(q, c)"""
    items: torch.Tensor
    """(q, c) int64."""


def best_answers(
    queries: Rows,
    gallery: Rows,
    k: int,
    *,
    similarity: Similarity | None = None,
    tile: int = 1024,
) -> BestAnswers:
    """The `k` best gallery items of each query by score descending, and the best score.

    Of equal scores the lower number comes first. Found by products in float32 and put in
    order by float64. `top_k` gives the same, except where more than six items score as
    high as the last one within float32's rounding: then any of them may be listed here.

    >>> best_answers(np.eye(2, 3, dtype=np.float32), np.eye(3, dtype=np.float32), 2)[0]
    array([[0, 1],
           [1, 0]])

    Args:
        queries: (Q, D) float32.
        gallery: (G, D) float32, on the same device.
        k: From 1; above G, all of the gallery is listed.
        similarity: Scores a tile in place of the dot product.
        tile: Rows of queries that are compared at a time.

    Raises:
        RankingError: A `k` below 1, or shapes and dtypes that do not fit.
    """
    q_rows, g_rows = checked_rows(queries, gallery, tile)
    if k < 1:
        raise RankingError(
            f"Expected at least one answer per query, got k={k!r}. Use 10."
        )
    with torch.no_grad(), plain_sums(q_rows.device):
        if similarity is None:
            found = list(_by_products(q_rows, g_rows, k, tile))
        else:
            scorer = on_device_of(queries, similarity)
            scores = strips(q_rows, g_rows, scorer, tile)
            found = [_in_order(_highest(strip.double(), k), k) for strip in scores]
    items = torch.cat([part.items for part in found])
    best = torch.cat([part.scores[:, 0] for part in found])
    return BestAnswers(items.cpu().numpy(), best.cpu().numpy())


def _by_products(
    queries: torch.Tensor, gallery: torch.Tensor, k: int, tile: int
) -> Iterator[_Found]:
    for q_part in parts(len(queries), tile):
        rows = queries[q_part]
        candidates = _candidates(rows, gallery, k + _SPARE, tile * _WIDTH).items
        # A product of rows is exact in float64, and their sum is rounded to the grid.
        sums = torch.einsum("qd,qcd->qc", rows.double(), gallery[candidates].double())
        exact = (sums * _GRID).round() / _GRID
        yield _in_order(_Found(exact, candidates), k)


def _candidates(
    rows: torch.Tensor, gallery: torch.Tensor, count: int, width: int
) -> _Found:
    """The best of the gallery, part by part."""
    best: _Found | None = None
    for g_part in parts(len(gallery), width):
        found = _highest(rows @ gallery[g_part].T, count)
        found = _Found(found.scores, found.items + g_part.start)
        if best is None:
            best = found
            continue
        scores = torch.cat([best.scores, found.scores], 1)
        items = torch.cat([best.items, found.items], 1)
        kept = _highest(scores, count)
        best = _Found(kept.scores, items.gather(1, kept.items))
    assert best is not None  # `checked_rows` refuses an empty gallery
    return best


def _highest(scores: torch.Tensor, count: int) -> _Found:
    values, items = scores.topk(min(count, scores.shape[1]), dim=1)
    return _Found(values, items)


def _in_order(found: _Found, k: int) -> _Found:
    """The best `k`; of equal scores the lower item comes first."""
    items, order = found.items.sort(dim=1)
    scores = found.scores.gather(1, order)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    return _Found(scores[:, :k], items.gather(1, order)[:, :k])
