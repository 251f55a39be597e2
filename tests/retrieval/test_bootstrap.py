"""Resamples of patients beside loops over how often each was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.retrieval.bootstrap import (
    Clusters,
    Resampled,
    are_draws_kept,
    design_effect,
    draws,
    resampled_means,
    resampled_ranks,
    resampled_together,
)

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=12)


def test_patients_are_numbered_in_the_order_of_their_labels() -> None:
    clusters = Clusters.of(np.array([7, 3, 7, 9]))
    assert clusters.numbers.tolist() == [1, 0, 1, 2]
    assert clusters.sizes.tolist() == [1, 2, 1]
    assert clusters.count == 3
    assert not clusters.alone
    assert Clusters.of(np.array([2, 1])).alone
    sums = clusters.sums(np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 0.0], [0.5, 0.0]]))
    assert sums.tolist() == [[10.0, 20.0], [101.0, 2.0], [0.5, 0.0]]


@pytest.mark.parametrize("patients", [1, 2, 5, 4096, 4097])
def test_each_sample_has_as_many_patients_as_there_are(patients: int) -> None:
    # More than fits into one chunk of the larger numbers.
    samples = 70 if patients > 5 else 500
    times = np.concatenate(list(draws(patients, samples, 3)))
    assert times.shape == (samples, patients)
    assert (times.sum(axis=1) == patients).all()
    # Every patient is as likely: five standard errors of a count of draws.
    totals = times.sum(axis=0, dtype=np.int64)
    assert np.abs(totals - samples).max() <= 6 * np.sqrt(samples)


@pytest.mark.parametrize(
    ("patients", "dtype"), [(4096, np.uint16), (4097, np.uint32), (70_000, np.uint32)]
)
def test_draws_are_those_of_numpy_in_16_bits_or_32(
    patients: int, dtype: type[np.unsignedinteger[Any]]
) -> None:
    """They never change between releases: bounds of saved runs are made of them."""
    rng = np.random.Generator(np.random.SFC64(3))
    drawn = rng.integers(0, patients, patients, dtype=dtype)
    [times] = list(draws(patients, 1, 3))
    assert times.dtype == np.uint8
    assert np.array_equal(times[0], np.bincount(drawn, minlength=patients))


def test_draws_depend_on_their_seed_and_on_nothing_else() -> None:
    first, again, other = (
        np.concatenate(list(draws(30, 40, seed))) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_draws_of_13_000_patients_are_kept_and_no_more() -> None:
    assert are_draws_kept(13_421)
    assert not are_draws_kept(13_422)
    assert are_draws_kept(1 << 20, 128)
    assert not are_draws_kept(1 << 20, 129)


@given(LABELS, st.data(), st.booleans())
@settings(max_examples=40)
def test_a_mean_is_that_of_the_queries_of_all_drawn_patients(
    labels: list[int], data: st.DataObject, has_pseudo: bool
) -> None:
    numbers = st.floats(0, 1, width=16)
    values = data.draw(
        st.lists(
            st.tuples(numbers, numbers), min_size=len(labels), max_size=len(labels)
        )
    )
    patients = sorted(set(labels))
    usual = len(labels) / len(patients)
    pseudo = np.array([[1.0, 0.0], [0.25, 0.5]]) if has_pseudo else None
    clusters = Clusters.of(np.array(labels))
    means = resampled_means(
        np.array(values), clusters, pseudo=pseudo, resamples=7, seed=5
    )
    count = len(patients) + (2 if has_pseudo else 0)
    [times] = list(draws(count, 7, 5))
    for sample, mean in zip(times.tolist(), means, strict=True):
        total, queries = np.zeros(2), 0.0
        for patient, repeats in zip(patients, sample, strict=False):
            own = [
                value
                for each, value in zip(labels, values, strict=True)
                if each == patient
            ]
            total += repeats * np.sum(own, axis=0)
            queries += repeats * len(own)
        if pseudo is not None:
            for row, repeats in zip(pseudo, sample[len(patients) :], strict=True):
                total += repeats * usual * row
                queries += repeats * usual
        assert mean == pytest.approx(total / queries, rel=1e-5, abs=1e-6)


def test_means_of_several_are_those_of_each_by_itself() -> None:
    rng = np.random.default_rng(0)
    first, second = (
        Resampled(rng.random((size, 2)), Clusters.of(np.arange(size) % 9))
        for size in (9, 30)
    )
    together = resampled_together([first, second], resamples=20, seed=4)
    for each, means in zip((first, second), together, strict=True):
        alone = resampled_means(each.values, each.clusters, resamples=20, seed=4)
        assert np.array_equal(means, alone)


@given(LABELS)
@settings(max_examples=40)
def test_resampled_ranks_are_those_of_all_drawn_patients(labels: list[int]) -> None:
    ranks = np.arange(10, 10 + len(labels))
    patients = sorted(set(labels))
    usual = max(1, round(len(labels) / len(patients)))
    samples = resampled_ranks(
        ranks, Clusters.of(np.array(labels)), 99, resamples=6, seed=2
    )
    times = np.concatenate(list(draws(len(patients) + 2, 6, 2))).tolist()
    for sample, repeats in zip(samples, times, strict=True):
        expected = [1] * (usual * repeats[-2]) + [99] * (usual * repeats[-1])
        for label, rank in zip(labels, ranks.tolist(), strict=True):
            expected += [rank] * repeats[patients.index(label)]
        assert sorted(sample.tolist()) == sorted(expected)


def test_a_design_effect_of_alike_queries_is_the_size_of_their_patients() -> None:
    clusters = Clusters.of(np.repeat(np.arange(50), 4))
    alike = np.repeat(np.arange(50) % 2, 4).astype(np.float64)
    # C / (C - 1) because the mean is estimated from the same patients.
    assert design_effect(alike, clusters) == pytest.approx(4 * 50 / 49)


def test_a_design_effect_that_chance_made_small_is_1() -> None:
    balanced = np.tile([0.0, 1.0], 50)
    assert design_effect(balanced, Clusters.of(np.repeat(np.arange(50), 2))) == 1


@pytest.mark.parametrize(
    ("values", "labels", "effect"),
    [
        ([1.0, 1.0, 1.0, 1.0], [0, 0, 1, 1], 2.0),
        ([0.0, 1.0, 1.0], [0, 0, 0], 3.0),
        ([1.0, 1.0, 1.0, 1.0], [0, 0, 0, 1], 2.5),
    ],
    ids=["nothing varies", "one patient", "unequal patients"],
)
def test_an_unknown_design_effect_is_that_of_patients_whose_queries_are_alike(
    values: list[float], labels: list[int], effect: float
) -> None:
    assert design_effect(np.array(values), Clusters.of(np.array(labels))) == effect


def test_queries_of_patients_of_their_own_have_no_design_effect() -> None:
    assert design_effect(np.ones(9), Clusters.of(np.arange(9))) == 1
