"""The first answers of many queries, quickly: what lists of answers are compared by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import RankingError
from ._checks import Rows, Similarity, checked_rows, parts
from ._custom import on_device_of, strips
from ._exact import plain_sums

_WIDTH = 8
"""Tiles of the gallery that are looked through at a time."""


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

    Found by products in float32: of items whose scores differ by no more than its
    rounding any may come first, and be the last that is listed. `top_k` is exact, and
    takes several times as long.

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
    width = min(k, len(g_rows))
    device = q_rows.device
    items = torch.empty((len(q_rows), width), dtype=torch.int64, device=device)
    best = torch.empty(len(q_rows), dtype=torch.float64, device=device)
    with torch.no_grad(), plain_sums(device):
        if similarity is None:
            for part in parts(len(q_rows), tile):
                found = _best_of_tiles(q_rows[part], g_rows, width, tile * _WIDTH)
                items[part] = found.items
                best[part] = found.scores[:, 0]
        else:
            scorer = on_device_of(queries, similarity)
            for strip in strips(q_rows, g_rows, scorer, tile):
                found = _highest(strip.scores.double(), width)
                items[strip.q_part] = found.items
                best[strip.q_part] = found.scores[:, 0]
    # One look at the device for all.
    return BestAnswers(items.cpu().numpy(), best.cpu().numpy())


def _best_of_tiles(
    rows: torch.Tensor, gallery: torch.Tensor, k: int, width: int
) -> _Found:
    """The best of the gallery, part by part."""
    best: _Found | None = None
    for g_part in parts(len(gallery), width):
        found = _highest(rows @ gallery[g_part].T, k)
        found = _Found(found.scores, found.items + g_part.start)
        if best is None:
            best = found
            continue
        scores = torch.cat([best.scores, found.scores], 1)
        items = torch.cat([best.items, found.items], 1)
        scores, kept = scores.topk(min(k, scores.shape[1]), dim=1)
        best = _Found(scores, items.gather(1, kept))
    assert best is not None  # `checked_rows` refuses an empty gallery
    return best


def _highest(scores: torch.Tensor, k: int) -> _Found:
    """The `k` highest of each row, the best first; all of them where there are fewer."""
    return _Found(*scores.topk(min(k, scores.shape[1]), dim=1))
