"""Data sets with parameters: on the command line, in Python, from other people's entries."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pytest_retrieval_robust import dataset_from_lists, load_dataset
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import ConfigError, UnknownNameError
from pytest_retrieval_robust.datasets import DatasetEntry, RetrievalDataset
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.measure.from_text import dataset_from_text


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("synthetic-cxr(pairs=9,prevalence=0.65)", {}),
        ("synthetic-cxr(pairs=9)", {"prevalence": 0.65}),
        ("synthetic-cxr", {"pairs": 9, "prevalence": 0.65}),
    ],
)
def test_parameters_stand_in_the_name_or_beside_it(
    text: str, options: dict[str, Any]
) -> None:
    data = load_dataset(text, **options)
    assert data.name == "synthetic-cxr(pairs=9,prevalence=0.65)"
    assert data.fingerprint == SyntheticCxr(9, prevalence=0.65).fingerprint


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prevalance": 0.5}, "Did you mean 'prevalence'"),
        ({"prevalence": 1.5}, "got prevalence=1.5"),
        ({"relevance": "same-label"}, "Did you mean 'same-labels'?"),
    ],
)
def test_a_wrong_parameter_in_python_says_what_is_close(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_dataset("synthetic-cxr", **options)
    assert said in str(caught.value)


def test_an_entry_without_parameters_is_loaded_as_before() -> None:
    opened = dataset_from_lists("ours", ["a.png"], ["A text."])
    catalogues = Catalogues()
    catalogues.datasets.add(DatasetEntry("ours", "our test set", lambda: opened))
    selected = dataset_from_text("ours", {}, catalogues.datasets)
    assert (selected.name, selected.load()) == ("ours", opened)
    with pytest.raises(UnknownNameError, match="Expected a known parameter of ours"):
        dataset_from_text("ours(pairs=3)", {}, catalogues.datasets)


def test_parameters_without_a_name_for_them_are_refused() -> None:
    with pytest.raises(ConfigError, match="Expected canonical_name beside parameters"):
        DatasetEntry(
            "ours", "", lambda: cast(RetrievalDataset, object()), {"split": str}
        )


def test_nothing_is_opened_when_a_name_is_resolved() -> None:
    def load(**_options: object) -> RetrievalDataset:
        raise AssertionError("opened")

    catalogues = Catalogues()
    entry = DatasetEntry(
        "ours", "", load, {"split": str}, lambda split="test": f"ours({split})"
    )
    catalogues.datasets.add(entry)
    assert (
        dataset_from_text("ours(split=dev)", {}, catalogues.datasets).name
        == "ours(dev)"
    )
