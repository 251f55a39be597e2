"""Exact ranks and best answers, in tiles of the similarity matrix and never the whole of it.

The score of a query and a gallery item is the exact dot product of their float32 rows. Tiles are multiplied in plain
float32, whose error has a rigorous bound (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1:
|computed - exact| <= gamma_D |q| |g| in every order of summation). Only pairs that this bound leaves in doubt are
looked at again in float64, where the products of float32 numbers are exact. What float64's own bound cannot tell
apart is a tie, and ties count against the model: a collapsed encoder must not score 100 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import RankingError

Rows: TypeAlias = torch.Tensor | NDArray[np.float32]
"""(N, D) float32 embeddings, one row each."""
Groups: TypeAlias = torch.Tensor | NDArray[np.integer[Any]] | Sequence[int]
"""(N,) whole numbers; rows of equal number belong together."""
Similarity: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Scores one tile: (q, D) queries and (g, D) gallery rows to (q, g), higher is better."""

_FLOAT32, _FLOAT64 = 2.0**-24, 2.0**-53  # unit roundoffs
_SMALLEST = 2.0**-126  # below it a device may flush float32 to zero
_SAFE_NORMS = 2.0**120  # above this product of norms float32 sums may overflow
_SLACK = 1.01  # covers the rounding of norms and bounds themselves


def positive_ranks(
    queries: Rows,
    gallery: Rows,
    query_groups: Groups,
    gallery_groups: Groups,
    *,
    similarity: Similarity | None = None,
    tile: int = 1024,
) -> NDArray[np.int64]:
    """For each query, 1 + the number of wrong gallery items that score at least as high as its best right one.

    A gallery item is right where its group is the query's. Beyond the embeddings, memory is a few tiles'.

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
        RankingError: NaN, infinite or zero rows, a query without a right item, or shapes and dtypes that do not fit.
    """
    q_rows, g_rows = _checked_rows(queries, gallery, tile)
    q_groups = _checked_groups("query_groups", query_groups, len(q_rows))
    g_groups = _checked_groups("gallery_groups", gallery_groups, len(g_rows))
    _check_answerable(q_groups, g_groups)
    if similarity is not None:
        return _custom_ranks(q_rows, g_rows, q_groups, g_groups, similarity, tile)
    left = _Side(q_rows, _norms("queries", q_rows, tile), torch.from_numpy(q_groups).to(q_rows.device))
    right = _Side(g_rows, _norms("gallery", g_rows, tile), torch.from_numpy(g_groups).to(g_rows.device))
    with torch.no_grad(), _plain_float32(q_rows.device):
        floors = _best_right(left, right, tile)
        counts = [_count(left[part], right, floors[part], tile) for part in _parts(len(q_rows), tile)]
    return _to_host(counts) + 1


