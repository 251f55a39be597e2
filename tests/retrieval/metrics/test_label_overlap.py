"""The overlap of label sets, against loops over sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.retrieval.metrics.label_overlap import (
    chance_label_overlap,
    label_overlap,
)
from pytest_retrieval_robust.retrieval.ranking import top_k

Matrix = NDArray[np.bool_]


@st.composite
def label_matrices(draw: st.DrawFn) -> tuple[Matrix, Matrix]:
    width = draw(st.integers(0, 4))
    rows = st.lists(
        st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=6
    )
    queries = draw(rows)
    gallery = draw(rows)
    return np.array(queries, bool).reshape(len(queries), width), np.array(
        gallery, bool
    ).reshape(len(gallery), width)


def jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    left = set(np.flatnonzero(one).tolist())
    right = set(np.flatnonzero(other).tolist())
    return len(left & right) / len(left | right) if left | right else 1.0


@given(label_matrices(), st.data())
def test_it_is_the_mean_over_queries_and_answers(
    labels: tuple[Matrix, Matrix], data: st.DataObject
) -> None:
    queries, gallery = labels
    k = data.draw(st.integers(1, 3))
    row = st.lists(st.integers(0, len(gallery) - 1), min_size=k, max_size=k)
    neighbours = np.array(
        data.draw(st.lists(row, min_size=len(queries), max_size=len(queries)))
    )
    expected = np.mean(
        [
            [jaccard(queries[q], gallery[g]) for g in row]
            for q, row in enumerate(neighbours)
        ]
    )
    assert label_overlap(neighbours, queries, gallery) == pytest.approx(
        expected, abs=1e-12
    )


@given(label_matrices())
def test_chance_is_the_mean_over_all_pairs(labels: tuple[Matrix, Matrix]) -> None:
    queries, gallery = labels
    everything = np.tile(np.arange(len(gallery)), (len(queries), 1))
    chance = chance_label_overlap(queries, gallery)
    assert chance == pytest.approx(
        np.mean([[jaccard(q, g) for g in gallery] for q in queries]), abs=1e-12
    )
    assert chance == pytest.approx(
        label_overlap(everything, queries, gallery), abs=1e-12
    )


def test_chance_over_many_rows_is_that_of_random_answers() -> None:
    data = SyntheticCxr(600, prevalence=0.8)
    answers = np.random.default_rng(0).integers(0, len(data.reports), (600, 50))
    found = label_overlap(answers, data.label_matrix, data.report_label_matrix)
    assert found == pytest.approx(
        chance_label_overlap(data.label_matrix, data.report_label_matrix), abs=0.01
    )


def test_it_takes_what_top_k_gives() -> None:
    data = SyntheticCxr(50)
    rows = np.eye(50, dtype=np.float32)
    assert (
        label_overlap(
            top_k(rows, rows, 1)[0], data.label_matrix, data.report_label_matrix
        )
        == 1.0
    )


@pytest.mark.parametrize(
    ("neighbours", "queries", "gallery", "said"),
    [
        (
            np.zeros((2, 1), int),
            np.ones((3, 2), bool),
            np.ones((4, 2), bool),
            "shape=\\(2, 1\\)",
        ),
        (
            np.zeros((3, 0), int),
            np.ones((3, 2), bool),
            np.ones((4, 2), bool),
            "shape=\\(3, 0\\)",
        ),
        (
            np.full((3, 1), 4),
            np.ones((3, 2), bool),
            np.ones((4, 2), bool),
            "from 0 to 3",
        ),
        (
            np.full((3, 1), -1),
            np.ones((3, 2), bool),
            np.ones((4, 2), bool),
            "from 0 to 3",
        ),
        (
            np.zeros((3, 1), int),
            np.ones((3, 2), bool),
            np.ones((4, 5), bool),
            "shapes=",
        ),
        (np.zeros((3, 1), int), np.ones((3, 2)), np.ones((4, 2), bool), "dtypes="),
        (
            np.zeros((3, 1), int),
            np.ones((3, 2), bool),
            np.ones((0, 2), bool),
            "shapes=",
        ),
    ],
)
def test_what_does_not_fit_is_an_error(
    neighbours: NDArray[np.int64], queries: Matrix, gallery: Matrix, said: str
) -> None:
    with pytest.raises(ValueError, match=f"Expected .*{said}"):
        label_overlap(neighbours, queries, gallery)
