"""How far several numbers fall together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_retrieval_robust.gate.suggest.shared_risk import (
    deviate_of_one,
    shared_deviate,
)

RISK = 0.05


def columns(
    count: int, common: float
) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Normal columns of different scales whose correlation is `common`."""
    rng = np.random.default_rng(5)
    shared = rng.standard_normal(10_000)
    alone = rng.standard_normal((count, 10_000))
    values = np.sqrt(common) * shared + np.sqrt(1 - common) * alone
    return list(values * np.linspace(0.01, 3, count)[:, None])


@pytest.mark.parametrize("count", [1, 10, 60])
def test_numbers_with_nothing_in_common_share_as_sidak_says(count: int) -> None:
    expected = stats.norm.isf(1 - (1 - RISK) ** (1 / count))
    assert shared_deviate(columns(count, 0.0), RISK) == pytest.approx(
        expected, abs=0.06
    )


def test_numbers_that_fall_together_do_not_pay_for_each_other() -> None:
    alone = stats.norm.isf(RISK)
    assert shared_deviate(columns(60, 1.0), RISK) == pytest.approx(alone, abs=0.05)
    assert alone < shared_deviate(columns(60, 0.8), RISK) < deviate_of_one(RISK, 60)


def test_the_falls_of_correlated_numbers_are_those_of_their_distribution() -> None:
    """The largest of three normal variables with a correlation of a half."""
    covariance = np.full((3, 3), 0.5) + np.eye(3) / 2
    deviate = shared_deviate(columns(3, 0.5), RISK)
    exact = stats.multivariate_normal.cdf([deviate] * 3, cov=covariance)
    assert exact == pytest.approx(1 - RISK, abs=0.01)


def test_a_risk_beyond_the_resamples_is_divided_by_the_gates() -> None:
    assert shared_deviate(columns(10, 0.9), 0.001) == deviate_of_one(0.001, 10)


def test_what_never_varies_is_no_burden() -> None:
    constant = np.ones(10_000)
    assert shared_deviate([constant, constant], RISK) == deviate_of_one(RISK, 1)
