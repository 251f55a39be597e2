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
    asked = 0
    versions = next(search)
    while True:
        asked += len(versions)
        try:
            versions = search.send(Answers(1 + margin(versions), margin(versions)))
        except StopIteration as stop:
            return stop.value, asked


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
    found, _ = run(search_breaking(CELLS, BUDGET), margin)
    exact = fewest(margin, CELLS)
    assert (int(found.cells.sum()) if found.broken else None) == exact


@given(weights, pairs)
def test_what_is_found_breaks_is_one_minimal_and_never_below_the_fewest(
    each: NDArray[np.float64], both: NDArray[np.float64]
) -> None:
    margin = together(each, both)
    found, _ = run(search_breaking(CELLS, BUDGET), margin)
    exact = fewest(margin, CELLS)
    if not found.broken:
        assert found.cells.all()
        return
    assert exact is not None
    assert found.cells.sum() >= exact
    assert margin(found.cells[None])[0] < 0
    less = np.repeat(found.cells[None], CELLS, axis=0) & ~np.eye(CELLS, dtype=np.bool_)
    changed = less[(less != found.cells).any(axis=1)]
    assert not found.one_minimal or not (margin(changed) < -1e-5).any()


@given(st.integers(0, 2**32 - 1), st.sampled_from([16, 64, 256]), st.integers(3, 6))
def test_no_more_is_asked_than_the_budget(seed: int, cells: int, each: int) -> None:
    random = np.random.default_rng(seed)
    margin = adding(random.exponential(random.choice([0.002, 0.02, 0.2]), cells))
    found, asked = run(search_breaking(cells, each * cells), margin)
    assert asked == found.encodings <= each * cells


def test_a_model_that_is_wrong_already_needs_nothing_hidden() -> None:
    found, asked = run(
        search_breaking(CELLS, BUDGET), adding(np.ones(CELLS), start=-1.0)
    )
    assert (found.found_clean, found.broken, int(found.cells.sum()), asked) == (
        False,
        True,
        0,
        CELLS + 1,
    )


def test_a_model_that_nothing_breaks_is_said_to_be_unbroken() -> None:
    found, _ = run(search_breaking(CELLS, BUDGET), adding(np.zeros(CELLS)))
    assert (found.found_clean, found.broken, found.one_minimal) == (True, False, False)
    assert found.cells.all()


@pytest.mark.parametrize("needed", [1, 2, 7, 40, 200, 256])
def test_of_equal_cells_exactly_as_many_as_needed_are_hidden(needed: int) -> None:
    found, _ = run(
        search_breaking(256, 800), adding(np.full(256, 1.0), start=needed - 0.5)
    )
    assert found.cells.sum() == needed


def test_falls_are_what_each_cell_alone_costs() -> None:
    each = np.linspace(0, 1, CELLS)
    found, asked = run(search_falls(CELLS), adding(each))
    assert found == pytest.approx(each)
    assert asked == CELLS + 1


@given(weights)
def test_the_worst_order_holds_every_cell_and_begins_with_the_worst(
    each: NDArray[np.float64],
) -> None:
    order, _ = run(search_worst_order(CELLS), adding(each))
    assert sorted(order.tolist()) == list(range(CELLS))
    assert list(each[order]) == pytest.approx(sorted(each, reverse=True))


def test_a_cell_that_hurts_only_beside_another_is_found_after_it() -> None:
    both = np.zeros((CELLS, CELLS))
    both[2, 7] = 5.0
    margin = together(np.where(np.arange(CELLS) == 2, 0.5, 0.01), both)
    assert run(search_worst_order(CELLS), margin)[0][:2].tolist() == [2, 7]
    found, _ = run(search_breaking(CELLS, BUDGET), margin)
    assert isinstance(found, Breaking)
    assert np.flatnonzero(found.cells).tolist() == [2, 7]
