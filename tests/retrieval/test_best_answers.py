"""Lists of first answers, against `top_k` and a naive loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pytest_retrieval_robust.core.errors import RankingError
from pytest_retrieval_robust.retrieval.ranking import best_answers, top_k


def rows(count: int, width: int, seed: int) -> Tensor:
    numbers = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(numbers, dim=1)


@settings(max_examples=30, deadline=None)
@given(
    queries=st.integers(1, 20),
    gallery=st.integers(1, 90),
    width=st.integers(2, 9),
    k=st.integers(1, 12),
    tile=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_lists_are_those_of_top_k(
    queries: int, gallery: int, width: int, k: int, tile: int, seed: int
) -> None:
    asking = rows(queries, width, seed)
    items = rows(gallery, width, seed + 1)
    k = min(k, gallery)
    found = best_answers(asking, items, k, tile=tile)
    expected, scores = top_k(asking, items, k)
    np.testing.assert_array_equal(found.items, expected)
    np.testing.assert_allclose(found.scores, scores[:, 0], atol=1e-6)


def test_items_that_score_equally_are_all_listed() -> None:
    item = rows(1, 64, 0)
    gallery = torch.cat([-item, item, item, item])
    found = best_answers(item, gallery, 3)
    assert sorted(found.items[0].tolist()) == [1, 2, 3]


def test_a_scorer_of_the_models_own_is_asked() -> None:
    asking = rows(7, 5, 0)
    items = rows(11, 5, 1)

    def distance(queries: Tensor, gallery: Tensor) -> Tensor:
        return -torch.cdist(queries, gallery)

    found = best_answers(asking, items, 4, similarity=distance, tile=3)
    naive = np.argsort(torch.cdist(asking.double(), items.double()).numpy(), axis=1)
    np.testing.assert_array_equal(found.items, naive[:, :4])


def test_more_answers_than_there_are_items_are_all_of_them() -> None:
    assert best_answers(rows(2, 3, 0), rows(4, 3, 1), 10).items.shape == (2, 4)


def test_no_answer_is_refused() -> None:
    with pytest.raises(RankingError, match="at least one answer per query, got k=0"):
        best_answers(rows(2, 3, 0), rows(4, 3, 1), 0)
