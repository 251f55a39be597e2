from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.retrieval.curve import (
    area_under_curve,
    half_level,
    least_squares_slope,
    retention,
)

LEVELS = [0.0, 0.1, 0.2, 0.4]


def test_retention_divides_by_the_clean_value() -> None:
    assert retention([0.5, 0.5, 0.25]) == [1.0, 1.0, 0.5]


@given(st.floats(0, 1))
def test_the_area_of_a_constant_is_the_constant(value: float) -> None:
    assert area_under_curve(LEVELS, [value] * 4) == pytest.approx(value)


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_a_straight_line_has_its_slope_and_its_middle(
    slope: float, offset: float
) -> None:
    values = [offset + slope * level for level in LEVELS]
    assert least_squares_slope(LEVELS, values) == pytest.approx(slope, abs=1e-9)
    assert area_under_curve(LEVELS, values) == pytest.approx(
        offset + slope * 0.2, abs=1e-9
    )


def test_slope_is_least_squares_on_uneven_levels() -> None:
    assert least_squares_slope([0, 1, 3], [0, 3, 0]) == pytest.approx(-3 / 14)


def test_half_level_is_interpolated() -> None:
    assert half_level(LEVELS, [0.8, 0.6, 0.2, 0.1]) == pytest.approx(0.15)


def test_half_level_is_the_first_crossing_and_may_be_a_level() -> None:
    assert half_level(LEVELS, [0.8, 0.4, 0.7, 0.1]) == pytest.approx(0.1)


@pytest.mark.parametrize("values", [[0.8, 0.7, 0.6, 0.5], [0.0, 0.0, 0.0, 0.0]])
def test_half_level_not_reached_is_none(values: list[float]) -> None:
    assert half_level(LEVELS, values) is None


def test_one_level_has_no_half_level() -> None:
    assert half_level([0.0], [0.8]) is None


def test_misuse_is_an_error() -> None:
    with pytest.raises(ValueError, match="above 0"):
        retention([0.0, 0.0])
    with pytest.raises(ValueError, match="at least 2"):
        area_under_curve([0.0], [1.0])
    with pytest.raises(ValueError, match="rising"):
        least_squares_slope([0.0, 0.2, 0.1], [1, 1, 1])


def test_curves_load_no_numpy() -> None:
    code = "import sys, pytest_retrieval_robust.retrieval.curve; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
