from __future__ import annotations

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_retrieval_robust.retrieval import student
from pytest_retrieval_robust.retrieval.student import (
    effect_at,
    student_quantile,
    student_upper_tail,
)

DEGREES = [0.4, 1.0, 2.1, 3.7, 19.0, 199.0, 4321.5, 1e6]
PROBABILITIES = [1e-9, 0.002, 0.05, 0.3, 0.8, 0.95, 0.975, 1 - 1e-6]


@pytest.mark.parametrize("df", DEGREES)
def test_the_quantile_is_that_of_scipy(df: float) -> None:
    for probability in PROBABILITIES:
        assert student_quantile(probability, df) == pytest.approx(
            stats.t.ppf(probability, df), rel=1e-9
        )


@given(st.floats(0.1, 1e6), st.floats(-30, 30))
def test_the_tail_is_that_of_scipy(df: float, deviate: float) -> None:
    assert student_upper_tail(deviate, df) == pytest.approx(
        float(stats.t.sf(deviate, df)), rel=1e-8
    )


@given(st.floats(0.001, 0.999))
def test_infinitely_many_degrees_of_freedom_are_the_normal_deviate(p: float) -> None:
    assert student_quantile(p, math.inf) == NormalDist().inv_cdf(p)


def test_nothing_is_known_without_degrees_of_freedom() -> None:
    with pytest.raises(ValueError, match=r"df=0\.0"):
        student_quantile(0.95, 0.0)
    with pytest.raises(ValueError, match=r"probability=1\.0"):
        student_quantile(1.0, 3.0)
    assert effect_at(2.0, 0.0, 100, 0.95) == math.inf


@given(st.floats(1, 9), st.floats(0.5, 300), st.integers(2, 5000))
def test_a_design_effect_grows_by_how_much_further_student_reaches(
    effect: float, df: float, queries: int
) -> None:
    reach = stats.t.ppf(0.95, df) / stats.t.ppf(0.95, queries - 1)
    expected = effect * max(1.0, reach) ** 2
    assert effect_at(effect, df, queries, 0.95) == pytest.approx(expected, rel=1e-8)
    assert effect_at(effect, math.inf, queries, 0.95) == effect


@pytest.mark.parametrize("df", [0.4, 3.0, 1e6, math.inf])
def test_half_lies_above_0_and_nothing_beyond_all_numbers(df: float) -> None:
    assert student_upper_tail(0.0, df) == 0.5
    assert student_upper_tail(1e200, df) == 0
    assert student_upper_tail(-1e200, df) == 1


def test_two_queries_are_the_fewest_that_say_anything() -> None:
    assert effect_at(2.0, 3.0, 1, 0.95) == math.inf
    # Student's deviate with one degree of freedom reaches further than with three.
    assert effect_at(2.0, 3.0, 2, 0.95) == 2.0


@pytest.mark.parametrize(
    ("probability", "df", "most"),
    [(0.95, 19.0, 5), (0.975, 2.1, 9), (1e-9, 3.7, 30), (1e-9, 0.4, 50)],
)
def test_a_quantile_takes_few_steps(
    monkeypatch: pytest.MonkeyPatch, probability: float, df: float, most: int
) -> None:
    """Steps that are too short, or that never end, find the same number."""
    tails = []

    def noted(deviate: float, degrees: float) -> float:
        tails.append(deviate)
        return student_upper_tail(deviate, degrees)

    monkeypatch.setattr(student, "student_upper_tail", noted)
    student_quantile.cache_clear()
    student_quantile(probability, df)
    assert len(tails) <= most
