"""Ranks of answers in random order."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_retrieval_robust.retrieval.metrics.recall import chance_recall
from pytest_retrieval_robust.retrieval.random_order import ranks_by_chance

MANY = 20_000


@pytest.mark.parametrize(("right", "gallery"), [(1, 10), (3, 10), (9, 10), (1, 2)])
def test_a_random_order_reaches_what_chance_does_at_every_k(
    right: int, gallery: int
) -> None:
    rng = np.random.default_rng(0)
    ranks = ranks_by_chance(np.full(MANY, right), gallery, rng)
    for k in range(1, gallery + 1):
        expected = chance_recall([right], gallery, k)
        error = 4 * np.sqrt(expected * (1 - expected) / MANY)
        assert abs((ranks <= k).mean() - expected) <= error


def test_a_query_to_which_all_is_right_has_the_first_rank() -> None:
    ranks = ranks_by_chance(np.array([5, 1, 5]), 5, np.random.default_rng(0))
    assert ranks[0] == ranks[2] == 1
    assert 1 <= ranks[1] <= 5
