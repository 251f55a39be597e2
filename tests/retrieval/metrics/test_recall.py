from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.catalogue import Catalogue
from pytest_retrieval_robust.retrieval.metrics import MetricEntry
from pytest_retrieval_robust.retrieval.metrics.median_rank import median_rank
from pytest_retrieval_robust.retrieval.metrics.recall import chance_recall, recall_at_k
from pytest_retrieval_robust.retrieval.metrics.reciprocal_rank import (
    mean_reciprocal_rank,
)

rank_lists = st.lists(st.integers(1, 50), min_size=1)


@given(rank_lists, st.integers(1, 60))
def test_recall_counts_ranks_up_to_k(ranks: list[int], k: int) -> None:
    assert recall_at_k(np.array(ranks), k) == sum(rank <= k for rank in ranks) / len(
        ranks
    )


@given(rank_lists)
def test_median_and_reciprocal_rank_are_those_of_the_list(ranks: list[int]) -> None:
    assert median_rank(np.array(ranks)) == np.median(ranks)
    assert mean_reciprocal_rank(np.array(ranks)) == pytest.approx(
        float(sum(Fraction(1, r) for r in ranks) / len(ranks))
    )


@given(st.data(), st.integers(1, 60))
def test_chance_is_the_hypergeometric_one(data: st.DataObject, size: int) -> None:
    rights = data.draw(st.lists(st.integers(1, size), min_size=1, max_size=5))
    k = data.draw(st.integers(1, size))
    exact = sum(
        1 - Fraction(comb(size - right, k), comb(size, k)) for right in rights
    ) / len(rights)
    assert chance_recall(rights, size, k) == pytest.approx(float(exact), rel=1e-12)


def test_chance_stays_exact_in_large_galleries() -> None:
    exact = 1 - Fraction(comb(999_998, 10), comb(1_000_000, 10))
    assert chance_recall([2], 1_000_000, 10) == pytest.approx(float(exact), rel=1e-12)
    assert chance_recall([1], 3, 10) == 1.0


def test_random_ranks_score_chance() -> None:
    draws = np.random.default_rng(0).permuted(
        np.tile(np.arange(1, 21), (20_000, 1)), axis=1
    )
    ranks = draws[:, :3].min(axis=1)  # the best of 3 right ones among 20
    assert recall_at_k(ranks, 5) == pytest.approx(chance_recall([3], 20, 5), abs=0.015)


@pytest.mark.parametrize("ranks", [[], [0, 1], [[1]]])
def test_bad_ranks_are_an_error(ranks: list[int]) -> None:
    with pytest.raises(ValueError, match="Expected ranks"):
        recall_at_k(np.array(ranks), 1)


def test_k_and_counts_are_checked() -> None:
    with pytest.raises(ValueError, match="k=0"):
        recall_at_k(np.array([1]), 0)
    with pytest.raises(ValueError, match=r"counts=\[0\]"):
        chance_recall([0], 5, 1)


def test_the_catalogue_builds_each_metric() -> None:
    catalogue: Catalogue[MetricEntry] = Catalogue("metric", "metrics")
    ranks = np.array([1, 2, 4, 4])
    assert catalogue.names() == ["median-rank", "mrr", "recall"]
    assert catalogue.get("recall").build(k=2)(ranks) == 0.5
    assert catalogue.get("median-rank").build()(ranks) == 3
    assert catalogue.get("mrr").build()(ranks) == 0.5
