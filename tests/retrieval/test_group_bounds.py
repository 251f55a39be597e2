"""Bounds of recall by group: beside naive loops, published tables and simulated truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm, t

from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.group_bounds import (
    GroupRecalls,
    Members,
    recall_bounds,
    retention_bounds,
)

Floats = NDArray[np.float64]


def members(codes: list[int], patients: list[int]) -> list[Members]:
    """One for each code that occurs, in rising order."""
    every = Clusters.of(np.array(patients))
    return [
        Members(np.flatnonzero(np.array(codes) == code), every)
        for code in sorted(set(codes))
    ]


def wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """As it is written in textbooks."""
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - reach, centre + reach


@pytest.mark.parametrize("error", [0.05, 0.025, 0.005])
def test_bounds_of_independent_queries_are_wilsons_with_students_deviate(
    error: float,
) -> None:
    hits = np.array([1.0] * 18 + [0.0] * 7 + [1.0] * 100)
    [group, _] = members([0] * 25 + [1] * 100, list(range(125)))
    # With n / widening queries the normal deviate reaches as far as Student's with n.
    widening = t.isf(error, 24) / norm.isf(error)
    expected = wilson(18 / 25, 25 / widening**2, norm.isf(error))
    assert recall_bounds(hits, group, error) == pytest.approx(expected, abs=1e-9)


def test_a_group_of_one_patient_says_nothing() -> None:
    hits = np.ones(30)
    [first, _] = members([0] * 10 + [1] * 20, [7] * 10 + list(range(10, 30)))
    assert recall_bounds(hits, first, 0.05) == (0.0, 1.0)
    assert retention_bounds(hits, hits, first, 0.05) == (0.0, math.inf)


def test_two_patients_bound_a_retention_where_the_error_is_large() -> None:
    [group] = members([0] * 20, [0] * 10 + [1] * 10)
    hidden = np.array([1.0] * 9 + [0.0] + [1.0] * 9 + [0.0])
    low, high = retention_bounds(np.ones(20), hidden, group, 0.4)
    assert 0 < low < 0.9 < high < math.inf


def test_a_group_that_finds_nothing_keeps_nothing_for_certain() -> None:
    [group] = members([0] * 20, list(range(20)))
    nothing = np.zeros(20)
    low, high = retention_bounds(nothing, nothing, group, 0.49)
    assert low == 0 < high < math.inf


def naive_correlation(
    hits: Floats, a: Members, b: Members, patients: list[int]
) -> float:
    """Of the errors of two recalls, patient by patient."""
    sums = []
    for group in (a, b):
        rows = [int(row) for row in group.rows]
        mean = sum(hits[row] for row in rows) / len(rows)
        sums.append(
            {
                patient: sum(
                    float(hits[row]) - mean for row in rows if patients[row] == patient
                )
                for patient in set(patients)
            }
        )
    product = sum(sums[0][patient] * sums[1][patient] for patient in set(patients))
    lengths = [math.sqrt(sum(value**2 for value in each.values())) for each in sums]
    return float(product / math.prod(lengths)) if all(lengths) else 0.0


@settings(max_examples=25)
@given(
    queries=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 15), st.booleans()),
        min_size=40,
        max_size=60,
    )
)
def test_a_gap_is_bounded_as_by_a_loop_over_pairs_and_patients(
    queries: list[tuple[int, int, bool]],
) -> None:
    codes, patients, are_hit = map(list, zip(*queries, strict=True))
    hits = np.array(are_hit, dtype=np.float64)
    groups = members(codes, patients)
    recalls = GroupRecalls(hits, groups)
    low, high = recalls.gap_bounds(0.05)
    for i, a in enumerate(groups):
        for j, b in enumerate(groups):
            if i == j:
                continue
            p, q = (float(hits[group.rows].mean()) for group in (a, b))
            (p_low, p_high), (q_low, q_high) = (
                recall_bounds(hits, group, 0.05) for group in (a, b)
            )
            r = naive_correlation(hits, a, b, patients)

            def reach(one: float, other: float, r: float = r) -> float:
                return math.sqrt(max(0, one**2 + other**2 - 2 * r * one * other))

            assert low[i, j] == pytest.approx(p - q - reach(p - p_low, q_high - q))
            assert high[i, j] == pytest.approx(p - q + reach(p_high - p, q - q_low))
    # What is above seen from one side is below seen from the other.
    np.testing.assert_allclose(low, -high.T, atol=1e-12)


def test_a_gap_of_large_groups_is_bounded_as_newcombe_has_it() -> None:
    """56/70 against 48/80: 0.0524 to 0.3339 (R. G. Newcombe 1998, table II, method 10).

    His deviates are normal, ours Student's with 69 and 79 degrees of freedom.
    """
    hits = np.array([1.0] * 56 + [0.0] * 14 + [1.0] * 48 + [0.0] * 32)
    groups = members([0] * 70 + [1] * 80, list(range(150)))
    low, high = GroupRecalls(hits, groups).gap_bounds(0.025)
    assert (low[0, 1], high[0, 1]) == pytest.approx((0.0524, 0.3339), abs=0.005)
    assert low[0, 1] < 0.0524
    assert high[0, 1] > 0.3339


def test_patients_of_both_groups_narrow_a_gap() -> None:
    rng = np.random.default_rng(0)
    able = rng.random(200)
    hits = np.concatenate([able < 0.7, able < 0.6]).astype(np.float64)
    apart = members([0] * 200 + [1] * 200, list(range(400)))
    shared = members([0] * 200 + [1] * 200, [*range(200), *range(200)])
    widths = []
    for groups in (apart, shared):
        low, high = GroupRecalls(hits, groups).gap_bounds(0.05)
        widths.append(float(high[0, 1] - low[0, 1]))
    assert widths[1] < 0.7 * widths[0]


@given(
    sizes=st.lists(st.integers(1, 4), min_size=8, max_size=20),
    seed=st.integers(0, 1000),
    error=st.sampled_from([0.05, 0.01]),
)
def test_retention_is_bounded_where_fiellers_test_does_not_reject(
    sizes: list[int], seed: int, error: float
) -> None:
    """The quadratic beside the test that it solves, at both ends and between."""
    rng = np.random.default_rng(seed)
    patients = [number for number, size in enumerate(sizes) for _ in range(size)]
    clean = (rng.random(len(patients)) < 0.9).astype(np.float64)
    hidden = (rng.random(len(patients)) < 0.5).astype(np.float64)
    [group] = members([0] * len(patients), patients)
    low, high = retention_bounds(clean, hidden, group, error)
    observed = hidden.sum() / clean.sum() if clean.any() else 0.0
    assert 0 <= low <= observed <= high
    usual = len(patients) / len(sizes)
    rows = [
        (clean[place].sum(), hidden[place].sum(), float(size))
        for number, size in enumerate(sizes)
        for place in [np.array(patients) == number]
    ]
    rows += [(usual, 0.0, usual), (0.0, usual, usual)]
    deviate = t.isf(error, group.degrees_of_freedom)

    def distance(ratio: float) -> float:
        """In standard errors, from a loop over patients."""
        total = sum(size for _, _, size in rows)
        mean = sum(after - ratio * before for before, after, _ in rows) / total
        square = sum(
            ((after - ratio * before) - size * mean) ** 2
            for before, after, size in rows
        )
        count = len(rows)
        return float(abs(mean) / (math.sqrt(square * count / (count - 1)) / total))

    for end in (low, high):
        if math.isfinite(end) and end > 0 and end != observed:
            assert distance(end) == pytest.approx(deviate, rel=1e-6)


def made_groups(
    rng: np.random.Generator, patients: int, studies: float, groups: int, shared: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The group and the patient of each query; groups share patients if asked to."""
    sizes = 1 + rng.poisson(studies - 1, patients)
    patient = np.repeat(np.arange(patients), sizes)
    weights = 1 / np.arange(1.0, groups + 1)
    weights /= weights.sum()
    if shared:
        codes = rng.choice(groups, len(patient), p=weights)
    else:
        codes = np.repeat(rng.choice(groups, patients, p=weights), sizes)
    return codes, patient


