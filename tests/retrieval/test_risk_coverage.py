"""Areas under risk-coverage curves, against loops over orders."""

from __future__ import annotations

from itertools import permutations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.retrieval.risk_coverage import (
    least_risk_coverage_area,
    risk_coverage_area,
)

ANSWERS = st.lists(
    st.tuples(st.sampled_from((0.1, 0.2, 0.3, 0.4)), st.booleans()),
    min_size=1,
    max_size=6,
)


def naive_area(confidence: list[float], is_wrong: list[bool]) -> float:
    """The mean over every order that confidence allows."""
    areas = []
    for order in permutations(range(len(confidence))):
        ordered = [confidence[place] for place in order]
        if ordered != sorted(confidence, reverse=True):
            continue
        wrong = 0
        risks = []
        for answered, place in enumerate(order, 1):
            wrong += is_wrong[place]
            risks.append(wrong / answered)
        areas.append(fmean(risks))
    return fmean(areas)


@given(ANSWERS)
def test_it_is_the_mean_over_all_orders_that_confidence_allows(
    answers: list[tuple[float, bool]],
) -> None:
    confidence = [each for each, _ in answers]
    is_wrong = [wrong for _, wrong in answers]
    area = risk_coverage_area(np.array(confidence), np.array(is_wrong))
    assert area == pytest.approx(naive_area(confidence, is_wrong), abs=1e-12)


@given(ANSWERS)
def test_no_confidence_does_better_than_the_least(
    answers: list[tuple[float, bool]],
) -> None:
    is_wrong = np.array([wrong for _, wrong in answers])
    confidence = np.array([each for each, _ in answers])
    least = least_risk_coverage_area(int(is_wrong.sum()), len(is_wrong))
    assert risk_coverage_area(confidence, is_wrong) >= least - 1e-12
    right_first = -np.argsort(np.argsort(is_wrong)).astype(np.float64)
    assert risk_coverage_area(right_first, is_wrong) == pytest.approx(least, abs=1e-12)


@given(st.integers(1, 30), st.data())
def test_equal_confidence_leaves_the_share_of_wrong_answers(
    queries: int, data: st.DataObject
) -> None:
    is_wrong = np.array(
        data.draw(st.lists(st.booleans(), min_size=queries, max_size=queries))
    )
    area = risk_coverage_area(np.ones(queries), is_wrong)
    assert area == pytest.approx(is_wrong.mean(), abs=1e-12)
    assert 0 <= area <= 1
