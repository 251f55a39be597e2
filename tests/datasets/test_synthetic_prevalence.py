"""Normal studies beside abnormal ones, and labels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.datasets.synthetic_cxr.labels import (
    label_matrix,
    label_names,
    label_set,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import (
    NORMAL,
    SLOTS,
    Study,
    states_with,
)


def normals(data: SyntheticCxr) -> int:
    return sum(study.states == NORMAL for study in data.studies)


@given(st.integers(1, 60), st.floats(0, 1), st.sampled_from(["train", "test"]))
def test_the_share_is_exact_to_rounding(
    pairs: int, prevalence: float, split: str
) -> None:
    abnormal = pairs - normals(SyntheticCxr(pairs, prevalence=prevalence, split=split))
    assert abs(abnormal - pairs * Fraction(str(prevalence))) <= Fraction(1, 2)


@given(st.integers(1, 40), st.floats(0, 1))
def test_fewer_pairs_are_the_first_of_more(pairs: int, prevalence: float) -> None:
    more = SyntheticCxr(41, prevalence=prevalence)
    assert SyntheticCxr(pairs, prevalence=prevalence).studies == more.studies[:pairs]


def test_the_extremes_are_all_normal_and_all_abnormal() -> None:
    assert normals(SyntheticCxr(50, prevalence=0)) == 50
    assert normals(SyntheticCxr(400, prevalence=1, split="train")) == 0


def test_by_default_no_combination_is_there_twice_and_none_is_normal() -> None:
    assert normals(SyntheticCxr()) == 0


@pytest.mark.parametrize("prevalence", [0.0, 0.65])
def test_texts_and_bodies_of_the_splits_are_disjoint_even_of_normal_studies(
    prevalence: float,
) -> None:
    test = SyntheticCxr(prevalence=prevalence)
    train = SyntheticCxr(5000, split="train", prevalence=prevalence)
    assert not set(test.reports) & set(train.reports)
    assert len(set(test.patients) | set(train.patients)) == 5500
    assert not {study.states for study in test.studies} & {
        study.states for study in train.studies
    } - {NORMAL}


def test_identical_texts_are_one_report_unless_only_the_own_one_is_right() -> None:
    data = SyntheticCxr(1200, prevalence=0)
    assert len(set(data.reports)) == len(data.reports) < 1200
    assert len(SyntheticCxr(1200, prevalence=0, relevance="strict-id").reports) == 1200
    for image in range(0, 1200, 7):
        right = np.flatnonzero(data.report_groups == data.image_groups[image])
        assert [data.reports[report] for report in right] == [data._texts[image]]


def test_same_labels_joins_every_report_with_the_labels_of_an_image() -> None:
    data = SyntheticCxr(200, prevalence=0.5, relevance="same-labels", labels="unsided")
    joined = data.image_groups[:, None] == data.report_groups
    assert (
        joined == (data.label_matrix[:, None] == data.report_label_matrix).all(axis=2)
    ).all()
    assert (joined.sum(axis=1) == 100).sum() == 100  # the normal half


def test_every_choice_is_in_the_fingerprint() -> None:
    others: list[dict[str, Any]] = [
        {},
        {"pairs": 49},
        {"size": (224, 225)},
        {"split": "train"},
        {"prevalence": 0.5},
        {"prevalence": 0.52},
        {"relevance": "strict-id"},
        {"relevance": "same-labels"},
        {"labels": "unsided"},
    ]
    assert len(
        {SyntheticCxr(**{"pairs": 50, **options}).fingerprint for options in others}
    ) == len(others)


def test_labels_with_and_without_sides() -> None:
    shown = Study(
        1,
        1,
        states_with(
            effusion_left="large",
            nodule="right mid",
            nodule_size="small",
            atelectasis="both",
            heart="mild",
            volumes="low",
            line="left subclavian",
            wires="present",
        ),
    )
    sided = {
        "effusion left",
        "nodule right",
        "atelectasis right",
        "atelectasis left",
        "enlarged heart",
        "volumes low",
        "central line left",
        "sternal wires",
    }
    plain = {
        "effusion",
        "nodule",
        "atelectasis",
        "enlarged heart",
        "volumes low",
        "central line",
        "sternal wires",
    }
    assert set(label_set(shown, "sided")) == sided
    assert set(label_set(shown, "unsided")) == plain


@pytest.mark.parametrize("scheme", ["sided", "unsided"])
def test_the_matrix_holds_the_label_sets(scheme: str) -> None:
    data = SyntheticCxr(300, prevalence=0.8, labels=scheme)
    assert data.label_matrix.shape == (300, len(label_names(scheme)))
    assert data.label_matrix.dtype == bool
    for study, row in zip(data.studies, data.label_matrix, strict=True):
        assert {
            name for name, holds in zip(data.label_names, row, strict=True) if holds
        } == label_set(study, scheme)
        assert row.any() == (study.states != NORMAL)


def test_every_abnormal_state_has_a_label() -> None:
    for slot in SLOTS:
        for state in slot.states[1:] if slot.name != "nodule size" else ():
            study = Study(1, 1, states_with(**{slot.name.replace(" ", "_"): state}))
            assert label_matrix([study], "unsided").sum() == 1
            assert label_matrix([study], "sided").sum() == (2 if state == "both" else 1)
