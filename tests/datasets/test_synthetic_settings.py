"""What may be chosen of the embedded data set: checked, and named in one spelling."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.datasets.synthetic_cxr.settings import (
    LABELS,
    LARGEST,
    RELEVANCES,
    SMALLEST,
    SPLITS,
    CxrSettings,
    read_size,
)
from pytest_retrieval_robust.measure.from_text import dataset_from_text

sides = st.integers(SMALLEST, LARGEST)
settings = st.builds(
    CxrSettings,
    pairs=st.integers(1, 100_000),
    size=sides | st.tuples(sides, sides),
    split=st.sampled_from(SPLITS),
    prevalence=st.none() | st.floats(0, 1) | st.integers(0, 1),
    relevance=st.sampled_from(RELEVANCES),
    labels=st.sampled_from(LABELS),
)


@given(settings)
def test_the_name_says_everything_that_is_not_the_default(chosen: CxrSettings) -> None:
    """Read again, it gives the same settings; `CxrSettings` is what the data set is opened with."""
    selected = dataset_from_text(chosen.name, {}, Catalogues().datasets)
    assert selected.name == chosen.name
    assert CxrSettings(**selected.options) == chosen  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "synthetic-cxr"),
        ({"pairs": 500, "size": (224, 224), "prevalence": None}, "synthetic-cxr"),
        ({"prevalence": 1}, "synthetic-cxr(prevalence=1)"),
        ({"size": (320, 256), "pairs": 20}, "synthetic-cxr(pairs=20,size=320x256)"),
        (
            {"relevance": "same-labels", "labels": "unsided"},
            "synthetic-cxr(labels=unsided,relevance=same-labels)",
        ),
    ],
)
def test_names_are_canonical(options: dict[str, Any], name: str) -> None:
    assert CxrSettings(**options).name == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pairs", 0),
        ("pairs", 2.5),
        ("pairs", True),
        ("size", 63),
        ("size", 1025),
        ("size", (224, 20)),
        ("size", (224, 224, 3)),
        ("size", "224"),
        ("split", "dev"),
        ("prevalence", -0.1),
        ("prevalence", 1.1),
        ("prevalence", float("nan")),
        ("prevalence", "0.5"),
        ("relevance", "same-study"),
        ("labels", "all"),
    ],
)
def test_a_bad_option_is_an_error_that_names_it(name: str, value: object) -> None:
    with pytest.raises(DatasetError, match="Expected ") as caught:
        SyntheticCxr(**{name: value})  # type: ignore[arg-type]
    assert f"got {name}={value!r}. " in str(caught.value)


def test_a_misspelt_choice_says_what_is_close() -> None:
    with pytest.raises(DatasetError, match="Did you mean 'same-labels'?"):
        SyntheticCxr(relevance="same-label")


@pytest.mark.parametrize("text", ["", "x", "224x", "2x3x4", "-5", "22.5", "big"])
def test_a_size_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(DatasetError, match="Expected a size such as 224 or 320x256"):
        read_size(text)


def test_sizes_are_rows_and_columns() -> None:
    assert SyntheticCxr(1, size=(96, 128)).image(0).size == (128, 96)


def test_a_name_is_resolved_without_drawing_anything() -> None:
    code = (
        "import sys, pytest_retrieval_robust.datasets.synthetic_cxr as"
        " entry;print(entry.canonical_name(prevalence=0.5), [m for m in ('numpy',"
        " 'PIL', 'torch') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed == "synthetic-cxr(prevalence=0.5) []\n"
