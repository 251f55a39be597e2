"""Duels of a right and a wrong item, against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.core.errors import RankingError
from pytest_retrieval_robust.retrieval.ranking import Duels, right_wins

FEW = st.integers(-2, 2)


def _exact_score(row: NDArray[np.float32], other: NDArray[np.float32]) -> Fraction:
    pairs = zip(row.tolist(), other.tolist(), strict=True)
    return sum((Fraction(a) * Fraction(b) for a, b in pairs), Fraction())


@st.composite
def _rows_and_duels(draw: st.DrawFn) -> tuple[list[NDArray[np.float32]], Duels]:
    counts = [draw(st.integers(1, 4)) for _ in range(3)]
    row = st.lists(FEW, min_size=3, max_size=3)
    rows = [
        np.array(draw(st.lists(row, min_size=n, max_size=n)), dtype=np.float32)
        for n in counts
    ]
    number = draw(st.integers(0, 8))
    numbers = []
    for n in counts:
        places = st.lists(st.integers(0, n - 1), min_size=number, max_size=number)
        numbers.append(np.array(draw(places), dtype=np.int64))
    return rows, Duels(*numbers)


@given(_rows_and_duels())
def test_a_duel_is_won_by_the_greater_exact_score(
    drawn: tuple[list[NDArray[np.float32]], Duels],
) -> None:
    (queries, right, wrong), duels = drawn
    expected = [
        _exact_score(queries[q], right[r]) > _exact_score(queries[q], wrong[w])
        for q, r, w in zip(duels.queries, duels.right, duels.wrong, strict=True)
    ]
    assert right_wins(queries, right, wrong, duels).tolist() == expected
    by_scorer = right_wins(
        queries, right, wrong, duels, similarity=lambda q, g: q @ g.T
    )
    assert by_scorer.tolist() == expected


def test_many_duels_are_decided_piece_by_piece() -> None:
    rng = np.random.default_rng(0)
    queries, right, wrong = (
        rng.normal(size=(300, 40)).astype(np.float32) for _ in range(3)
    )
    numbers = rng.integers(0, 300, size=(3, 10_000))
    duels = Duels(*numbers)
    own = (queries[numbers[0]].astype(np.float64) * right[numbers[1]]).sum(1)
    other = (queries[numbers[0]].astype(np.float64) * wrong[numbers[2]]).sum(1)
    assert np.array_equal(right_wins(queries, right, wrong, duels), own > other)


def test_the_smallest_step_of_float32_decides() -> None:
    query = np.ones((1, 1), dtype=np.float32)
    right = np.array([[1.0]], dtype=np.float32)
    wrong = np.nextafter(right, np.float32(0))
    first = np.zeros(1, dtype=np.int64)
    duels = Duels(first, first, first)
    assert right_wins(query, right, wrong, duels).tolist() == [True]
    assert right_wins(query, wrong, right, duels).tolist() == [False]


def test_rows_that_are_not_finite_are_refused() -> None:
    rows = torch.ones(2, 3)
    broken = rows.clone()
    broken[1, 2] = torch.nan
    first = np.zeros(1, dtype=np.int64)
    with pytest.raises(RankingError, match="row=1"):
        right_wins(rows, rows, broken, Duels(first, first, first))


def test_a_number_of_no_row_is_refused() -> None:
    rows = torch.ones(2, 3)
    first = np.zeros(1, dtype=np.int64)
    with pytest.raises(RankingError, match="below 2 of wrong"):
        right_wins(rows, rows, rows, Duels(first, first, first + 2))