def top_k(
    queries: Rows, gallery: Rows, k: int, *, similarity: Similarity | None = None, tile: int = 1024
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The `k` best gallery items of each query, by score descending; of equal scores the lower index comes first.

    Scores are dot products in float64, summed in one fixed order: equal rows score equally wherever they stand, and
    every device gives the same. Made for small `k`; a `k` near the size of the gallery is slow.

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
        RankingError: NaN, infinite or zero rows, a `k` above the gallery, or shapes and dtypes that do not fit.
    """
    q_rows, g_rows = _checked_rows(queries, gallery, tile)
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= len(g_rows):
        raise RankingError(f"Expected k from 1 to the gallery's {len(g_rows)} items, got k={k!r}. Ask for fewer.")
    with torch.no_grad(), _plain_float32(q_rows.device):
        if similarity is not None:
            best = [_best(strip.double(), k) for _, strip in _strips(q_rows, g_rows, similarity, tile)]
        else:
            q_norms, g_norms = _norms("queries", q_rows, tile), _norms("gallery", g_rows, tile)
            reach = q_norms * (_gamma(q_rows.shape[1], _FLOAT64) * float(g_norms.max()))
            best = [_top(q_rows[part], g_rows, reach[part], k, tile) for part in _parts(len(q_rows), tile)]
    indices, scores = zip(*best, strict=True)
    return _to_host(indices), torch.cat(scores).cpu().numpy()


# Ranks by the dot product


@dataclass(frozen=True)
class _Side:
    """Queries or gallery: (N, D) float32 rows, their (N,) float64 norms, and their (N,) groups."""

    rows: torch.Tensor
    norms: torch.Tensor
    groups: torch.Tensor

    def __getitem__(self, part: slice | torch.Tensor) -> _Side:
        return _Side(self.rows[part], self.norms[part], self.groups[part])

    def __len__(self) -> int:
        return len(self.rows)


def _best_right(queries: _Side, gallery: _Side, tile: int) -> torch.Tensor:
    """(Q,) float64: what each query's best right item scores at least.

    With both sides in the order of their groups, the right items of a tile of queries are one stretch of the gallery.
    """
    floors = torch.empty(len(queries), dtype=torch.float64, device=queries.rows.device)
    q_order, g_order = queries.groups.argsort(stable=True), gallery.groups.argsort(stable=True)
    q_sorted, g_sorted = queries.groups[q_order].cpu(), gallery.groups[g_order].cpu()
    for part in _parts(len(queries), tile):
        ends = q_sorted[part][[0, -1]]
        start = int(torch.searchsorted(g_sorted, ends[0]))
        stop = int(torch.searchsorted(g_sorted, ends[1], right=True))
        some = queries[q_order[part]]
        best = torch.full_like(some.norms, -torch.inf)
        for stretch in _parts(stop, tile, start):
            others = gallery[g_order[stretch]]
            wrong = some.groups[:, None] != others.groups[None, :]
            lowest = _float64_scores(some, others, -1).masked_fill_(wrong, -torch.inf)
            best = torch.maximum(best, lowest.amax(1))
        floors[q_order[part]] = best
    return floors


def _count(queries: _Side, gallery: _Side, floors: torch.Tensor, tile: int) -> torch.Tensor:
    """(q,) int64: how many wrong items may score as high as `floors`, for a tile of queries."""
    counts = torch.zeros(len(queries), dtype=torch.int64, device=floors.device)
    for part in _parts(len(gallery), tile):
        others = gallery[part]
        low, high = _thresholds(queries.norms, float(others.norms.max()), floors, queries.rows.shape[1])
        scores = queries.rows @ others.rows.T
        wrong = queries.groups[:, None] != others.groups[None, :]
        above = scores > high[:, None]
        counts += (above & wrong).sum(1)
        # Not "between low and high": a NaN from an overflow is in doubt too.
        doubtful = wrong & ~(above | (scores < low[:, None]))
        del scores, above, wrong
        counts += _recount(queries, others, floors, doubtful)
    return counts


def _recount(queries: _Side, gallery: _Side, floors: torch.Tensor, doubtful: torch.Tensor) -> torch.Tensor:
    """(q,) int64: how many of the doubtful pairs count, as float64 decides."""
    if int(doubtful.sum()) > 4 * max(doubtful.shape):
        return (doubtful & (_float64_scores(queries, gallery, 1) >= floors[:, None])).sum(1)
    counts = torch.zeros(len(queries), dtype=torch.int64, device=floors.device)
    q_index, g_index = doubtful.nonzero(as_tuple=True)
    for part in _parts(len(q_index), max(doubtful.shape)):
        some, others = queries[q_index[part]], gallery[g_index[part]]
        highest = _pair_scores(some.rows, others.rows) + _float64_error(some.norms, others.norms, some.rows.shape[1])
        counts.index_add_(0, q_index[part], (highest >= floors[q_index[part]]).long())
    return counts


def _thresholds(
    q_norms: torch.Tensor, g_norm: float, floors: torch.Tensor, dimension: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(q,) float32 each: below the first a float32 score is surely under the floor, above the second surely not."""
    norms = q_norms * g_norm
    flushed = 4 * dimension * _SMALLEST * (1 + q_norms + g_norm)
    error = (norms * _gamma(dimension, _FLOAT32) + flushed) * _SLACK
    far = torch.full((), torch.inf, dtype=torch.float32, device=floors.device)
    low = torch.nextafter((floors - error).float(), -far)
    high = torch.nextafter((floors + error).float(), far)
    unsafe = norms > _SAFE_NORMS
    return low.where(~unsafe, -far), high.where(~unsafe, far)


def _float64_scores(queries: _Side, gallery: _Side, side: int) -> torch.Tensor:
    """(q, g) float64: the scores' lower (`side` -1) or upper (+1) bounds."""
    scores = queries.rows.double() @ gallery.rows.double().T
    error = _gamma(queries.rows.shape[1], _FLOAT64) * side
    return scores.addr_(queries.norms, gallery.norms, alpha=error)


def _float64_error(q_norms: torch.Tensor, g_norms: torch.Tensor, dimension: int) -> torch.Tensor:
    return q_norms * g_norms * _gamma(dimension, _FLOAT64)


def _gamma(dimension: int, roundoff: float) -> float:
    """Higham's gamma for a dot product, with room for the additions that follow it."""
    steps = (dimension + 4) * roundoff
    return steps / (1 - steps) * _SLACK if steps < 0.5 else float("inf")


def _pair_scores(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """float64 dot products along the last axis of rows that broadcast: (P, D) with (P, D), or (q, 1, D) with (g, D).

    Added one after the other, with exact products: the same bits for every device, batch and use of fused operations.
    """
    ones, others = _columns(left), _columns(right)
    scores = torch.zeros_like(ones[0] + others[0])
    for one, other in zip(ones, others, strict=True):
        scores.addcmul_(one, other)
    return scores


def _columns(rows: torch.Tensor) -> torch.Tensor:
    """The last axis first, each column in one piece of memory."""
    return rows.double().movedim(-1, 0).contiguous()


# The best answers by the dot product


def _top(
    queries: torch.Tensor, gallery: torch.Tensor, reach: torch.Tensor, k: int, tile: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices and scores, (q, k) each, for a tile of queries; `reach` (q,) bounds a float64 score's error."""
    best = queries.new_empty((len(queries), 0), dtype=torch.float64)
    places = best.to(torch.int64)
    for part in _parts(len(gallery), tile):
        scores = _candidates(queries, gallery[part], best, reach, k)
        columns = torch.arange(part.start, part.stop, device=places.device).expand(len(queries), -1)
        merged, order = _sorted(torch.cat([best, scores], 1), k)
        best, places = merged, torch.cat([places, columns], 1).gather(1, order)
    return places, best


def _candidates(
    queries: torch.Tensor, gallery: torch.Tensor, best: torch.Tensor, reach: torch.Tensor, k: int
) -> torch.Tensor:
    """(q, g) float64: the reproducible score where an item may be among the `k` best so far, else minus infinity."""
    scores = queries.double() @ gallery.double().T
    floor = torch.full_like(reach, -torch.inf)
    if best.shape[1] == k:
        floor = best[:, -1]
    if scores.shape[1] >= k:
        floor = torch.maximum(floor, scores.topk(k, dim=1).values[:, -1])
    likely = scores >= (floor - 4 * reach)[:, None]
    if int(likely.sum()) > likely.numel() // 16:
        rows = [_pair_scores(queries[part][:, None], gallery) for part in _parts(len(queries), 64)]
        return torch.cat(rows).masked_fill_(~likely, -torch.inf)
    scores.fill_(-torch.inf)
    q_index, g_index = likely.nonzero(as_tuple=True)
    for part in _parts(len(q_index), max(scores.shape)):
        q_part, g_part = q_index[part], g_index[part]
        scores[q_part, g_part] = _pair_scores(queries[q_part], gallery[g_part])
    return scores


def _best(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    best, order = _sorted(scores, k)
    return order, best


def _sorted(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `k` highest scores of each row and their columns; of equal scores the lower column comes first."""
    ranked, order = scores.sort(dim=1, descending=True, stable=True)
    return ranked[:, :k], order[:, :k]


# A model's own similarity


def _custom_ranks(
    queries: torch.Tensor,
    gallery: torch.Tensor,
    query_groups: NDArray[np.int64],
    gallery_groups: NDArray[np.int64],
    similarity: Similarity,
    tile: int,
) -> NDArray[np.int64]:
    q_groups = torch.from_numpy(query_groups).to(queries.device)
    g_groups = torch.from_numpy(gallery_groups).to(queries.device)
    counts = []
    with torch.no_grad():
        for part, strip in _strips(queries, gallery, similarity, tile):
            wrong = q_groups[part, None] != g_groups[None, :]
            best = strip.masked_fill(wrong, -torch.inf).amax(1, keepdim=True)
            counts.append((wrong & (strip >= best)).sum(1))
    return _to_host(counts) + 1


def _strips(
    queries: torch.Tensor, gallery: torch.Tensor, similarity: Similarity, tile: int
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Scores of a few queries with the whole gallery, so that each pair is scored once: a scorer may round it in
    another way in another tile, and a tie would be lost. A strip holds no more than a tile does, or one query."""
    rows = max(1, min(tile, tile * tile // len(gallery)))
    for part in _parts(len(queries), rows):
        tiles = [_scored(queries[part], gallery[other], similarity) for other in _parts(len(gallery), tile)]
        yield part, torch.cat(tiles, 1)


def _scored(queries: torch.Tensor, gallery: torch.Tensor, similarity: Similarity) -> torch.Tensor:
    scores = similarity(queries, gallery)
    expected = (len(queries), len(gallery))
    if tuple(scores.shape) != expected:
        raise RankingError(
            f"Expected similarity to give scores of shape {expected}, got shape={tuple(scores.shape)}. "
            "Return one score for each query and gallery row."
        )
    if scores.isnan().any():
        raise RankingError("Expected similarity to give numbers, got NaN. Check the scorer for 0/0 and inf - inf.")
    return scores


# Checks and housekeeping


def _checked_rows(queries: Rows, gallery: Rows, tile: int) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(tile, int) or tile < 1:
        raise RankingError(f"Expected a tile of 1 or more rows, got tile={tile!r}. Use 1024.")
    q_rows, g_rows = _as_rows("queries", queries), _as_rows("gallery", gallery)
    if q_rows.shape[1] != g_rows.shape[1] or q_rows.device != g_rows.device:
        raise RankingError(
            "Expected queries and gallery of the same width on the same device, got "
            f"queries.shape={tuple(q_rows.shape)} on {q_rows.device}, gallery.shape={tuple(g_rows.shape)} on "
            f"{g_rows.device}. Encode both with one model, and move one to the other's device."
        )
    _check_finite("queries", q_rows, tile)
    _check_finite("gallery", g_rows, tile)
    return q_rows, g_rows


def _as_rows(name: str, rows: Rows) -> torch.Tensor:
    if isinstance(rows, np.ndarray):
        # Torch shares an array's memory, which it may only do with one that can be written.
        plain = rows if rows.flags.writeable and min(rows.strides, default=0) >= 0 else rows.copy()
        found = torch.from_numpy(plain.astype(plain.dtype.newbyteorder("="), copy=False))
    else:
        found = rows.detach()
    if found.dtype != torch.float32 or found.ndim != 2 or 0 in found.shape:
        raise RankingError(
            f"Expected {name} of shape (N, D) in float32, got shape={tuple(found.shape)}, dtype={found.dtype}. "
            "Convert them with .float(), and give one row an image or report."
        )
    # Apple GPUs have no float64.
    return found.cpu() if found.device.type == "mps" else found


def _checked_groups(name: str, groups: Groups, count: int) -> NDArray[np.int64]:
    found = groups.cpu().numpy() if isinstance(groups, torch.Tensor) else np.asarray(groups)
    if found.shape != (count,) or found.dtype.kind not in "iu":
        raise RankingError(
            f"Expected {name} of shape ({count},) in whole numbers, got shape={found.shape}, dtype={found.dtype}. "
            "Give one group number a row."
        )
    return np.array(found, dtype=np.int64)


def _check_answerable(query_groups: NDArray[np.int64], gallery_groups: NDArray[np.int64]) -> None:
    lost = np.flatnonzero(~np.isin(query_groups, gallery_groups))
    if lost.size:
        raise RankingError(
            f"Expected a right gallery item for each query, got none for {lost.size} of {query_groups.size}, first "
            f"row={lost[0]} with group={query_groups[lost[0]]}. Leave these queries out or complete the gallery."
        )


def _check_finite(name: str, rows: torch.Tensor, tile: int) -> None:
    for part in _parts(len(rows), tile):
        broken = (~rows[part].isfinite().all(1)).nonzero()
        if len(broken):
            row = part.start + int(broken[0])
            raise RankingError(
                f"Expected finite {name}, got NaN or infinity in row={row}. Look at what the encoder makes of it."
            )


def _norms(name: str, rows: torch.Tensor, tile: int) -> torch.Tensor:
    """(N,) float64 lengths of the rows; a row of zeros has no direction and is an error."""
    norms = torch.cat([rows[part].double().square_().sum(1).sqrt_() for part in _parts(len(rows), tile)])
    zeros = (norms == 0).nonzero()
    if len(zeros):
        raise RankingError(
            f"Expected {name} with a direction, got zeros in row={int(zeros[0])}. Look at what the encoder makes of it."
        )
    return norms


def _parts(stop: int, size: int, start: int = 0) -> Iterator[slice]:
    """Slices of `size` from `start` to `stop`."""
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


def _to_host(parts: Sequence[torch.Tensor]) -> NDArray[np.int64]:
    return torch.cat(list(parts)).cpu().numpy().astype(np.int64, copy=False)


@contextmanager
def _plain_float32(device: torch.device) -> Iterator[None]:
    """No TF32, bfloat16 or autocast in here: they would break the error bound. The caller's settings come back."""
    mkldnn: Any = torch.backends.mkldnn
    backends: list[Any] = [torch.backends.cuda.matmul, mkldnn.matmul]
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision
