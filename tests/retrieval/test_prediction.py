"""What a share of hits may be in another sample, beside exact binomial probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_retrieval_robust.retrieval.intervals import normal_quantile, proportion
from pytest_retrieval_robust.retrieval.prediction import (
    effective_queries,
    least_predicted_share,
)

SHARES = st.floats(0, 1)
QUERIES = st.integers(20, 5000)
DEVIATES = st.floats(1, 5)


def rate_below(queries: int, truth: float, deviate: float) -> float:
    """The exact probability that a second sample falls below the limit of a first one."""
    hits = np.arange(queries + 1)
    limits = [
        least_predicted_share(count / queries, queries, deviate) for count in hits
    ]
    most_below = np.ceil(np.array(limits) * queries - 1e-9) - 1
    first = stats.binom.pmf(hits, queries, truth)
    return float(first @ stats.binom.cdf(most_below, queries, truth))


@pytest.mark.parametrize("queries", [100, 500, 2000])
@pytest.mark.parametrize("risk", [0.05, 0.05 / 20, 0.05 / 200])
@pytest.mark.parametrize("truth", [0.1, 0.5, 0.9, 0.98])
def test_a_second_sample_falls_below_as_rarely_as_asked(
    queries: int, risk: float, truth: float
) -> None:
    """A fifth more often at worst, because hits are whole; floors are rounded down."""
    assert rate_below(queries, truth, normal_quantile(1 - risk)) < 1.2 * risk


@pytest.mark.parametrize("truth", [0.3, 0.5, 0.8])
def test_the_limit_is_no_lower_than_it_must_be(truth: float) -> None:
    deviate = normal_quantile(1 - 0.0025)
    assert rate_below(2000, truth, deviate) > 0.9 * 0.0025


@given(SHARES, QUERIES, DEVIATES)
def test_the_limit_solves_the_published_equation(
    share: float, queries: int, deviate: float
) -> None:
    least = least_predicted_share(share, queries, deviate)
    assert 0 <= least <= share
    mean = (share + least) / 2
    spread = deviate**2 * mean * (1 - mean) * 2 / queries
    # Where it would be negative it is 0, and the equation has no root there.
    if least > 0:
        assert (share - least) ** 2 == pytest.approx(spread, abs=1e-9)


@given(st.floats(0.01, 1), QUERIES, DEVIATES, st.floats(1, 10))
def test_the_effective_number_of_queries_is_read_from_a_bound(
    share: float, queries: int, deviate: float, effect: float
) -> None:
    confidence = stats.norm.cdf(deviate)
    estimate = proportion(share, queries, confidence, effect)
    effective = effective_queries(estimate, deviate)
    assert effective == pytest.approx(queries / effect, rel=1e-4)


def test_a_share_of_nothing_has_no_effective_number() -> None:
    assert effective_queries(proportion(0.0, 100, 0.95), 1.645) is None


@pytest.mark.parametrize("wrong", [(-0.1, 10, 1), (1.1, 10, 1), (0.5, 0, 1), (1, 9, 0)])
def test_what_is_no_share_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="share="):
        least_predicted_share(*wrong)
