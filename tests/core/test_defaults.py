"""Defaults of torch that a user's conftest has set: numbers are as without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.calling import encode_images, encode_reports
from pytest_retrieval_robust.measure.batches import first_images
from pytest_retrieval_robust.measure.breaking import find_breaking
from pytest_retrieval_robust.measure.first_ranks import FirstRanks
from pytest_retrieval_robust.measure.half_precision import precision_effect
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sensitivity import sensitivity_map
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.models import LoadRequest, ModelEntry, load_entry
from pytest_retrieval_robust.models._formats.transformers_versions import IS_5
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both, top_k

from ..emulated_device import OnDevice, emulated
from ..measure.sweep.test_devices import CELLS, encoder_on, ranks
from ..measure.sweep.test_sweep import RECORDS, Pixels

pytestmark = pytest.mark.usefixtures("one_thread")


class Careful(Pixels):
    """Names the type and the device of what it makes."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        grey = pixels[:, 0].flatten(1) - 0.5
        constant = torch.full((len(grey), 1), 0.1, dtype=grey.dtype, device=grey.device)
        return torch.nn.functional.normalize(torch.cat([grey, constant], dim=1), dim=1)


MODELS = (encoder_on(Careful), encoder_on(Careful))
"""Made with the usual defaults."""


def swept() -> Any:
    model = MODELS[0]
    options = SweepOptions(batch_size=8)
    return ranks(run_sweep(model, pairs_of(RECORDS), CELLS, (1,), options))


def searched() -> Any:
    result = find_breaking(MODELS[0], RECORDS, k=3, grid=4, images=6)
    return result.masks.tobytes(), result.falls.tobytes(), result.ranks_after.tobytes()


def mapped() -> Any:
    return sensitivity_map(MODELS[0], RECORDS, grid=4, images=6)


def first_ranked() -> Any:
    first = FirstRanks(MODELS[0], RECORDS, 6)
    hidden = first.hidden(load_occluder("lines"), 0.4, 1)
    return hidden.changes, hidden.share, hidden.visible_share


def halved() -> Any:
    return precision_effect(*MODELS, RECORDS)


def ranked() -> Any:
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.normal(size=(300, 32)).astype(np.float32))
    rows = torch.nn.functional.normalize(rows, dim=1)
    groups = np.arange(300) // 2
    both = positive_ranks_both(rows, rows.flip(0), groups, groups[::-1].copy())
    best = top_k(rows[:9], rows, 5)
    return [numbers.tolist() for numbers in both], [part.tolist() for part in best]


def encoded(name: str) -> Any:
    """What a model encodes that is loaded, and run, under the defaults."""
    model = load_model(name, device="cpu")
    scene, pairs = first_images(model, load_dataset("synthetic-cxr", pairs=4), 4)
    rows = encode_images(model, scene.pixels).rows
    reports = encode_reports(model, pairs.texts).rows
    return rows.numpy().tobytes(), reports.numpy().tobytes()


def of_transformers() -> Any:
    return encoded("tiny-cxr-clip")


def of_open_clip() -> Any:
    return encoded("tiny-cxr-openclip")


MEASURES = (
    swept,
    searched,
    mapped,
    first_ranked,
    halved,
    ranked,
)
OF_MODELS = (of_transformers, of_open_clip)


@cache
def undisturbed(measure: Callable[[], Any]) -> Any:
    return measure()


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("measure", [*MEASURES, *OF_MODELS])
def test_another_default_type_changes_nothing(
    measure: Callable[[], Any], dtype: torch.dtype
) -> None:
    if measure is of_transformers and not IS_5 and dtype != torch.float64:
        pytest.skip("transformers 4 makes its masks in the default type")
    expected = undisturbed(measure)
    with default_dtype(dtype):
        assert measure() == expected
        assert torch.get_default_dtype() == dtype


@pytest.mark.parametrize("measure", MEASURES)
def test_another_default_device_changes_nothing(measure: Callable[[], Any]) -> None:
    expected = undisturbed(measure)
    torch.set_default_device("meta")
    try:
        assert measure() == expected
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("name", ["tiny-cxr-clip", "tiny-cxr-openclip"])
def test_a_model_is_loaded_on_the_processor_whatever_the_default_device(
    name: str,
) -> None:
    if name == "tiny-cxr-clip" and torch.__version__.startswith("2.4."):
        pytest.skip("torch 2.4 fails within transformers, once a device was taken back")
    pixels = torch.linspace(0, 1, 2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
    side = load_model(name, device="cpu").card.input_size or 64
    pixels = torch.nn.functional.interpolate(pixels, (side, side))
    expected = encode_images(load_model(name, device="cpu"), pixels).rows
    with emulated("cuda:0"):
        torch.set_default_device("cuda:0")
        try:
            assert isinstance(torch.zeros(1), OnDevice)
            model = load_model(name, device="cpu")
        finally:
            torch.set_default_device(None)
    assert torch.equal(encode_images(model, pixels).rows, expected)


def test_loaders_of_others_have_the_defaults_that_their_user_set() -> None:
    seen = []

    def load(_: LoadRequest) -> Any:
        seen.append(torch.get_default_dtype())
        return MODELS[0]

    with default_dtype(torch.float64):
        load_entry(ModelEntry("pixels", "a user's own", load), LoadRequest("cpu"))
    assert seen == [torch.float64]
