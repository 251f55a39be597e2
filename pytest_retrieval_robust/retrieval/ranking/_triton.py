"""What a GPU counts beside the matrix product, compiled by Triton: each score is read
once, and nobody waits for what was found.

Counts are whole numbers, so they do not depend on the order of the additions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl

from . import _unfused
from ._plain import moments
from ._thresholds import Counted, Doubts, Thresholds

__all__ = ["collect", "moments", "pair_scores", "try_on"]

# Scores of one program; its counts stay in registers until they are added up.
_BLOCK_ROWS = 32
_BLOCK_COLUMNS = 64
# What is counted before a device is trusted: whole programs, and parts of them.
_TRIED_SHAPES = ((150, 300), (128, 256))
# Pairs of one program, and how much of their rows it holds at a time.
_BLOCK_PAIRS = 8
_BLOCK_WIDTH = 128


def collect(
    scores: torch.Tensor,
    of_rows: Counted,
    of_columns: Counted | None,
    first_query: int,
    first_item: int,
) -> None:
    rows, columns = scores.shape
    # Without a second direction the first one's memory stands in, and is not touched.
    columns_or_rows = of_columns or of_rows
    grid = (triton.cdiv(columns, _BLOCK_COLUMNS), triton.cdiv(rows, _BLOCK_ROWS))
    # Triton starts kernels on the current device, whatever its arguments lie on.
    with torch.cuda.device_of(scores):  # type: ignore[no-untyped-call]
        _collect[grid](
            scores,
            *_pointers(of_rows),
            *_pointers(columns_or_rows),
            rows,
            columns,
            scores.stride(0),
            first_query,
            first_item,
            of_rows.doubts.room,
            columns_or_rows.doubts.room,
            BOTH=of_columns is not None,
            BLOCK_ROWS=_BLOCK_ROWS,
            BLOCK_COLUMNS=_BLOCK_COLUMNS,
            enable_fp_fusion=True,
        )


def pair_scores(
    queries: torch.Tensor,
    gallery: torch.Tensor,
    q_index: torch.Tensor,
    g_index: torch.Tensor,
    piece: int,  # noqa: ARG001 - nothing is made that would have to be cut
) -> torch.Tensor:
    """All at once: a pair's float64 numbers stay in registers."""
    count = len(q_index)
    scores = torch.empty(count, dtype=torch.float64, device=queries.device)
    if not count:
        return scores
    grid = (triton.cdiv(count, _BLOCK_PAIRS),)
    with torch.cuda.device_of(scores):  # type: ignore[no-untyped-call]
        _pair_scores[grid](
            queries,
            gallery,
            q_index,
            g_index,
            scores,
            count,
            queries.shape[1],
            BLOCK_PAIRS=_BLOCK_PAIRS,
            BLOCK_WIDTH=_BLOCK_WIDTH,
            # Products of float32 numbers are exact in float64, with or without it.
            enable_fp_fusion=True,
        )
    return scores


def try_on(device: torch.device) -> None:
    """Raise where a kernel does not compile, or counts what is not there."""
    # Rows of a multiple of 16 numbers are compiled for themselves.
    for columns in (3, 16):
        _try_tile(torch.arange(columns, dtype=torch.float32, device=device)[None])
    # A compiler may be wrong on a card that nobody tried.
    for rows, columns in _TRIED_SHAPES:
        _try_beside_torch(rows, columns, device)


def _try_tile(scores: torch.Tensor) -> None:
    """One row of scores 0, 1, 2, ..., of which 1 lies on all thresholds."""
    device = scores.device
    columns = scores.shape[1]
    ones = torch.ones(columns, device=device)
    counts = torch.zeros((2, columns), dtype=torch.int32, device=device)
    of_rows, of_columns = (
        Counted(Thresholds(ones[:count], ones[:count]), above, Doubts.make(3, device))
        for count, above in ((1, counts[0]), (columns, counts[1]))
    )
    collect(scores, of_rows, of_columns, 5, 6)
    index = torch.zeros(1, dtype=torch.int64, device=device)
    product = float(pair_scores(scores, scores, index, index, 1))
    found = (
        int(counts[0, 0]),
        counts[1].tolist(),
        of_rows.doubts.pairs[0].tolist(),
        of_columns.doubts.pairs[0].tolist(),
        int(of_rows.doubts.filled),
        int(of_columns.doubts.filled),
        product,
    )
    above = [0, 0] + [1] * (columns - 2)
    squares = float(sum(number**2 for number in range(columns)))
    expected = (columns - 2, above, [5, 7], [5, 7], 1, 1, squares)
    if found != expected:
        raise ValueError(f"Expected {expected} of a small tile, got {found}.")


def _try_beside_torch(rows: int, columns: int, device: torch.device) -> None:
    """Scores of several programs, with ties, as torch's own operations count them."""
    rng = np.random.default_rng(0)

    def drawn(most: int, *shape: int) -> torch.Tensor:
        levels = rng.integers(0, most, shape).astype(np.float32)
        return torch.from_numpy(levels).to(device)

    scores = drawn(9, rows, columns)
    of_rows = drawn(9, rows)
    of_columns = drawn(9, columns)
    limits = (
        Thresholds(of_rows, of_rows + drawn(2, rows)),
        Thresholds(of_columns, of_columns + drawn(2, columns)),
    )
    found = _found_by(collect, scores, limits)
    expected = _found_by(_unfused.collect, scores, limits)
    if not all(map(torch.equal, found, expected)):
        raise ValueError(
            f"Expected what torch counts of {rows} x {columns} scores, got otherwise."
        )


