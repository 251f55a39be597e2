"""Floors from estimates: how far below, and with how many digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.gate.suggest.least import (
    confidence_at,
    floor_of_curve,
    floor_of_half_level,
    floor_of_share,
    rounded_down,
    rounded_up,
)
from pytest_retrieval_robust.retrieval.curve import half_level
from pytest_retrieval_robust.retrieval.intervals import Estimate, proportion
from pytest_retrieval_robust.retrieval.patients import PatientSizes

LEVELS = (0.0, 0.2, 0.4)
ALONE = PatientSizes(np.ones(500, dtype=np.int64))


@given(st.floats(0, 1), st.floats(0, 1))
def test_rounding_moves_a_limit_to_the_safe_side(limit: float, reach: float) -> None:
    down = rounded_down(limit, reach)
    up = rounded_up(limit, reach)
    assert down <= limit <= up
    assert up - down <= max(0.0101, reach / 2)
    assert len(f"{down!r}".partition(".")[2]) <= 3


@given(st.integers(1, 300), st.floats(1.7, 4))
def test_a_floor_by_bound_is_met_by_the_lower_bound_of_what_meets_one_by_point(
    hits: int, deviate: float
) -> None:
    estimate = proportion(hits / 300, 300, confidence_at(deviate))
    point = floor_of_share(estimate, deviate, "point", 0.95)
    bound = floor_of_share(estimate, deviate, "bound", 0.95)
    assert point is not None
    assert bound is not None
    assert bound <= proportion(point + 0.01, 300, 0.95).low
    assert bound <= point <= estimate.value


def test_a_floor_of_a_curve_lies_further_below_than_its_bound() -> None:
    far = Estimate(0.6, 0.5, 0.7, 0.04, 500)
    near = Estimate(0.6, 0.55, 0.65, 0.04, 500)
    assert floor_of_curve(far, near, "point", 0.95) == 0.45  # 0.6 - 0.1 * sqrt(2), down
    # The bound lies 0.05 further away, and a little more below 0.5 than at 0.6.
    assert floor_of_curve(far, near, "bound", 0.95) == 0.4
    near_all = (
        Estimate(0.95, 0.93, 0.97, 0.01, 500),
        Estimate(0.95, 0.93, 0.97, 0.01, 500),
    )
    assert floor_of_curve(*near_all, "point", 0.95) == 0.921
    by_bound = floor_of_curve(*near_all, "bound", 0.95)
    assert by_bound is not None
    assert by_bound < 0.921 - 0.02 * 1.2


def test_a_curve_without_bounds_has_no_floor() -> None:
    unknown = Estimate(0.6, -np.inf, np.inf, np.inf, 500)
    assert floor_of_curve(unknown, unknown, "point", 0.95) is None


def resamples(
    values: tuple[float, ...], spread: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rng = np.random.default_rng(1)
    return np.array(values) + spread * rng.standard_normal((4000, len(values)))


def test_the_floor_of_a_half_level_is_as_low_as_lower_curves_have_it() -> None:
    """Beside the half levels of curves that are drawn around the observed one twice."""
    values = (0.9, 0.6, 0.2)
    recalls = resamples(values, 0.02)
    floor = floor_of_half_level(
        LEVELS, np.array([values]), recalls, ALONE, 1.645, "point", 0.95
    )
    again = recalls + recalls[::-1] - np.array(values)
    drawn = [half_level(LEVELS, row.tolist()) or 0.4 for row in again]
    assert floor == pytest.approx(np.quantile(drawn, 0.05), abs=0.005)


def test_a_half_level_beyond_the_levels_has_the_last_one_as_its_floor() -> None:
    values = (0.9, 0.88, 0.86)
    arguments = (LEVELS, np.array([values]), resamples(values, 0.02), ALONE, 1.645)
    assert floor_of_half_level(*arguments, "point", 0.95) == 0.4


def test_a_model_that_may_find_nothing_has_no_half_level() -> None:
    values = (0.02, 0.01, 0.01)
    arguments = (LEVELS, np.array([values]), resamples(values, 0.02), ALONE, 3.0)
    assert floor_of_half_level(*arguments, "point", 0.95) is None
