"""What pytest and a debugger print of our objects.

`--showlocals`, `-vv` and failed assertions call `repr`. What they show in a run is searched
in `tests/privacy`.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest_retrieval_robust
from pytest_retrieval_robust.core.searches import HeatMap
from pytest_retrieval_robust.measure.pairs import pairs_of

CONTENT = {
    "path",
    "folder",
    "root",
    "text",
    "texts",
    "ids",
    "id",
    "image_ids",
    "patients",
    "reports",
    "checkpoint",
}
"""Names of fields that hold the user's data or places on their machine."""
PLAIN = ("retrieval.ranking", "reports")
"""Rows of numbers, and what a report shows anyway, are no secret."""
HARMLESS = {"Recipe", "Columns", "Reader"}
"""Their `texts` and `text` say how texts are cut and where they stand, not what they say."""


def _classes() -> Iterator[type]:
    """Every class that the package defines, each once."""
    for info in pkgutil.walk_packages(
        pytest_retrieval_robust.__path__, "pytest_retrieval_robust."
    ):
        inside = info.name.removeprefix("pytest_retrieval_robust.")
        if inside.startswith(("_suite", *PLAIN)):
            continue
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == info.name:
                yield value


def _shown_content(cls: type) -> Iterator[str]:
    """Fields with content that the generated representation of a dataclass prints."""
    if not dataclasses.is_dataclass(cls) or cls.__name__ in HARMLESS:
        return
    if not cls.__dataclass_params__.repr:  # type: ignore[attr-defined]
        return
    for field in dataclasses.fields(cls):
        is_content = field.name in CONTENT or "Path" in str(field.type)
        # A number of texts, or the place of one, says nothing of them.
        is_number = str(field.type).startswith(("int", "Count"))
        if field.repr and is_content and not is_number:
            yield f"{cls.__name__}.{field.name}"


def test_no_generated_representation_holds_content() -> None:
    leaks = [leak for cls in _classes() for leak in _shown_content(cls)]
    assert leaks == []


def test_a_count_of_one_agrees_with_its_noun() -> None:
    dataset = pytest_retrieval_robust.load_dataset("synthetic-cxr(pairs=1)")
    assert repr(dataset) == "<synthetic-cxr(pairs=1): 1 image, 1 report>"
    assert repr(pairs_of(dataset)) == "<Pairs of 1 image and 1 report>"
    assert repr(HeatMap(1, ((0.5,),))) == "<HeatMap of 1 image, 1 row>"