def _found_by(
    collect: Callable[..., None],
    scores: torch.Tensor,
    limits: Sequence[Thresholds],
) -> list[torch.Tensor]:
    """Counts, and the pairs in doubt in the order of their numbers."""
    counted = [
        Counted(
            own,
            torch.zeros(len(own.low), dtype=torch.int32, device=scores.device),
            Doubts.make(scores.numel(), scores.device),
        )
        for own in limits
    ]
    collect(scores, *counted, 0, 0)
    found = []
    for direction in counted:
        pairs = direction.doubts.pairs[: int(direction.doubts.filled)].long()
        numbers = pairs[:, 0] * scores.shape[1] + pairs[:, 1]
        found += [direction.above, numbers.sort().values]
    return found


def _pointers(counted: Counted) -> tuple[torch.Tensor, ...]:
    doubts = counted.doubts
    limits = counted.limits
    return limits.low, limits.high, counted.above, doubts.pairs, doubts.filled


def _compile(*numbers: str) -> Callable[[Any], Any]:
    """A kernel that is compiled once, whatever these whole numbers are."""
    decorate: Callable[[Any], Any] = triton.jit(do_not_specialize=list(numbers))
    return decorate


@_compile()
def _append(is_doubtful, queries, items, pairs, filled, room):  # type: ignore[no-untyped-def]
    """Add the doubtful pairs to a list, as far as there is room; all of them count."""
    numbers = tl.where(is_doubtful, 1, 0)
    if tl.sum(tl.sum(numbers, 1), 0) > 0:
        ones = numbers.to(tl.int64)
        place = tl.atomic_add(
            filled + numbers * 0, ones, mask=is_doubtful, sem="relaxed"
        )
        fits = is_doubtful & (place < room)
        tl.store(pairs + 2 * place, queries + numbers * 0, mask=fits)
        tl.store(pairs + 2 * place + 1, items + numbers * 0, mask=fits)


@_compile("rows", "columns", "first_query", "first_item", "q_room", "g_room")
def _collect(  # type: ignore[no-untyped-def]
    scores,
    q_low,
    q_high,
    q_above,
    q_pairs,
    q_filled,
    g_low,
    g_high,
    g_above,
    g_pairs,
    g_filled,
    rows,
    columns,
    stride,
    first_query,
    first_item,
    q_room,
    g_room,
    BOTH: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_COLUMNS: tl.constexpr,
):
    row = tl.program_id(1) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    column = tl.program_id(0) * BLOCK_COLUMNS + tl.arange(0, BLOCK_COLUMNS)
    is_row = row < rows
    is_column = column < columns
    is_inside = is_row[:, None] & is_column[None, :]
    place = row[:, None].to(tl.int64) * stride + column[None, :]
    score = tl.load(scores + place, mask=is_inside, other=0.0)
    query = (first_query + row)[:, None]
    item = (first_item + column)[None, :]

    low = tl.load(q_low + row, mask=is_row, other=0.0)[:, None]
    high = tl.load(q_high + row, mask=is_row, other=0.0)[:, None]
    is_above = tl.where((score > high) & is_inside, 1, 0)
    tl.atomic_add(q_above + row, tl.sum(is_above, 1), mask=is_row, sem="relaxed")
    is_doubtful = (score >= low) & (score <= high) & is_inside
    _append(is_doubtful, query, item, q_pairs, q_filled, q_room)

    if BOTH:
        low = tl.load(g_low + column, mask=is_column, other=0.0)[None, :]
        high = tl.load(g_high + column, mask=is_column, other=0.0)[None, :]
        is_above = tl.where((score > high) & is_inside, 1, 0)
        tl.atomic_add(
            g_above + column, tl.sum(is_above, 0), mask=is_column, sem="relaxed"
        )
        is_doubtful = (score >= low) & (score <= high) & is_inside
        _append(is_doubtful, query, item, g_pairs, g_filled, g_room)


@_compile("count")
def _pair_scores(  # type: ignore[no-untyped-def]
    queries,
    gallery,
    q_index,
    g_index,
    scores,
    count,
    width,
    BLOCK_PAIRS: tl.constexpr,
    BLOCK_WIDTH: tl.constexpr,
):
    pair = tl.program_id(0) * BLOCK_PAIRS + tl.arange(0, BLOCK_PAIRS)
    is_pair = pair < count
    query = tl.load(q_index + pair, mask=is_pair, other=0)[:, None] * width
    item = tl.load(g_index + pair, mask=is_pair, other=0)[:, None] * width
    score = tl.zeros([BLOCK_PAIRS], dtype=tl.float64)
    for start in range(0, width, BLOCK_WIDTH):
        place = start + tl.arange(0, BLOCK_WIDTH)[None, :]
        is_inside = is_pair[:, None] & (place < width)
        left = tl.load(queries + query + place, mask=is_inside, other=0.0)
        right = tl.load(gallery + item + place, mask=is_inside, other=0.0)
        score += tl.sum(left.to(tl.float64) * right.to(tl.float64), 1)
    tl.store(scores + pair, score, mask=is_pair)
