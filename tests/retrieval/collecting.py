"""What kernels collect of a tile of scores, beside the naive counts."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust.retrieval.ranking._kernels import Kernels
from pytest_retrieval_robust.retrieval.ranking._thresholds import (
    Counted,
    Doubts,
    Thresholds,
)

HOST = torch.device("cpu")
SHAPES = ((1, 1), (3, 9), (64, 128), (65, 129), (70, 300), (200, 17))
FIRST_QUERY = 1000
FIRST_ITEM = 2**24
COUNTED_BEFORE = 7


def check_collect(kernels: Kernels, rng: np.random.Generator) -> None:
    """Twice each, into what was counted before."""
    for rows, columns in SHAPES:
        # Whole numbers, so that scores tie with the thresholds, and some are infinite.
        table = rng.integers(-5, 5, (rows, columns)).astype(np.float32)
        table[rng.random((rows, columns)) < 0.1] = -np.inf
        low = rng.integers(-5, 5, rows + columns).astype(np.float32)
        high = low + rng.integers(0, 3, rows + columns).astype(np.float32)
        limits = [
            Thresholds(torch.from_numpy(low[part]), torch.from_numpy(high[part]))
            for part in (slice(0, rows), slice(rows, None))
        ]
        for room in (0, 1, 50, 10**5):
            for both in (False, True):
                _check_tile(kernels, table, limits, room, both)


def _check_tile(
    kernels: Kernels,
    table: NDArray[np.float32],
    limits: list[Thresholds],
    room: int,
    both: bool,
) -> None:
    sides = []
    for own in limits:
        above = torch.full((len(own.low),), COUNTED_BEFORE, dtype=torch.int32)
        sides.append(Counted(own, above, Doubts.make(room, HOST)))
    of_rows, of_columns = sides
    for _ in range(2):
        kernels.collect(
            torch.from_numpy(table.copy()),
            of_rows,
            of_columns if both else None,
            FIRST_QUERY,
            FIRST_ITEM,
        )
    _check_counted(table, of_rows, 0)
    if both:
        _check_counted(table, of_columns, 1)
    else:
        assert of_columns.above.tolist() == [COUNTED_BEFORE] * table.shape[1]
        assert int(of_columns.doubts.filled) == 0


def _check_counted(table: NDArray[np.float32], counted: Counted, dim: int) -> None:
    lower = counted.limits.low.unsqueeze(1 - dim).numpy()
    upper = counted.limits.high.unsqueeze(1 - dim).numpy()
    above = COUNTED_BEFORE + 2 * (table > upper).sum(1 - dim)
    assert counted.above.tolist() == above.tolist()
    places = np.argwhere((table >= lower) & (table <= upper))
    twice = sorted([(q + FIRST_QUERY, g + FIRST_ITEM) for q, g in places.tolist()] * 2)
    filled = int(counted.doubts.filled)
    room = counted.doubts.room
    if len(twice) > room:
        assert filled > room
        return
    assert filled == len(twice)
    assert sorted(map(tuple, counted.doubts.pairs[:filled].tolist())) == twice
