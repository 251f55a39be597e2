"""Counts of many columns at once, against the means of one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.retrieval.bootstrap import Clusters, resampled_means
from pytest_retrieval_robust.retrieval.bootstrap_counts import resampled_counts

RESAMPLES = 40


@settings(max_examples=25, deadline=None)
@given(
    patients=st.sampled_from([1, 2, 7, 60, 4093, 4094, 5000]),
    per_patient=st.integers(1, 3),
    columns=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_shares_are_those_of_the_means_to_the_bit(
    patients: int, per_patient: int, columns: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(patients), per_patient))
    clusters = Clusters.of(labels)
    hits = rng.random((columns, len(labels))) < rng.random((columns, 1))
    pseudo = [(1, 0) if number % 2 else (0, 1) for number in range(columns)]
    counts = resampled_counts(
        list(hits), pseudo, clusters, resamples=RESAMPLES, seed=seed
    )
    assert counts is not None
    means = resampled_means(
        hits.T.astype(np.float64),
        clusters,
        pseudo=np.array(pseudo, dtype=np.float64).T,
        resamples=RESAMPLES,
        seed=seed,
    )
    shares = np.stack([each / counts.queries for each in counts.hits], axis=1)
    assert np.array_equal(shares, means)


def test_patients_of_unlike_size_are_counted_too() -> None:
    clusters = Clusters.of(np.array([0, 0, 0, 1, 2, 2]))
    hits = np.array([True, False, True, True, False, False])
    counts = resampled_counts([hits], [(1, 0)], clusters, resamples=RESAMPLES)
    assert counts is not None
    pseudo = np.array([[1.0], [0.0]])
    means = resampled_means(
        hits[:, None].astype(np.float64), clusters, pseudo=pseudo, resamples=RESAMPLES
    )
    assert np.array_equal(counts.hits[0] / counts.queries, means[:, 0])
    # Many columns of them are kept.
    assert counts.hits.dtype == np.int32


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.array([0, 0, 1]), id="one and a half"),
        pytest.param(np.maximum(np.arange(8192) - 4096, 0), id="too many"),
    ],
)
def test_what_float32_cannot_count_is_left_to_the_means(
    labels: NDArray[np.int64],
) -> None:
    hits = np.ones(len(labels), dtype=np.bool_)
    assert resampled_counts([hits], [(1, 0)], Clusters.of(labels)) is None


def test_each_column_has_patients_of_its_own_to_add() -> None:
    hits = np.ones(4, dtype=np.bool_)
    with pytest.raises(ValueError, match="zip"):
        resampled_counts([hits, hits], [(1, 0)], Clusters.of(np.arange(4)))
