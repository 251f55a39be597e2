"""The strata of synthetic-cxr, beside its labels and the words of its reports."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_retrieval_robust import UnknownNameError, load_dataset

DEVICES = (
    "pacemaker",
    "tube good",
    "tube low",
    "central line",
    "picc",
    "gastric tube",
    "sternal wires",
)
NAMES = ["finding", "side", "device", "length", "finding:Effusion"]


@pytest.fixture(scope="module")
def dataset() -> Any:
    return load_dataset(
        "synthetic-cxr", pairs=200, labels="unsided", prevalence=0.6, strata=NAMES
    )


def words_of(dataset: Any, name: str, side: str = "image") -> list[str]:
    stratum = dataset.stratifications[NAMES.index(name)]
    codes = getattr(stratum, f"{side}_codes").tolist()
    return [stratum.groups[code] if code >= 0 else "several" for code in codes]


def labels_of(dataset: Any) -> list[set[str]]:
    return [
        {name for name, has in zip(dataset.label_names, row, strict=True) if has}
        for row in dataset.label_matrix
    ]


def only(labels: set[str]) -> str:
    if len(labels) > 1:
        return "several labels"
    return min(labels, default="no label")


def test_findings_and_devices_are_those_of_the_labels(dataset: Any) -> None:
    labels = labels_of(dataset)
    findings = [only(each - set(DEVICES)) for each in labels]
    assert words_of(dataset, "finding") == findings
    assert words_of(dataset, "device") == [only(each & set(DEVICES)) for each in labels]
    effusions = ["with" if "effusion" in each else "without" for each in labels]
    with_effusion = words_of(dataset, "finding:Effusion")
    assert with_effusion == [f"{word} effusion" for word in effusions]
    assert {"no label", "several labels", "nodule"} <= {*findings}


def test_sides_are_those_of_sided_labels(dataset: Any) -> None:
    sided = load_dataset("synthetic-cxr", pairs=200, prevalence=0.6)
    expected = []
    for labels in labels_of(sided):
        sides = {
            side
            for label in labels
            for side in ("left", "right")
            if label.endswith(side) and not label.startswith(DEVICES)
        }
        expected.append("both" if len(sides) > 1 else min(sides, default="no side"))
    assert words_of(dataset, "side") == expected
    assert set(expected) == {"left", "right", "both", "no side"}


def test_lengths_are_those_of_the_reports(dataset: Any) -> None:
    for text, length in zip(
        dataset.reports, words_of(dataset, "length", "report"), strict=True
    ):
        first, last = map(int, length.split("-"))
        assert first <= len(text.split()) <= last


def test_equal_labels_do_not_join_the_groups_of_reports() -> None:
    by_labels: Any = load_dataset(
        "synthetic-cxr", pairs=60, relevance="same-labels", strata=["side", "length"]
    )
    by_texts: Any = load_dataset("synthetic-cxr", pairs=60, strata=["side", "length"])
    for ours, theirs in zip(
        by_labels.stratifications, by_texts.stratifications, strict=True
    ):
        assert ours.image_codes.tolist() == theirs.image_codes.tolist()
        assert ours.report_codes.tolist() == theirs.report_codes.tolist()


def test_an_unknown_stratum_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'side'"):
        load_dataset("synthetic-cxr(strata=sied)")
    with pytest.raises(UnknownNameError, match="Known: device, finding, length, side"):
        load_dataset("synthetic-cxr(strata=scanner)")
    with pytest.raises(UnknownNameError, match="a known label"):
        _ = load_dataset("synthetic-cxr(strata=finding:gout)").stratifications  # type: ignore[attr-defined]
