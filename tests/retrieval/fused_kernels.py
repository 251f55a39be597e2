"""Checks the fused kernels, run by Triton's interpreter.

A process of its own, because the interpreter is chosen when Triton is imported:
`TRITON_INTERPRET=1 python -m tests.retrieval.fused_kernels`
"""

from __future__ import annotations

import numpy as np
import torch

from pytest_retrieval_robust.retrieval.ranking import (
    _ranks,
    _triton,
    positive_ranks_both,
)
from pytest_retrieval_robust.retrieval.ranking._checks import Request
from pytest_retrieval_robust.retrieval.ranking._kernels import Engine
from pytest_retrieval_robust.retrieval.ranking._precisions import (
    IN_FLOAT16,
    IN_FLOAT32,
)
from pytest_retrieval_robust.retrieval.ranking._sizes import Sizes

from .collecting import HOST, check_collect
from .test_ranking import INPUTS, near_ties, wild_norms


def main() -> None:
    rng = np.random.default_rng(0)
    _triton.try_on(HOST)
    check_collect(_triton, rng)
    check_pair_scores(rng)
    check_ranks()
    print("alike")


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
    sizes = Sizes(8, 16, 32, 8, piece=16, group=2, width=8)
    groups = np.arange(40) % 9
    # The interpreter takes its time: float16 has those that it is most likely to lose.
    in_float16 = (near_ties, wild_norms)
    for make in INPUTS:
        filters = [IN_FLOAT16, IN_FLOAT32] if make in in_float16 else [IN_FLOAT32]
        queries, gallery = make(5)
        expected = positive_ranks_both(queries, gallery, groups[:30], groups)
        for pairs_per_doubt in (4, 10**9):
            ranks = _ranks(
                Request(queries, gallery, groups[:30], groups),
                both_directions=True,
                forced=filters,
                engine=Engine(sizes, _triton, pairs_per_doubt=pairs_per_doubt),
            )
            for own, others in zip(ranks, expected, strict=True):
                assert own.tolist() == others.tolist()


if __name__ == "__main__":
    main()
