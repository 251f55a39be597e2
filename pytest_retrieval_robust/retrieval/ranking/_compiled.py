"""The loops beside the matrix product, compiled by numba at first use and kept for later runs.

A tile is read once for both directions and all thresholds, in blocks of rows that stay
in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._compiling import compiled
from ._thresholds import Counted

Array = NDArray[Any]

# Rows after which columns with doubts are searched: while the scores are in the cache.
_STRIP = 16
# Columns that are searched together.
_BLOCK = 64

# The loops below take one-dimensional arrays one by one, hence their many parameters:
# nothing but an index is left to the innermost loop.


def moments(
    rows: torch.Tensor,
    others: torch.Tensor,
    piece: int,  # noqa: ARG001 - nothing is made that would have to be cut
) -> torch.Tensor:
    """All at once: a row's float64 numbers stay in registers."""
    result = np.empty((len(rows), 3))
    _moments(rows.numpy(), others.numpy(), result)
    return torch.from_numpy(result)


def pair_scores(
    queries: torch.Tensor,
    gallery: torch.Tensor,
    q_index: torch.Tensor,
    g_index: torch.Tensor,
    piece: int,  # noqa: ARG001 - nothing is made that would have to be cut
) -> torch.Tensor:
    """All at once, likewise."""
    scores = np.empty(len(q_index))
    _pair_scores(
        queries.numpy(), gallery.numpy(), q_index.numpy(), g_index.numpy(), scores
    )
    return torch.from_numpy(scores)


def collect(
    scores: torch.Tensor,
    of_rows: Counted,
    of_columns: Counted | None,
    first_query: int,
    first_item: int,
) -> None:
    table = scores.numpy()
    first = (first_query, first_item)
    if of_columns is None:
        _collect_rows(table, *_arrays(of_rows), *first)
        return
    _collect_both(table, *_arrays(of_rows), *_arrays(of_columns), *first)


def _arrays(counted: Counted) -> tuple[Array, ...]:
    limits = counted.limits
    doubts = counted.doubts
    tensors = (limits.low, limits.high, counted.above, doubts.pairs, doubts.filled)
    return tuple(tensor.numpy() for tensor in tensors)


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


def _search_row_loop(
    scores: Array,
    i: int,
    low: float,
    high: float,
    pairs: Array,
    filled: Array,
    first_query: int,
    first_item: int,
) -> None:
    room = pairs.shape[0] - 1
    columns = scores.shape[1]
    for start in range(0, columns, _BLOCK):
        stop = min(start + _BLOCK, columns)
        # Counting takes several columns at once, and most blocks have no doubts.
        doubts = np.int32(0)
        for j in range(start, stop):
            value = scores[i, j]
            doubts += np.int32(value >= low) - np.int32(value > high)
        if doubts == 0:
            continue
        for j in range(start, stop):
            if low <= scores[i, j] <= high:
                if filled[0] < room:
                    pairs[filled[0], 0] = first_query + i
                    pairs[filled[0], 1] = first_item + j
                filled[0] += 1


def _search_columns_loop(
    scores: Array,
    first_row: int,
    rows: int,
    low: Array,
    high: Array,
    strip: Array,
    pairs: Array,
    filled: Array,
    first_query: int,
    first_item: int,
) -> None:
    room = pairs.shape[0] - 1
    columns = strip.shape[0]
    for start in range(0, columns, _BLOCK):
        stop = min(start + _BLOCK, columns)
        doubts = np.int32(0)
        for j in range(start, stop):
            doubts += strip[j]
        if doubts == 0:
            continue
        for j in range(start, stop):
            if strip[j] == 0:
                continue
            for i in range(first_row, rows):
                if low[j] <= scores[i, j] <= high[j]:
                    if filled[0] < room:
                        pairs[filled[0], 0] = first_query + i
                        pairs[filled[0], 1] = first_item + j
                    filled[0] += 1


def _collect_rows_loop(
    scores: Array,
    low: Array,
    high: Array,
    above: Array,
    pairs: Array,
    filled: Array,
    first_query: int,
    first_item: int,
) -> None:
    for i in range(scores.shape[0]):
        least = low[i]
        most = high[i]
        reached = np.int32(0)
        passed = np.int32(0)
        for j in range(scores.shape[1]):
            value = scores[i, j]
            reached += np.int32(value >= least)
            passed += np.int32(value > most)
        above[i] += passed
        if reached != passed:
            _search_row(scores, i, least, most, pairs, filled, first_query, first_item)


def _count_strip_loop(
    scores: Array,
    start: int,
    stop: int,
    q_low: Array,
    q_high: Array,
    g_low: Array,
    g_high: Array,
    q_reach: Array,
    q_above: Array,
    g_reach: Array,
    g_above: Array,
) -> None:
    # Four rows at a time, whose counts and thresholds stay in registers: a column's own
    # are then read and written once for the four.
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


def _collect_both_loop(
    scores: Array,
    q_low: Array,
    q_high: Array,
    q_above: Array,
    q_pairs: Array,
    q_filled: Array,
    g_low: Array,
    g_high: Array,
    g_above: Array,
    g_pairs: Array,
    g_filled: Array,
    first_query: int,
    first_item: int,
) -> None:
    rows, columns = scores.shape
    row_counts = np.zeros((2, rows), dtype=np.int32)
    column_counts = np.zeros((2, columns), dtype=np.int32)
    # Of columns: how many scores are in doubt before a strip, and in it.
    before = np.zeros(columns, dtype=np.int32)
    strip = np.empty(columns, dtype=np.int32)
    for start in range(0, rows, _STRIP):
        stop = min(start + _STRIP, rows)
        _count_strip(
            scores,
            start,
            stop,
            q_low,
            q_high,
            g_low,
            g_high,
            row_counts[0],
            row_counts[1],
            column_counts[0],
            column_counts[1],
        )
        # Beyond what there is room for, the number alone tells enough.
        if q_filled[0] < q_pairs.shape[0]:
            for i in range(start, stop):
                if row_counts[0, i] != row_counts[1, i]:
                    _search_row(
                        scores,
                        i,
                        q_low[i],
                        q_high[i],
                        q_pairs,
                        q_filled,
                        first_query,
                        first_item,
                    )
        in_strip = np.int32(0)
        for j in range(columns):
            so_far = column_counts[0, j] - column_counts[1, j]
            strip[j] = so_far - before[j]
            before[j] = so_far
            in_strip += strip[j]
        if in_strip and g_filled[0] < g_pairs.shape[0]:
            _search_columns(
                scores,
                start,
                stop,
                g_low,
                g_high,
                strip,
                g_pairs,
                g_filled,
                first_query,
                first_item,
            )
    q_above += row_counts[1]
    g_above += column_counts[1]


# The bounds hold for every order of summation, so the compiler may choose it.
_moments = compiled(_moments_loop, fastmath={"reassoc", "contract"})
_pair_scores = compiled(_pair_scores_loop, fastmath={"reassoc", "contract"})
_search_row = compiled(_search_row_loop)
_search_columns = compiled(_search_columns_loop)
_collect_rows = compiled(_collect_rows_loop)
_count_strip = compiled(_count_strip_loop)
_collect_both = compiled(_collect_both_loop)
