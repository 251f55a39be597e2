"""Right pairs and what the best of them score, against a look at every pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.retrieval.ranking import _plain
from pytest_retrieval_robust.retrieval.ranking._exact import Side
from pytest_retrieval_robust.retrieval.ranking._kernels import Engine
from pytest_retrieval_robust.retrieval.ranking._right_pairs import (
    best_right,
    right_pairs,
)
from pytest_retrieval_robust.retrieval.ranking._sizes import Sizes

from .test_ranking import normal, unit

GROUPS = st.lists(st.integers(0, 5), min_size=1, max_size=14)


def side_of(groups: list[int], seed: int = 0) -> Side:
    rows = torch.from_numpy(unit(normal(seed, len(groups), 6)))
    norms = torch.linalg.vector_norm(rows.double(), dim=1)
    return Side(rows, norms, torch.tensor(groups))


def sizes_of(tile: int, rows: int) -> Sizes:
    return Sizes(tile, rows, 2 * tile, tile, piece=3, group=1, width=1)


def is_right(queries: list[int], gallery: list[int]) -> NDArray[np.bool_]:
    """(Q, G)"""
    same: NDArray[np.bool_] = np.equal.outer(np.array(queries), np.array(gallery))
    return same


@given(GROUPS, GROUPS, st.integers(1, 5), st.integers(1, 6))
def test_each_run_of_tiles_has_its_right_pairs(
    queries: list[int], gallery: list[int], tile: int, rows: int
) -> None:
    sizes = sizes_of(tile, rows)
    pairs = right_pairs(side_of(queries), side_of(gallery), sizes)
    right = is_right(queries, gallery)
    if right.sum() > 8 * (len(queries) + len(gallery)):
        assert pairs is None
        return
    assert pairs is not None
    for q_start in range(0, len(queries), rows):
        q_part = slice(q_start, min(q_start + rows, len(queries)))
        for g_start in range(0, len(gallery), sizes.columns):
            g_part = slice(g_start, min(g_start + sizes.columns, len(gallery)))
            q_index, g_index = pairs.within(q_part, g_part)
            found = sorted(zip(q_index.tolist(), g_index.tolist(), strict=True))
            assert found == [
                tuple(place) for place in np.argwhere(right[q_part, g_part])
            ]


@pytest.mark.parametrize(("count", "is_listed"), [(16, True), (17, False)])
def test_pairs_are_listed_up_to_8_per_row(count: int, is_listed: bool) -> None:
    """Of 16 rows on either side that are all right, each has 16, which are 8 per row."""
    side = side_of([0] * count)
    assert (right_pairs(side, side, sizes_of(4, 4)) is not None) == is_listed


@given(GROUPS, GROUPS, st.integers(1, 5))
def test_the_best_right_partner_scores_what_its_product_is_at_least(
    queries: list[int], gallery: list[int], tile: int
) -> None:
    left = side_of(queries)
    right = side_of(gallery, 1)
    engine = Engine(sizes_of(tile, tile), _plain)
    scores = (left.rows.double() @ right.rows.double().T).numpy()
    scores = np.where(is_right(queries, gallery), scores, -np.inf)
    for pairs in (right_pairs(left, right, engine.sizes), None):
        floors = best_right(engine, left, right, pairs)
        for own, best in zip(floors, (scores.max(1), scores.max(0)), strict=True):
            assert own.numpy() == pytest.approx(best, abs=1e-14)
            # A floor is a lower bound: what rounding may have added is taken off.
            assert (own.numpy()[np.isfinite(best)] < best[np.isfinite(best)]).all()
