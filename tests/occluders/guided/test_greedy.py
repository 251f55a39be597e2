"""The searches in one image, on made-up models whose fewest breaking cells are known or
can be tried out.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.occluders.guided._greedy import (
    Breaking,
    search_breaking,
    search_falls,
    search_worst_order,
)
from pytest_retrieval_robust.occluders.guided._probe import Answers, Hidden, Search

T = TypeVar("T")
Margin = Callable[[Hidden], NDArray[np.float64]]
CELLS = 9
BUDGET = 400


def run(search: Search[T], margin: Margin) -> tuple[T, int]:
    """What the search finds when `margin` answers it, and how many versions it looked at."""
    encodings = 0
    versions = next(search)
    while True:
        encodings += len(versions)
        try:
            versions = search.send(Answers(1 + margin(versions), margin(versions)))
        except StopIteration as stop:
            return stop.value, encodings


def adding(weights: NDArray[np.float64], start: float = 1.0) -> Margin:
    """Each hidden cell takes its weight from the margin."""
    return lambda hidden: start - hidden @ weights


def together(weights: NDArray[np.float64], pairs: NDArray[np.float64]) -> Margin:
    """Cells also take something where both of a pair are hidden."""
    return lambda hidden: (
        1 - hidden @ weights - np.einsum("mi,ij,mj->m", hidden, pairs, hidden)
    )


def fewest(margin: Margin, cells: int) -> int | None:
    """By trying every set."""
    for size in range(cells + 1):
        for chosen in combinations(range(cells), size):
            version = np.zeros((1, cells), dtype=np.bool_)
            version[0, list(chosen)] = True
            if margin(version)[0] < -1e-5:
                return size
    return None


weights = st.lists(st.floats(0, 0.6), min_size=CELLS, max_size=CELLS).map(np.array)
pairs = st.lists(st.floats(-0.2, 0.4), min_size=CELLS**2, max_size=CELLS**2).map(
    lambda numbers: np.triu(np.array(numbers).reshape(CELLS, CELLS), 1)
)


@given(weights)
def test_where_cells_add_up_the_fewest_are_found(each: NDArray[np.float64]) -> None:
    margin = adding(each)
    result, _ = run(search_breaking(CELLS, BUDGET), margin)
    exact = fewest(margin, CELLS)
    assert (int(result.cells.sum()) if result.broken else None) == exact


@given(weights, pairs)
def test_what_is_found_breaks_is_one_minimal_and_never_below_the_fewest(
    each: NDArray[np.float64], pairwise: NDArray[np.float64]
) -> None:
    margin = together(each, pairwise)
    result, _ = run(search_breaking(CELLS, BUDGET), margin)
    exact = fewest(margin, CELLS)
    if not result.broken:
        assert result.cells.all()
        return
    assert exact is not None
    assert result.cells.sum() >= exact
    assert margin(result.cells[None])[0] < 0
    less = np.repeat(result.cells[None], CELLS, axis=0) & ~np.eye(CELLS, dtype=np.bool_)
    changed = less[(less != result.cells).any(axis=1)]
    assert not result.one_minimal or not (margin(changed) < -1e-5).any()


def test_what_was_hidden_for_nothing_is_given_back() -> None:
    """The cell that does most alone is hidden first, and two others do without it."""
    each = np.array([0.5, 0.1, 0.1, 0, 0, 0, 0, 0, 0])
    pairwise = np.zeros((CELLS, CELLS))
    pairwise[1, 2] = 1.2
    # No more than the first attempt: a later one begins with the second cell.
    result, _ = run(search_breaking(CELLS, 45), together(each, pairwise))
    assert np.flatnonzero(result.cells).tolist() == [1, 2]
    assert result.one_minimal


@given(st.integers(0, 2**32 - 1), st.sampled_from([16, 64, 256]), st.integers(3, 6))
def test_no_more_is_asked_than_the_budget(seed: int, cells: int, each: int) -> None:
    random = np.random.default_rng(seed)
    margin = adding(random.exponential(random.choice([0.002, 0.02, 0.2]), cells))
    result, encodings = run(search_breaking(cells, each * cells), margin)
    assert encodings == result.encodings <= each * cells


def test_a_model_that_is_wrong_already_needs_nothing_hidden() -> None:
    result, encodings = run(
        search_breaking(CELLS, BUDGET), adding(np.ones(CELLS), start=-1.0)
    )
    assert (result.found_clean, result.broken, int(result.cells.sum()), encodings) == (
        False,
        True,
        0,
        CELLS + 1,
    )


def test_a_model_that_nothing_breaks_is_said_to_be_unbroken() -> None:
    result, _ = run(search_breaking(CELLS, BUDGET), adding(np.zeros(CELLS)))
    assert (result.found_clean, result.broken, result.one_minimal) == (
        True,
        False,
        False,
    )
    assert result.cells.all()


@pytest.mark.parametrize("needed", [1, 2, 7, 40, 200, 256])
def test_of_equal_cells_exactly_as_many_as_needed_are_hidden(needed: int) -> None:
    result, _ = run(
        search_breaking(256, 800), adding(np.full(256, 1.0), start=needed - 0.5)
    )
    assert result.cells.sum() == needed


def test_falls_are_what_each_cell_alone_costs() -> None:
    each = np.linspace(0, 1, CELLS)
    result, encodings = run(search_falls(CELLS), adding(each))
    assert result == pytest.approx(each)
    assert encodings == CELLS + 1


@given(weights)
def test_the_worst_order_holds_every_cell_and_begins_with_the_worst(
    each: NDArray[np.float64],
) -> None:
    order, _ = run(search_worst_order(CELLS), adding(each))
    assert sorted(order.tolist()) == list(range(CELLS))
    assert list(each[order]) == pytest.approx(sorted(each, reverse=True))


def test_a_cell_that_hurts_only_beside_another_is_found_after_it() -> None:
    pairwise = np.zeros((CELLS, CELLS))
    pairwise[2, 7] = 5.0
    margin = together(np.where(np.arange(CELLS) == 2, 0.5, 0.01), pairwise)
    assert run(search_worst_order(CELLS), margin)[0][:2].tolist() == [2, 7]
    result, _ = run(search_breaking(CELLS, BUDGET), margin)
    assert isinstance(result, Breaking)
    assert np.flatnonzero(result.cells).tolist() == [2, 7]
