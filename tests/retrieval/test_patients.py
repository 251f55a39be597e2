"""Degrees of freedom beside the definition, written out in matrices."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from pytest_retrieval_robust.retrieval.bootstrap import Clusters, design_effect
from pytest_retrieval_robust.retrieval.patients import (
    FEWEST_DEGREES,
    WORKING_CORRELATION,
    PatientSizes,
    are_too_few,
    patients_needed,
)

SIZES = st.lists(st.integers(1, 9), min_size=2, max_size=9)


def sizes_of(sizes: list[int]) -> PatientSizes:
    return PatientSizes(np.array(sizes, dtype=np.int64))


def adjusted_residuals(sizes: list[int]) -> NDArray[np.float64]:
    """(C, N) what CR2 squares of each patient: sums of residuals of the mean, adjusted by
    the inverse root of their own block of I - H.
    """
    n = sum(sizes)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    hat = np.full((n, n), 1 / n)
    residuals = np.eye(n) - hat
    rows = []
    for patient, size in enumerate(sizes):
        own = np.flatnonzero(labels == patient)
        values, vectors = np.linalg.eigh(residuals[np.ix_(own, own)])
        adjusted = vectors @ np.diag(values**-0.5) @ vectors.T
        rows.append(np.ones(size) @ adjusted @ residuals[own] / n)
    return np.array(rows)


def working_covariance(sizes: list[int]) -> NDArray[np.float64]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    is_same = labels[:, None] == labels[None, :]
    return np.where(is_same, WORKING_CORRELATION, 0.0) + np.eye(sum(sizes)) * (
        1 - WORKING_CORRELATION
    )


@given(SIZES)
@settings(deadline=None, max_examples=40)
def test_the_degrees_of_freedom_are_those_of_bell_and_mccaffrey(
    sizes: list[int],
) -> None:
    assume(max(sizes) > 1)
    rows = adjusted_residuals(sizes)
    weights = np.linalg.eigvalsh(rows @ working_covariance(sizes) @ rows.T)
    expected = weights.sum() ** 2 / (weights @ weights)
    assert sizes_of(sizes).degrees_of_freedom == pytest.approx(expected, rel=1e-9)


@given(SIZES, st.data())
@settings(deadline=None, max_examples=40)
def test_the_design_effect_is_the_cr2_variance_over_that_of_single_queries(
    sizes: list[int], data: st.DataObject
) -> None:
    assume(max(sizes) > 1)
    n = sum(sizes)
    hits = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    values = np.array(hits, dtype=np.float64)
    clusters = Clusters.of(np.repeat(np.arange(len(sizes)), sizes))
    effect = design_effect(values, clusters)
    if values.std() == 0:
        assert effect == pytest.approx(sum(m * m for m in sizes) / n)
        return
    variance = float(np.sum((adjusted_residuals(sizes) @ values) ** 2))
    assert effect == pytest.approx(max(1.0, variance / (values.var() / n)))


@given(SIZES)
@settings(deadline=None)
def test_resamples_are_expanded_to_the_cr2_variance(sizes: list[int]) -> None:
    assume(max(sizes) > 1)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    is_own = (labels == np.arange(len(sizes))[:, None]).astype(float)
    # Resamples vary as the sums of residuals do that nothing adjusts.
    plain = is_own @ (np.eye(len(labels)) - 1 / len(labels)) / len(labels)
    covariance = working_covariance(sizes)
    variances = [
        np.trace(rows @ covariance @ rows.T)
        for rows in (adjusted_residuals(sizes), plain)
    ]
    expected = math.sqrt(variances[0] / variances[1])
    assert sizes_of(sizes).expansion == pytest.approx(expected)


@pytest.mark.parametrize("patients", [2, 20, 137])
def test_patients_of_one_size_have_one_degree_of_freedom_fewer(patients: int) -> None:
    sizes = sizes_of([4] * patients)
    assert sizes.degrees_of_freedom == patients - 1
    assert sizes.expansion == math.sqrt(patients / (patients - 1))
    deviate = stats.t.ppf(0.95, patients - 1) * math.sqrt(patients / (patients - 1))
    assert sizes.tail_share(0.05) == pytest.approx(stats.norm.sf(deviate), rel=1e-8)


@given(st.integers(1, 300), st.floats(0.0005, 0.3))
def test_queries_without_a_repeated_patient_are_independent(
    queries: int, share: float
) -> None:
    sizes = sizes_of([1] * queries)
    assert math.isinf(sizes.degrees_of_freedom)
    assert sizes.expansion == 1
    assert sizes.tail_share(share) == share


def test_unequal_patients_are_worth_fewer() -> None:
    equal = sizes_of([10] * 20)
    unequal = sizes_of([100] + [10] * 10 + [0 + 1] * 9)
    assert unequal.degrees_of_freedom < 4 < equal.degrees_of_freedom
    assert unequal.largest_effect > equal.largest_effect == 10
    assert patients_needed(20, equal.degrees_of_freedom) == 6
    degrees = unequal.degrees_of_freedom
    assert are_too_few(degrees)
    needed = patients_needed(20, degrees)
    assert needed == math.ceil(20 * FEWEST_DEGREES / degrees)
    # "About": so many patients of these sizes have nearly enough.
    many = PatientSizes(np.tile(unequal.sizes, math.ceil(needed / 20)))
    assert many.degrees_of_freedom > 0.9 * FEWEST_DEGREES


def test_a_single_patient_has_no_bound() -> None:
    one = sizes_of([7])
    assert one.degrees_of_freedom == 0
    assert NormalDist().inv_cdf(one.tail_share(0.05)) < -30
    assert patients_needed(1, one.degrees_of_freedom) == 6


def test_few_unequal_patients_need_as_many_more_as_their_degrees_are_fewer() -> None:
    assert patients_needed(3, 1.5) == 10
    # Of one size, they have one degree fewer than patients.
    assert patients_needed(3, 2.0) == 6


def test_no_patients_are_not_of_one_size() -> None:
    nobody = sizes_of([])
    assert not nobody.are_equal
    assert nobody.are_alone
