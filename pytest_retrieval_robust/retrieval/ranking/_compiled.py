"""The loops beside the matrix product, compiled by numba at first use and kept in its cache.

A tile is read once for both directions and all thresholds, in blocks of rows that stay
in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from ._thresholds import Tally, Thresholds

Array = NDArray[Any]

# Rows that are searched together: so few that most have no doubts of any column.
_STRIP = 16

# The loops below take one-dimensional arrays one by one, hence their many parameters:
# nothing but an index is left to the innermost loop.


def moments(rows: torch.Tensor, others: torch.Tensor, piece: int) -> torch.Tensor:
    """All at once: a row's float64 numbers stay in registers."""
    result = np.empty((len(rows), 3))
    _moments(rows.numpy(), others.numpy(), result)
    return torch.from_numpy(result)


def pair_scores(
    queries: torch.Tensor,
    gallery: torch.Tensor,
    q_index: torch.Tensor,
    g_index: torch.Tensor,
    piece: int,
) -> torch.Tensor:
    """All at once, likewise."""
    scores = np.empty(len(q_index))
    _pair_scores(
        queries.numpy(), gallery.numpy(), q_index.numpy(), g_index.numpy(), scores
    )
    return torch.from_numpy(scores)


def tally(
    scores: torch.Tensor, q_limits: Thresholds, g_limits: Thresholds | None
) -> tuple[Tally, ...]:
    rows, columns = scores.shape
    table = scores.numpy()
    q_low_high = (q_limits.low.numpy(), q_limits.high.numpy())
    q_counts = np.zeros((2, rows), dtype=np.int32)
    if g_limits is None:
        doubts = _count_rows(table, *q_low_high, *q_counts)
        return (_tally(q_counts, doubts),)
    g_low_high = (g_limits.low.numpy(), g_limits.high.numpy())
    g_counts = np.zeros((2, columns), dtype=np.int32)
    strips = np.empty(-(-rows // _STRIP), dtype=np.int64)
    doubts = _count_both(table, *q_low_high, *g_low_high, *q_counts, *g_counts, strips)
    of_columns = _tally(g_counts, int(strips.sum()), torch.from_numpy(strips))
    return _tally(q_counts, doubts), of_columns


def in_doubt(
    scores: torch.Tensor, limits: Thresholds, dim: int, tally: Tally
) -> tuple[torch.Tensor, torch.Tensor]:
    rows = np.empty(tally.doubts, dtype=np.int64)
    columns = np.empty_like(rows)
    table = scores.numpy()
    low = limits.low.numpy()
    high = limits.high.numpy()
    # Most rows, and most strips of rows, have no doubts, and are not searched.
    if tally.strips is None:
        lines = np.flatnonzero(tally.reach.numpy() != tally.above.numpy())
        _search_rows(table, low, high, lines, rows, columns)
    else:
        strips = np.flatnonzero(tally.strips.numpy())
        _search_columns(table, low, high, strips, rows, columns)
    return torch.from_numpy(rows), torch.from_numpy(columns)


def _tally(counts: Array, doubts: int, strips: torch.Tensor | None = None) -> Tally:
    reach = torch.from_numpy(counts[0])
    above = torch.from_numpy(counts[1])
    return Tally(reach, above, doubts, strips)


def _compile(loop: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        compiled = numba.njit(cache=True, **options)(loop)
    except RuntimeError:
        # Numba has no folder that it can write its cache to.
        compiled = numba.njit(**options)(loop)
    return compiled  # type: ignore[no-any-return]


def _moments_loop(rows: Array, others: Array, result: Array) -> None:
    for i in range(rows.shape[0]):
        square = first = second = 0.0
        for j in range(rows.shape[1]):
            value = np.float64(rows[i, j])
            square += value * value
            first += value * others[0, j]
            second += value * others[1, j]
        result[i, 0] = np.sqrt(square)
        result[i, 1] = first
        result[i, 2] = second


def _pair_scores_loop(
    queries: Array, gallery: Array, q_index: Array, g_index: Array, scores: Array
) -> None:
    for p in range(q_index.shape[0]):
        query = queries[q_index[p]]
        item = gallery[g_index[p]]
        score = 0.0
        for j in range(query.shape[0]):
            score += np.float64(query[j]) * np.float64(item[j])
        scores[p] = score


def _count_rows_loop(
    scores: Array, low: Array, high: Array, reach: Array, above: Array
) -> int:
    doubts = 0
    for i in range(scores.shape[0]):
        least = low[i]
        most = high[i]
        reached = np.int32(0)
        passed = np.int32(0)
        for j in range(scores.shape[1]):
            value = scores[i, j]
            reached += np.int32(value >= least)
            passed += np.int32(value > most)
        reach[i] = reached
        above[i] = passed
        doubts += reached - passed
    return doubts


def _count_both_loop(
    scores: Array,
    q_low: Array,
    q_high: Array,
    g_low: Array,
    g_high: Array,
    q_reach: Array,
    q_above: Array,
    g_reach: Array,
    g_above: Array,
    strips: Array,
) -> int:
    rows = scores.shape[0]
    doubts = 0
    before = 0
    for strip in range(strips.shape[0]):
        start = strip * _STRIP
        stop = min(start + _STRIP, rows)
        # Four rows at a time, whose counts and thresholds stay in registers: a column's
        # own are then read and written once for the four.
        blocked = start + (stop - start) // 4 * 4
        for i in range(start, blocked, 4):
            low0, low1, low2, low3 = q_low[i], q_low[i + 1], q_low[i + 2], q_low[i + 3]
            high0, high1, high2, high3 = (
                q_high[i],
                q_high[i + 1],
                q_high[i + 2],
                q_high[i + 3],
            )
            r0 = r1 = r2 = r3 = a0 = a1 = a2 = a3 = np.int32(0)
            for j in range(scores.shape[1]):
                v0, v1, v2, v3 = (
                    scores[i, j],
                    scores[i + 1, j],
                    scores[i + 2, j],
                    scores[i + 3, j],
                )
                low = g_low[j]
                high = g_high[j]
                r0 += np.int32(v0 >= low0)
                r1 += np.int32(v1 >= low1)
                r2 += np.int32(v2 >= low2)
                r3 += np.int32(v3 >= low3)
                a0 += np.int32(v0 > high0)
                a1 += np.int32(v1 > high1)
                a2 += np.int32(v2 > high2)
                a3 += np.int32(v3 > high3)
                g_reach[j] += (
                    np.int32(v0 >= low)
                    + np.int32(v1 >= low)
                    + np.int32(v2 >= low)
                    + np.int32(v3 >= low)
                )
                g_above[j] += (
                    np.int32(v0 > high)
                    + np.int32(v1 > high)
                    + np.int32(v2 > high)
                    + np.int32(v3 > high)
                )
            q_reach[i], q_reach[i + 1], q_reach[i + 2], q_reach[i + 3] = r0, r1, r2, r3
            q_above[i], q_above[i + 1], q_above[i + 2], q_above[i + 3] = a0, a1, a2, a3
        # The rows that are left over.
        for i in range(blocked, stop):
            for j in range(scores.shape[1]):
                value = scores[i, j]
                q_reach[i] += np.int32(value >= q_low[i])
                q_above[i] += np.int32(value > q_high[i])
                g_reach[j] += np.int32(value >= g_low[j])
                g_above[j] += np.int32(value > g_high[j])
        for i in range(start, stop):
            doubts += q_reach[i] - q_above[i]
        so_far = 0
        for j in range(scores.shape[1]):
            so_far += g_reach[j] - g_above[j]
        strips[strip] = so_far - before
        before = so_far
    return doubts


def _search_rows_loop(
    scores: Array, low: Array, high: Array, lines: Array, rows: Array, columns: Array
) -> None:
    filled = 0
    for i in lines:
        for j in range(scores.shape[1]):
            if low[i] <= scores[i, j] <= high[i]:
                rows[filled] = i
                columns[filled] = j
                filled += 1


def _search_columns_loop(
    scores: Array, low: Array, high: Array, strips: Array, rows: Array, columns: Array
) -> None:
    filled = 0
    for strip in strips:
        start = strip * _STRIP
        for i in range(start, min(start + _STRIP, scores.shape[0])):
            # Counting takes several columns at once, and most rows have no doubts.
            doubts = np.int32(0)
            for j in range(scores.shape[1]):
                value = scores[i, j]
                doubts += np.int32(value >= low[j]) - np.int32(value > high[j])
            if doubts == 0:
                continue
            for j in range(scores.shape[1]):
                if low[j] <= scores[i, j] <= high[j]:
                    rows[filled] = i
                    columns[filled] = j
                    filled += 1


# The bounds hold for every order of summation, so the compiler may choose it.
_moments = _compile(_moments_loop, fastmath={"reassoc", "contract"})
_pair_scores = _compile(_pair_scores_loop, fastmath={"reassoc", "contract"})
_count_rows = _compile(_count_rows_loop)
_count_both = _compile(_count_both_loop)
_search_rows = _compile(_search_rows_loop)
_search_columns = _compile(_search_columns_loop)
