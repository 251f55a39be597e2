"""The mean rows that filters take off, against numpy, and when there is none to take."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust.core.errors import RankingError
from pytest_retrieval_robust.retrieval.ranking import _plain
from pytest_retrieval_robust.retrieval.ranking._means import Measured, take_means

from .test_ranking import normal, unit

PIECE = 4


def sides(longest: float = 1.0) -> list[NDArray[np.float32]]:
    """(7, 5) queries, the last of which has that norm, and (9, 5) gallery rows of norm 1."""
    queries = unit(1 + normal(0, 7, 5))
    queries[-1] = 0
    queries[-1, 2] = longest
    return [queries, unit(1 + normal(1, 9, 5))]


def measure(rows: list[NDArray[np.float32]]) -> tuple[Measured, Measured]:
    queries, gallery = map(torch.from_numpy, rows)
    return take_means(_plain, queries, gallery, PIECE)


@pytest.mark.parametrize("longest", [1.0, 3.99])
def test_rows_of_like_norms_lose_the_mean_of_their_side(longest: float) -> None:
    rows = sides(longest)
    measured = measure(rows)
    means = [each.mean(0).astype(np.float64) for each in rows]
    for own, other in ((0, 1), (1, 0)):
        exact = rows[own].astype(np.float64)
        norms, taken = measured[own]
        assert norms.numpy() == pytest.approx(np.linalg.norm(exact, axis=1), rel=1e-12)
        assert taken.mean.numpy() == pytest.approx(means[own], rel=1e-6)
        products = [exact @ taken.mean.numpy(), exact @ measured[other][1].mean.numpy()]
        assert taken.own_products.numpy() == pytest.approx(products[0], rel=1e-12)
        assert taken.other_products.numpy() == pytest.approx(products[1], rel=1e-12)


@pytest.mark.parametrize("longest", [4.01, 0.24])
@pytest.mark.parametrize("is_back", [False, True])
def test_rows_of_unlike_norms_lose_nothing(longest: float, is_back: bool) -> None:
    """Their mean would be that of the longest alone. The other side's is still taken."""
    rows = sides(longest)
    order = [1, 0] if is_back else [0, 1]
    measured = measure([rows[number] for number in order])
    uneven = measured[order.index(0)].means
    even = measured[order.index(1)].means
    assert not uneven.mean.any()
    assert not uneven.own_products.any()
    assert not even.other_products.any()
    assert even.mean.numpy() == pytest.approx(rows[1].mean(0).astype(float), rel=1e-6)
    assert even.own_products.all()
    products = rows[0].astype(np.float64) @ even.mean.numpy()
    assert uneven.other_products.numpy() == pytest.approx(products, rel=1e-12)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_row_without_a_direction_is_named(place: int, value: float) -> None:
    rows = sides()
    rows[place][3] = value
    name = ("queries", "gallery")[place]
    with pytest.raises(RankingError, match=f"Expected .*{name}.* in row=3"):
        measure(rows)
