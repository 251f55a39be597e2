"""Bounds of float64 scores, and when a filter is given up."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
import torch

from pytest_retrieval_robust.retrieval.ranking import _plain
from pytest_retrieval_robust.retrieval.ranking._exact import (
    FLOAT32,
    FLOAT64,
    Side,
    gamma,
    pair_bounds,
    tile_bounds,
)
from pytest_retrieval_robust.retrieval.ranking._thresholds import Doubts, Thresholds
from pytest_retrieval_robust.retrieval.ranking._tiles import Trial, worth_trying

from .test_ranking import normal


@pytest.mark.parametrize("roundoff", [FLOAT32, FLOAT64])
@pytest.mark.parametrize("dimension", [1, 512, 4096])
def test_gamma_is_highams_of_four_more_terms_with_room_for_a_hundredth(
    dimension: int, roundoff: float
) -> None:
    steps = (dimension + 4) * Fraction(roundoff)
    higham = steps / (1 - steps)
    assert gamma(dimension, roundoff) == pytest.approx(float(higham) * 1.01, rel=1e-12)


def test_gamma_is_infinite_where_half_of_a_sum_may_be_lost() -> None:
    assert gamma(4, 2.0**-4) == math.inf
    assert math.isfinite(gamma(3, 2.0**-4))


def side_of(seed: int, count: int) -> Side:
    rows = torch.from_numpy(normal(seed, count, 6).astype(np.float32))
    norms = torch.linalg.vector_norm(rows.double(), dim=1)
    return Side(rows, norms, torch.arange(count))


@pytest.mark.parametrize("sign", [-1, 1])
def test_bounds_lie_a_gamma_of_both_norms_from_the_score(sign: int) -> None:
    queries = side_of(0, 5)
    gallery = side_of(1, 4)
    exact = queries.rows.double() @ gallery.rows.double().T
    # Enlarged, since the bound itself is next to float64's last digit.
    reach = gamma(6, FLOAT64) * queries.norms[:, None] * gallery.norms
    distance = (tile_bounds(queries, gallery, sign) - exact) / reach
    assert (sign * distance).numpy() == pytest.approx(1, abs=0.8)
    q_index, g_index = torch.tensor([0, 4, 2]), torch.tensor([3, 0, 0])
    of_pairs = pair_bounds(_plain, queries, gallery, q_index, g_index, sign, 2)
    distance = (of_pairs - exact[q_index, g_index]) / reach[q_index, g_index]
    assert (sign * distance).numpy() == pytest.approx(1, abs=0.8)


def test_a_part_of_a_side_or_of_thresholds_is_that_of_each_field() -> None:
    part = side_of(0, 5)[1:3]
    assert len(part) == 2
    assert part.groups.tolist() == [1, 2]
    assert torch.equal(torch.linalg.vector_norm(part.rows.double(), dim=1), part.norms)
    limits = Thresholds(torch.arange(3), torch.arange(3, 6))[1:]
    assert (limits.low.tolist(), limits.high.tolist()) == ([1, 2], [4, 5])


def test_doubts_have_one_place_more_than_room() -> None:
    doubts = Doubts.make(7, torch.device("cpu"))
    assert doubts.room == 7
    assert tuple(doubts.pairs.shape) == (8, 2)
    assert doubts.pairs.dtype == torch.int32
    assert doubts.filled.tolist() == [0]


class AnyFilter:
    def against(self, *_: object, **__: object) -> None:
        """Errors, which nobody asks for here."""


class AnyProblem:
    def q_parts(self) -> list[slice]:
        return []


def trial() -> Trial:
    return Trial(cast(Any, AnyProblem()), cast(Any, AnyFilter()))


def test_a_filter_that_fails_three_times_more_than_it_succeeds_is_given_up() -> None:
    tried = trial()
    tried.note(successes=5, failures=2)
    assert not tried.is_given_up
    # Earlier successes are not saved up, and one makes up for one failure.
    tried.note(successes=1, failures=1)
    assert not tried.is_given_up
    tried.note(successes=0, failures=1)
    assert tried.is_given_up


def test_the_last_filter_is_tried_even_if_it_fails() -> None:
    trials = [trial() for _ in range(3)]
    for tried in (trials[0], trials[2]):
        tried.note(successes=0, failures=9)
    assert list(worth_trying(trials)) == trials[1:]