def simulated(
    rng: np.random.Generator,
    codes: NDArray[np.int64],
    patient: NDArray[np.int64],
    recalls: Sequence[NDArray[np.floating[Any]]],
) -> tuple[Floats, Floats]:
    """Hits with nothing hidden and with something, at the recalls of each group."""
    # Queries of a patient are alike: a part of what decides a hit is theirs.
    own = math.sqrt(0.3) * rng.standard_normal(patient.max() + 1)[patient]
    able = own + math.sqrt(0.7) * rng.standard_normal(len(patient))
    later = 0.8 * able + 0.6 * rng.standard_normal(len(patient))
    clean, hidden = (norm.ppf(recall)[codes] for recall in recalls)
    return (able < clean).astype(np.float64), (later < hidden).astype(np.float64)


@pytest.mark.parametrize(
    ("patients", "studies", "shared"),
    [(150, 1.0, False), (150, 2.0, False), (150, 2.0, True)],
)
def test_intervals_hold_for_all_groups_together(
    patients: int, studies: float, shared: bool
) -> None:
    """95 % of 300 runs at least, less twice the error of that count."""
    groups = 4
    rng = np.random.default_rng(patients)
    runs = 300
    recall = 0.85 - 0.05 * np.arange(groups)
    retention = np.linspace(0.5, 0.8, groups)
    codes, patient = made_groups(rng, patients, studies, groups, shared)
    found = members(codes.tolist(), patient.tolist())
    held = {"recall": 0, "retention": 0, "gap": 0}
    for _ in range(runs):
        clean, hidden = simulated(rng, codes, patient, (recall, recall * retention))
        recalls = GroupRecalls(clean, found)
        held["recall"] += all(
            low <= truth <= high
            for (low, high), truth in zip(
                recalls.bounds(0.025 / groups), recall, strict=True
            )
        )
        held["retention"] += all(
            low <= truth <= high
            for (low, high), truth in zip(
                (
                    retention_bounds(clean, hidden, group, 0.025 / groups)
                    for group in found
                ),
                retention,
                strict=True,
            )
        )
        _, high = recalls.gap_bounds(0.05)
        held["gap"] += bool(high.max() >= recall.max() - recall.min())
    least = 0.95 - 2 * math.sqrt(0.95 * 0.05 / runs)
    for name, count in held.items():
        assert count / runs >= least, name


def test_a_clean_recall_that_may_be_0_leaves_the_retention_open_above() -> None:
    clean = np.zeros(8)
    clean[0] = 1
    [group] = members([0] * 8, list(range(8)))
    assert retention_bounds(clean, clean, group, 0.05) == (0.0, math.inf)


def test_a_group_counts_its_queries_and_patients() -> None:
    [first, second] = members([0, 0, 0, 1], [5, 5, 6, 6])
    assert (first.queries, first.patients) == (3, 2)
    assert (second.queries, second.patients) == (1, 1)
