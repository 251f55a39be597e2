"""Loaders of models and of data sets take the same: a request, or parameters by keyword."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_retrieval_robust import (
    DatasetEntry,
    DatasetError,
    LoadRequest,
    ModelEntry,
    ModelError,
    dataset_from_lists,
    encoder_from_callables,
)
from pytest_retrieval_robust.measure.from_text import configured_dataset
from pytest_retrieval_robust.models import load_entry

Noted = dict[str, Any]
OPTIONS = {"view": "frontal"}


def loaders(give: Callable[[Noted], Any]) -> dict[str, Callable[..., Any]]:
    """Loaders of every form that notes what it is given."""

    def of_request(request: LoadRequest) -> Any:
        return give(dict(request.options))

    def of_any_name(anything: LoadRequest) -> Any:
        return give(dict(anything.options))

    def of_optional_request(request: LoadRequest | None = None) -> Any:
        assert request is not None
        return give(dict(request.options))

    def of_keywords(*, view: str = "all") -> Any:
        return give({"view": view})

    def of_more(extra: int, request: LoadRequest) -> Any:
        assert extra == 3
        return give(dict(request.options))

    return {
        "request": of_request,
        "any name": of_any_name,
        "optional request": of_optional_request,
        "keywords": of_keywords,
        "partial": partial(of_more, 3),
        "method": _Loader(give).load,
        "object": _Loader(give),
    }


class _Loader:
    def __init__(self, give: Callable[[Noted], Any]) -> None:
        self._give = give

    def load(self, request: LoadRequest) -> Any:
        return self._give(dict(request.options))

    __call__ = load


FORMS = (*loaders(lambda _: None),)


def whole_dataset() -> Any:
    return dataset_from_lists("mine", [Image.new("L", (8, 8))], ["A text."])


def whole_model() -> Any:
    def rows(batch: Any) -> Any:
        return np.ones((len(batch), 2))

    return encoder_from_callables("mine", rows, rows)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_opens_a_data_set_and_loads_a_model(form: str) -> None:
    noted: list[Noted] = []

    def opened(given: Noted) -> Any:
        noted.append(given)
        return whole_dataset()

    def loaded(given: Noted) -> Any:
        noted.append(given)
        return whole_model()

    dataset_entry = DatasetEntry(
        "mine", "ours", loaders(opened)[form], {"view": str}, lambda **_: "mine"
    )
    model_entry = ModelEntry("mine", "ours", loaders(loaded)[form], accepts=("view",))
    assert configured_dataset(dataset_entry, OPTIONS).load().name == "mine"
    assert load_entry(model_entry, LoadRequest(options=OPTIONS)).name == "mine"
    assert noted == [OPTIONS, OPTIONS]


def test_loaders_without_arguments_are_taken_by_both() -> None:
    dataset_entry = DatasetEntry("mine", "ours", whole_dataset)
    assert configured_dataset(dataset_entry, {}).load().name == "mine"
    model_entry = ModelEntry("mine", "ours", whole_model)
    assert load_entry(model_entry, LoadRequest()).name == "mine"


def test_a_data_sets_own_parameter_is_no_request() -> None:
    """As entries were written before: the one parameter is required, and was not given."""

    def load(view: str) -> Any:
        assert isinstance(view, str)
        return whole_dataset()

    entry = DatasetEntry("mine", "ours", load, {"view": str}, lambda **_: "mine")
    assert configured_dataset(entry, OPTIONS).load().name == "mine"
    with pytest.raises(DatasetError, match="got one that takes view"):
        configured_dataset(entry, {}).load()


def test_a_loader_that_takes_neither_is_refused() -> None:
    def load(first: object, second: object) -> Any:
        raise AssertionError(first, second)

    with pytest.raises(DatasetError, match="or one request, got one that takes first"):
        configured_dataset(DatasetEntry("mine", "ours", load), {}).load()
    with pytest.raises(ModelError, match="got TypeError"):
        load_entry(ModelEntry("mine", "ours", load), LoadRequest())


def test_a_built_in_without_a_signature_is_called_with_parameters() -> None:
    built_in: Any = dict
    entry = DatasetEntry("mine", "ours", built_in)
    with pytest.raises(DatasetError, match="got a dict without"):
        configured_dataset(entry, {}).load()
