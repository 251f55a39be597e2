"""The embedded data set: distinct, deterministic, split without leaks, and drawn as its
findings say.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_retrieval_robust.datasets import DatasetEntry, RetrievalDataset
from pytest_retrieval_robust.datasets.synthetic_cxr import load, register
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.datasets.synthetic_cxr.render import render
from pytest_retrieval_robust.datasets.synthetic_cxr.reports import write_report
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import (
    NORMAL,
    SLOTS,
    Study,
    draw,
    split_of,
)


@pytest.fixture(scope="module")
def data() -> SyntheticCxr:
    return load()


@pytest.fixture(scope="module")
def training() -> SyntheticCxr:
    return SyntheticCxr(pairs=4000, size=64, split="train")


def grey(data: SyntheticCxr, index: int) -> NDArray[np.int16]:
    return np.asarray(data.image(index)).astype(np.int16)


def test_it_fulfils_the_protocol(data: SyntheticCxr) -> None:
    assert isinstance(data, RetrievalDataset)
    assert (data.name, data.split, data.text, data.relevance) == (
        "synthetic-cxr",
        "test",
        "findings+impression",
        "same-text",
    )
    assert data.image_groups.dtype == data.report_groups.dtype == np.int64


def test_registering_adds_one_entry() -> None:
    entries: list[DatasetEntry] = []

    class Catalogue:
        def add(self, entry: DatasetEntry, /) -> None:
            entries.append(entry)

    register(Catalogue())
    assert [entry.name for entry in entries] == ["synthetic-cxr"]


def test_importing_the_entry_loads_nothing_heavy() -> None:
    code = (
        "import sys, pytest_retrieval_robust.datasets.synthetic_cxr as entry;"
        " print(sorted(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert not [name for name in ("numpy", "PIL", "torch") if f"'{name}'" in loaded]


def test_it_holds_500_pairs_with_different_ids_reports_findings_and_patients(
    data: SyntheticCxr,
) -> None:
    findings = [study.states for study in data.studies]
    for values in (data.image_ids, data.reports, findings, data.patients):
        assert len(set(values)) == len(values) == 500
    assert data.image_ids[7] == "synthetic-cxr-test-0007"


def test_images_are_grey_and_of_the_size_asked_for(data: SyntheticCxr) -> None:
    assert (data.image(0).mode, data.image(0).size) == ("L", (224, 224))
    assert SyntheticCxr(pairs=1, size=100).image(0).size == (100, 100)


def test_pictures_depend_on_neither_order_nor_threads(data: SyntheticCxr) -> None:
    indices = list(range(12))
    forward = [grey(data, index) for index in indices]
    with ThreadPoolExecutor(4) as pool:
        backward = list(pool.map(lambda index: grey(load(), index), reversed(indices)))
    assert (
        max(
            np.abs(one - other).max()
            for one, other in zip(forward, reversed(backward), strict=True)
        )
        <= 1
    )


def test_the_fingerprint_is_stable_and_depends_on_the_content(
    data: SyntheticCxr,
) -> None:
    assert data.fingerprint == load().fingerprint
    others = {
        SyntheticCxr(499).fingerprint,
        SyntheticCxr(size=128).fingerprint,
        SyntheticCxr(split="train").fingerprint,
    }
    assert len({data.fingerprint, *others}) == 4


def test_fewer_pairs_are_the_first_of_more(data: SyntheticCxr) -> None:
    assert SyntheticCxr(20).reports == data.reports[:20]


def test_neither_findings_nor_reports_of_the_test_split_occur_in_training(
    data: SyntheticCxr, training: SyntheticCxr
) -> None:
    assert not {study.states for study in data.studies} & {
        study.states for study in training.studies
    }
    assert not set(data.reports) & set(training.reports)


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_split_follows_from_the_findings_whatever_the_seed(split: str) -> None:
    assert {split_of(draw(seed, 1, split).states) for seed in range(200)} == {split}


def test_every_state_of_every_slot_occurs_in_both_splits(
    data: SyntheticCxr, training: SyntheticCxr
) -> None:
    for split in (data, training):
        seen = [
            set(column)
            for column in zip(*(study.states for study in split.studies), strict=True)
        ]
        assert seen == [set(slot.states) for slot in SLOTS]


def test_reports_name_the_side_of_every_finding_on_one_side(data: SyntheticCxr) -> None:
    for study, report in zip(data.studies, data.reports, strict=True):
        for side in ("right", "left"):
            if (
                study.has(f"effusion {side}")
                or study["picc"] == side
                or study["diaphragm"] == side
            ):
                assert side in report.lower()


def test_reports_have_findings_and_an_impression_and_fit_an_encoder(
    data: SyntheticCxr,
) -> None:
    assert all(
        report.startswith("FINDINGS: ") and " IMPRESSION: " in report
        for report in data.reports
    )
    assert 25 < np.mean([len(report.split()) for report in data.reports]) < 50


def test_a_normal_study_is_reported_as_normal() -> None:
    report = write_report(Study(1, 1, NORMAL))
    assert report.lower().split("impression: ")[1].startswith(("no acute", "normal"))


def test_global_statistics_of_a_picture_do_not_find_its_report(
    training: SyntheticCxr,
) -> None:
    """At most three times chance at Recall@10, in galleries of 500: two of them, for a
    steady mean.
    """
    test = SyntheticCxr(pairs=1000, size=96)
    x = statistics(training, 2000)
    training_attributes = attributes(training, 2000)
    weights = np.linalg.solve(
        x.T @ x + np.eye(x.shape[1]),
        x.T @ (training_attributes - training_attributes.mean(axis=0)),
    )
    predicted = statistics(test, 1000) @ weights
    queries = attributes(test, 1000) - training_attributes.mean(axis=0)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    hits = []
    for gallery in np.split(np.arange(1000), 2):
        scores = predicted[gallery] @ queries[gallery].T
        hits += list((scores >= scores.diagonal()[:, None]).sum(axis=1) <= 10)
    assert np.mean(hits) <= 3 * 10 / 500


def statistics(data: SyntheticCxr, count: int) -> NDArray[np.float64]:
    """Mean, spread and histogram of each picture."""
    pictures = [render(study, 96, 96) for study in data.studies[:count]]
    rows = [
        [
            one.mean() / 64,
            one.std() / 16,
            *(np.histogram(one, 16, (0, 256))[0] / one.size * 16),
            1.0,
        ]
        for one in pictures
    ]
    return np.array(rows)


def attributes(data: SyntheticCxr, count: int) -> NDArray[np.float64]:
    """One column for each state of each slot."""
    labels = np.array([study.labels() for study in data.studies[:count]])
    return np.concatenate(
        [np.eye(len(slot.states))[labels[:, n]][:, 1:] for n, slot in enumerate(SLOTS)],
        axis=1,
    )


@pytest.mark.parametrize("index", [-1, 500])
def test_an_image_number_out_of_range_is_an_error(
    data: SyntheticCxr, index: int
) -> None:
    with pytest.raises(IndexError, match=f"Expected .* got index={index}; "):
        data.image(index)
