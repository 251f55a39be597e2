"""How much memory ranks take: which of torch's results are alive at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust.retrieval import ranking
from pytest_retrieval_robust.retrieval.ranking import (
    Duels,
    _plain,
    best_answers,
    positive_ranks_both,
    right_wins,
    top_k,
)
from pytest_retrieval_robust.retrieval.ranking._checks import Request
from pytest_retrieval_robust.retrieval.ranking._kernels import Engine
from pytest_retrieval_robust.retrieval.ranking._precisions import (
    IN_BFLOAT16,
    IN_FLOAT16,
    IN_FLOAT32,
    Precision,
)
from pytest_retrieval_robust.retrieval.ranking._sizes import sizes_for

from .living import Living

WIDTH = 8
ITEMS = 64
TILE = 32
Rows = NDArray[np.float32]


class Case(NamedTuple):
    rank: Callable[[Rows], Any]
    rows: int
    """Enough for several pieces."""
    bytes_per_row: int
    """That torch is asked for, at most."""


def product(queries: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
    return queries @ gallery.T


def ranks(rows: Rows, precision: Precision) -> Any:
    """In one tile and pieces of 4 rows, so that their number alone differs."""
    groups = np.arange(len(rows)) % ITEMS
    request = Request(rows, rows[:ITEMS], groups, groups[:ITEMS])
    sizes = replace(sizes_for(torch.device("cpu"), request.tile, WIDTH), piece=4)
    return ranking._ranks(
        request,
        both_directions=True,
        forced=[precision],
        engine=Engine(sizes, _plain),
    )


def duels(rows: Rows, **options: Any) -> Any:
    numbers = np.repeat(np.arange(len(rows)), 64)
    return right_wins(
        rows, rows, rows, Duels(numbers, numbers, numbers[::-1]), **options
    )


def first_4(rows: Rows, find: Callable[..., Any], **options: Any) -> Any:
    return find(rows, rows[:ITEMS], 4, tile=TILE, **options)


def living(rank: Callable[[Rows], Any], rows: int) -> Living:
    """While so many rows are ranked."""
    drawn = np.random.default_rng(0).standard_normal((rows, WIDTH), dtype=np.float32)
    alive = Living()
    with alive:
        rank(drawn)
    return alive


# Of ranks, 256 bytes are the scores of a row, and 128 more the same in bfloat16.
CASES = {
    "ranks, float32": Case(partial(ranks, precision=IN_FLOAT32), 320, 700),
    "ranks, float16": Case(partial(ranks, precision=IN_FLOAT16), 320, 700),
    "ranks, bfloat16": Case(partial(ranks, precision=IN_BFLOAT16), 320, 900),
    "duels": Case(duels, 128, 100),
    "duels by a scorer": Case(partial(duels, similarity=product), 128, 100),
    "top": Case(partial(first_4, find=top_k), 128, 150),
    "top by a scorer": Case(partial(first_4, find=top_k, similarity=product), 128, 150),
    "best": Case(partial(first_4, find=best_answers), 128, 100),
    "best by a scorer": Case(
        partial(first_4, find=best_answers, similarity=product), 128, 100
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_pieces_leave_nothing_but_their_results_in_one_array(case: Case) -> None:
    """A small result that outlives the large ones around it cuts the heap up: in one
    process of four, ranking 200,000 rows took several hundred MB more for 1.6 MB.
    """
    few = living(case.rank, case.rows)
    many = living(case.rank, 2 * case.rows)
    assert many.most == few.most
    grown = many.most_bytes - few.most_bytes
    assert grown <= case.bytes_per_row * case.rows


def test_memory_grows_with_the_rows_and_not_with_their_pairs() -> None:
    def of_each_other(rows: Rows) -> Any:
        groups = np.arange(len(rows))
        return positive_ranks_both(rows, rows, groups, groups, tile=32)

    few = living(of_each_other, 128).most_bytes
    many = living(of_each_other, 256).most_bytes
    # All scores would grow by 1,536 bytes for each of 128 more rows.
    assert many - few <= 128 * 600
