"""Compares the fused kernels, run by Triton's interpreter, with the plain ones.

A process of its own, because the interpreter is chosen when Triton is imported:
`TRITON_INTERPRET=1 python -m tests.retrieval.fused_kernels`
"""

from __future__ import annotations

import numpy as np
import torch

from pytest_retrieval_robust.retrieval.ranking import (
    _queued_plain,
    _ranks,
    _triton,
    positive_ranks_both,
)
from pytest_retrieval_robust.retrieval.ranking._checks import Request
from pytest_retrieval_robust.retrieval.ranking._kernels import Engine, Queued
from pytest_retrieval_robust.retrieval.ranking._precisions import (
    IN_FLOAT16,
    IN_FLOAT32,
)
from pytest_retrieval_robust.retrieval.ranking._sizes import Sizes
from pytest_retrieval_robust.retrieval.ranking._thresholds import (
    Counted,
    Doubts,
    Thresholds,
)

from .test_ranking import INPUTS

HOST = torch.device("cpu")
SHAPES = ((1, 1), (3, 9), (64, 128), (65, 129), (70, 300), (200, 17))
ROOMS = (0, 1, 50, 10**5)


def main() -> None:
    rng = np.random.default_rng(0)
    _triton.try_on(HOST)
    for rows, columns in SHAPES:
        # Whole numbers, so that scores tie with the thresholds, and some are infinite.
        table = rng.integers(-5, 5, (rows, columns)).astype(np.float32)
        table[rng.random((rows, columns)) < 0.1] = -np.inf
        low = rng.integers(-5, 5, rows + columns).astype(np.float32)
        high = low + rng.integers(0, 3, rows + columns).astype(np.float32)
        for room in ROOMS:
            for both in (False, True):
                check_collect(table, low, high, room, both)
    check_pair_scores(rng)
    check_ranks()
    print("alike")


def check_collect(
    table: np.ndarray, low: np.ndarray, high: np.ndarray, room: int, both: bool
) -> None:
    first_query, first_item = 1000, 2**24
    scores = torch.from_numpy(table)
    counted = {}
    for kernels in (_triton, _queued_plain):
        sides = []
        for part in (slice(0, len(table)), slice(len(table), None)):
            limits = Thresholds(
                torch.from_numpy(low[part]), torch.from_numpy(high[part])
            )
            # Something was counted, and found, before.
            above = torch.full((len(limits.low),), 7, dtype=torch.int32)
            sides.append(Counted(limits, above, Doubts.make(room, HOST)))
        ways: Queued = kernels
        of_columns = sides[1] if both else None
        for _ in range(2):
            ways.collect(scores, sides[0], of_columns, first_query, first_item)
        counted[kernels] = sides[: 1 + both]
    fused, plain = counted.values()
    for dim, (own, other) in enumerate(zip(fused, plain, strict=True)):
        upper = own.limits.high.unsqueeze(1 - dim).numpy()
        lower = own.limits.low.unsqueeze(1 - dim).numpy()
        expected = 7 + 2 * (table > upper).sum(1 - dim)
        assert own.above.tolist() == other.above.tolist() == expected.tolist()
        places = np.argwhere((table >= lower) & (table <= upper))
        assert int(own.doubts.filled) == int(other.doubts.filled) == 2 * len(places)
        known = {(q + first_query, g + first_item) for q, g in places.tolist()}
        for doubts in (own.doubts, other.doubts):
            kept = doubts.pairs[: min(room, 2 * len(places))].tolist()
            pairs = [tuple(pair) for pair in kept]
            assert set(pairs) <= known
            assert all(pairs.count(pair) <= 2 for pair in set(pairs))
            if len(pairs) == 2 * len(places):
                assert set(pairs) == known


def check_pair_scores(rng: np.random.Generator) -> None:
    for width, count in ((1, 1), (7, 3), (128, 8), (300, 21), (300, 0)):
        queries = torch.from_numpy(rng.standard_normal((11, width), dtype=np.float32))
        gallery = torch.from_numpy(rng.standard_normal((13, width), dtype=np.float32))
        q_index = torch.from_numpy(rng.integers(0, 11, count))
        g_index = torch.from_numpy(rng.integers(0, 13, count))
        fused = _triton.pair_scores(queries, gallery, q_index, g_index, 4)
        exact = (queries[q_index].double() * gallery[g_index].double()).sum(1)
        assert fused.dtype == torch.float64
        assert torch.allclose(fused, exact, rtol=0, atol=1e-12)


def check_ranks() -> None:
    sizes = Sizes(8, 16, 32, piece=16, group=2, width=8)
    groups = np.arange(40) % 9
    for make in INPUTS:
        queries, gallery = make(5)
        expected = positive_ranks_both(queries, gallery, groups[:30], groups)
        for filters in ((IN_FLOAT32,), (IN_FLOAT16, IN_FLOAT32)):
            for pairs_per_doubt in (4, 10**9):
                engine = Engine(
                    sizes, queued=_triton, pairs_per_doubt=pairs_per_doubt
                )
                ranks = _ranks(
                    Request(queries, gallery, groups[:30], groups),
                    both_directions=True,
                    forced=filters,
                    engine=engine,
                )
                for own, others in zip(ranks, expected, strict=True):
                    assert own.tolist() == others.tolist()


if __name__ == "__main__":
    main()
