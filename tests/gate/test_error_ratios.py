"""Corruption errors beside a baseline, against loops over queries, cells and resamples."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.gate.error_ratios import PairedErrors
from pytest_retrieval_robust.gate.error_statistic import ErrorStatistic
from pytest_retrieval_robust.gate.paired_hits import PairedHits
from pytest_retrieval_robust.retrieval.bootstrap import Clusters

MEAN, RELATIVE, WORST = (
    ErrorStatistic.MEAN,
    ErrorStatistic.RELATIVE,
    ErrorStatistic.WORST,
)
Hits = NDArray[np.float64]


def hits(shares: list[float], queries: int, seed: int) -> Hits:
    """(N, L) of which about these shares are hit."""
    draws = np.random.default_rng(seed).random((queries, len(shares)))
    return (draws < np.array(shares)).astype(np.float64)


def errors_of(
    candidate: list[Hits], baseline: list[Hits], patients: int | None = None
) -> PairedErrors:
    """The first of each list is with nothing done."""
    queries = len(candidate[0])
    labels = np.arange(queries) % (patients or queries)
    clusters = Clusters.of(labels)
    pairs = [
        PairedHits(own, other, clusters)
        for own, other in zip(candidate, baseline, strict=True)
    ]
    return PairedErrors.of(pairs[0], pairs[1:])


def naive_errors(cells: Hits) -> float:
    """The error over all cells of one perturbation: the sum over severities, in parts."""
    return fmean(1 - fmean(column) for column in cells.T.tolist())


def naive(candidate: list[Hits], baseline: list[Hits]) -> dict[str, float]:
    own = [naive_errors(cells) for cells in candidate]
    other = [naive_errors(cells) for cells in baseline]
    ratios = [mine / theirs for mine, theirs in zip(own[1:], other[1:], strict=True)]
    relative = [
        (mine - own[0]) / (theirs - other[0])
        for mine, theirs in zip(own[1:], other[1:], strict=True)
    ]
    return {"mce": fmean(ratios), "relative_mce": fmean(relative), "worst": max(ratios)}


def three(seed: int, queries: int = 80) -> list[Hits]:
    """With nothing done, and under two perturbations at three and two severities."""
    return [
        hits([0.95], queries, seed),
        hits([0.8, 0.6, 0.4], queries, seed + 1),
        hits([0.7, 0.3], queries, seed + 2),
    ]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_values_are_those_of_a_loop(seed: int) -> None:
    candidate = three(seed)
    baseline = three(seed + 50_000)
    expected = naive(candidate, baseline)
    errors = errors_of(candidate, baseline)
    assert errors.value(MEAN) == pytest.approx(expected["mce"], abs=1e-12)
    assert errors.value(RELATIVE) == pytest.approx(expected["relative_mce"], abs=1e-9)
    assert errors.value(WORST) == pytest.approx(expected["worst"], abs=1e-12)


def test_bounds_are_those_of_a_bootstrap_over_patients() -> None:
    candidate = three(1, 300)
    baseline = three(2, 300)
    found = errors_of(candidate, baseline, patients=100).summary(MEAN, 0.95)
    rng = np.random.default_rng(0)
    values = []
    for _ in range(1_000):
        drawn = rng.integers(0, 100, 100)
        rows = np.concatenate([np.arange(patient, 300, 100) for patient in drawn])
        values.append(
            naive(
                [each[rows] for each in candidate], [each[rows] for each in baseline]
            )["mce"]
        )
    low, high = np.quantile(values, [0.05, 0.95])
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)
    assert found.low < found.value < found.high


def test_pairing_tells_more_than_two_runs_apart() -> None:
    baseline = three(1, 400)
    # The candidate misses ten more queries, and is the same otherwise.
    candidate = [each.copy() for each in baseline]
    for each in candidate[1:]:
        each[:10] = 0.0
    paired = errors_of(candidate, baseline).summary(MEAN, 0.95)
    apart = errors_of(three(7, 400), baseline).summary(MEAN, 0.95)
    assert 1.0 < paired.low < paired.value < paired.high
    assert paired.high - paired.low < (apart.high - apart.low) / 2


def test_two_runs_that_are_the_same_have_bounds_of_some_width() -> None:
    baseline = three(1, 40)
    for statistic in ErrorStatistic:
        ratio = errors_of(baseline, baseline).summary(statistic, 0.95)
        assert ratio.value == 1.0
        assert ratio.low < 1.0 < ratio.high


def test_a_baseline_without_errors_divides_nothing() -> None:
    candidate = three(1)
    baseline = [each.copy() for each in three(2)]
    baseline[2][:] = 1.0
    errors = errors_of(candidate, baseline)
    assert errors.undefined(MEAN) == [1]
    assert errors.undefined(RELATIVE) == [1]
    assert not errors.summary(MEAN, 0.95).is_defined
    first, second = errors.error_ratios(MEAN)
    assert first.is_defined
    assert math.isnan(second.value)


def test_a_baseline_that_loses_nothing_has_no_relative_form() -> None:
    baseline = three(2)
    baseline[1] = np.repeat(baseline[0], 3, axis=1)
    errors = errors_of(three(1), baseline)
    assert errors.undefined(RELATIVE) == [0]
    assert errors.undefined(MEAN) == []


def test_a_divisor_that_may_be_nothing_leaves_bounds_open() -> None:
    """One error of 60: many a sample has none."""
    candidate = [hits([0.9], 60, 0), hits([0.5], 60, 1)]
    baseline = [np.ones((60, 1)), np.ones((60, 1))]
    baseline[1][0] = 0.0
    ratio = errors_of(candidate, baseline).summary(RELATIVE, 0.95)
    assert ratio.is_defined
    assert ratio.high == math.inf or ratio.high > 100


def equally_good(rng: np.random.Generator, queries: int, perturbations: int) -> Hits:
    """(N, 1 + P) errors of one of two runs that are as good as each other."""
    under = rng.random((queries, perturbations, 5)) < 0.2
    clean = np.arange(queries)[:, None] < queries / 50
    return np.column_stack([clean.astype(np.float64), under.mean(axis=2)])


def test_the_highest_of_equal_errors_is_rarely_taken_for_more() -> None:
    """The highest of ten noisy ratios is above 1 by itself, and so is all of its bootstrap."""
    rng = np.random.default_rng(0)
    clusters = Clusters.of(np.arange(200))
    trials = 60
    false_alarms = misses = above = 0
    for _ in range(trials):
        errors = PairedErrors(
            equally_good(rng, 200, 10), equally_good(rng, 200, 10), clusters
        )
        found = errors.summary(WORST, 0.95)
        above += found.value > 1
        false_alarms += found.low > 1
        misses += found.high < 1
    assert above == trials
    # Of 60 at an error of 0.05, more than 8 are as good as impossible.
    assert false_alarms <= 8
    assert misses <= 8


def test_the_highest_error_is_seen_where_one_perturbation_is_worse() -> None:
    rng = np.random.default_rng(1)
    candidate = equally_good(rng, 400, 10)
    candidate[:, 4] = np.minimum(1.0, candidate[:, 4] + 0.2)
    errors = PairedErrors(
        candidate, equally_good(rng, 400, 10), Clusters.of(np.arange(400))
    )
    found = errors.summary(WORST, 0.95)
    assert 1.3 < found.low < found.value < found.high
