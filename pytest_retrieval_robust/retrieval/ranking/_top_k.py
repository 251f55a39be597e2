"""The best answers of each query."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import RankingError
from ._checks import (
    Rows,
    Similarity,
    check_finite,
    check_norms,
    checked_rows,
    parts,
    to_host,
)
from ._custom import on_device_of, strips
from ._exact import FLOAT64, gamma, plain_sums


def top_k(
    queries: Rows,
    gallery: Rows,
    k: int,
    *,
    similarity: Similarity | None = None,
    tile: int = 1024,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The `k` best gallery items of each query, by score descending; of equal scores
    the lower index comes first.

    Scores are dot products in float64, summed in one fixed order: equal rows score
    equally wherever they stand, and every device gives the same. Made for small `k`; a
    `k` near the size of the gallery is slow.

    >>> top_k(np.eye(2, 3, dtype=np.float32), np.eye(3, dtype=np.float32), k=2)[0]
    array([[0, 1],
           [1, 0]])

    Args:
        queries: (Q, D) float32.
        gallery: (G, D) float32, on the same device.
        k: From 1 to G.
        similarity: Scores a tile in place of the dot product. Its values are ranked as they are.
        tile: Rows of queries and of gallery items that are compared at a time.

    Returns:
        (Q, k) int64 gallery indices and (Q, k) float64 scores, on the host.

    Raises:
        RankingError: NaN, infinite or zero rows, a `k` above the gallery, or shapes and
            dtypes that do not fit.
    """
    q_rows, g_rows = checked_rows(queries, gallery, tile)
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= len(g_rows):
        raise RankingError(
            f"Expected k from 1 to the gallery's {len(g_rows)} items, got k={k!r}."
            " Lower it."
        )
    best = _Best.make(len(q_rows), k, q_rows.device)
    with torch.no_grad(), plain_sums(q_rows.device):
        if similarity is not None:
            check_finite("queries", q_rows)
            check_finite("gallery", g_rows)
            scorer = on_device_of(queries, similarity)
            for strip in strips(q_rows, g_rows, scorer, tile):
                best.put(strip.q_part, _highest(strip.scores.double(), k))
        else:
            q_norms = _norms("queries", q_rows)
            g_norms = _norms("gallery", g_rows)
            errors = q_norms * (gamma(q_rows.shape[1], FLOAT64) * float(g_norms.max()))
            for part in parts(len(q_rows), tile):
                found = _best_of_tiles(q_rows[part], g_rows, errors[part], k, tile)
                best.put(part, found)
    return to_host(best.items), best.scores.cpu().numpy()


def _norms(name: str, rows: torch.Tensor) -> torch.Tensor:
    norms = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
    for part in parts(len(rows), 256):
        norms[part] = torch.linalg.vector_norm(rows[part].double(), dim=1)
    check_norms(name, rows, norms)
    return norms


class _Best(NamedTuple):
    """The best gallery items of some queries, by score descending."""

    scores: torch.Tensor
    """(q, k) float64."""
    items: torch.Tensor
    """(q, k) int64 numbers in the gallery."""

    @staticmethod
    def make(count: int, k: int, device: torch.device) -> _Best:
        """To be filled."""
        scores = torch.empty((count, k), dtype=torch.float64, device=device)
        return _Best(scores, torch.empty_like(scores, dtype=torch.int64))

    def put(self, part: slice, found: _Best) -> None:
        """Copied: what was found may be a view of all that was looked through."""
        self.scores[part] = found.scores
        self.items[part] = found.items


def _best_of_tiles(
    queries: torch.Tensor,
    gallery: torch.Tensor,
    errors: torch.Tensor,
    k: int,
    tile: int,
) -> _Best:
    """For a tile of queries; `errors` (q,) bounds a float64 score's error."""
    scores = queries.new_empty((len(queries), 0), dtype=torch.float64)
    best = _Best(scores, scores.to(torch.int64))
    for part in parts(len(gallery), tile):
        floor = _kth_score(best.scores, k)
        new_scores = _candidates(queries, gallery[part], floor, errors, k)
        columns = torch.arange(part.start, part.stop, device=scores.device)
        new_items = columns.expand(len(queries), -1)
        # What was best before comes first, so that of equal scores the lower index stays.
        merged = _highest(torch.cat([best.scores, new_scores], 1), k)
        items = torch.cat([best.items, new_items], 1).gather(1, merged.items)
        best = _Best(merged.scores, items)
    return best


def _kth_score(scores: torch.Tensor, k: int) -> torch.Tensor:
    """(q,): the last of `k` scores, or minus infinity where there are fewer yet."""
    if scores.shape[1] == k:
        return scores[:, -1]
    return scores.new_full((len(scores),), -torch.inf)


def _candidates(
    queries: torch.Tensor,
    gallery: torch.Tensor,
    floor: torch.Tensor,
    errors: torch.Tensor,
    k: int,
) -> torch.Tensor:
    """(q, g) float64: the reproducible score where an item may be among the `k` best so
    far, whose last scores `floor`; else minus infinity.
    """
    # A matrix product is quick, but rounds in another way on another device.
    scores = queries.double() @ gallery.double().T
    if scores.shape[1] >= k:
        floor = torch.maximum(floor, scores.topk(k, dim=1).values[:, -1])
    likely = scores >= (floor - 4 * errors)[:, None]
    if int(likely.sum()) > likely.numel() // 16:
        rows = [
            _pair_scores(queries[part][:, None], gallery)
            for part in parts(len(queries), 64)
        ]
        return torch.cat(rows).masked_fill_(~likely, -torch.inf)
    scores.fill_(-torch.inf)
    q_index, g_index = likely.nonzero(as_tuple=True)
    for part in parts(len(q_index), max(scores.shape)):
        q_part = q_index[part]
        g_part = g_index[part]
        scores[q_part, g_part] = _pair_scores(queries[q_part], gallery[g_part])
    return scores


def _highest(scores: torch.Tensor, k: int) -> _Best:
    """The `k` highest scores of each row and their columns; of equal scores the lower
    column comes first.
    """
    descending, order = scores.sort(dim=1, descending=True, stable=True)
    return _Best(descending[:, :k], order[:, :k])


def _pair_scores(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """float64 dot products along the last axis of rows that broadcast: (P, D) with (P,
    D), or (q, 1, D) with (g, D).

    Added one after the other, with exact products: the same bits for every device,
    batch and use of fused operations.
    """
    left_columns = _columns(left)
    right_columns = _columns(right)
    scores = torch.zeros_like(left_columns[0] + right_columns[0])
    for left_column, right_column in zip(left_columns, right_columns, strict=True):
        scores.addcmul_(left_column, right_column)
    return scores


def _columns(rows: torch.Tensor) -> torch.Tensor:
    """The last axis first, each column in one piece of memory."""
    return rows.double().movedim(-1, 0).contiguous()
