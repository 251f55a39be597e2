"""A sweep that hides and normalises in one pass gives the bytes of one that does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import inputs
from pytest_retrieval_robust.measure.sweep.run import (
    Measured,
    SweepOptions,
    run_sweep,
)
from pytest_retrieval_robust.models import DualEncoder, Precision
from pytest_retrieval_robust.occluders import _compiled, fused

NAMES = (
    "patches",
    "box(fill=mean)",
    "lines",
    "patches(fill=donor)",
    "patches(fill=noise)",
    "salient(grid=2)",
)
CELLS = [
    (Cell(name, level, 0), load_occluder(name))
    for name in NAMES
    for level in (0.2, 0.5)
]


class Wrapped:
    """A model of a user's own around one of ours, with an `encode_images` of its own."""

    def __init__(self, model: DualEncoder) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        return -self._model.encode_images(pixels)


@pytest.fixture(scope="module")
def data() -> RetrievalDataset:
    return load_dataset("synthetic-cxr", pairs=9)


def swept(model: DualEncoder, data: RetrievalDataset) -> list[bytes]:
    options = SweepOptions(batch_size=4)
    result = run_sweep(model, pairs_of(data), CELLS, (1,), options)
    numbers = []
    for cell in result.cells.values():
        assert isinstance(cell, Measured), cell
        ranks = cell.image_ranks.tobytes() + cell.report_ranks.tobytes()
        numbers.append(ranks + f"{cell.achieved_level} {cell.visible_level}".encode())
    return numbers


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passes that hide and normalise, which happen on a processor too."""
    made: list[str] = []

    def hidden(*arguments: Any, **options: Any) -> torch.Tensor:
        made.append("hidden")
        return fused.hidden_normalised(*arguments, **options)

    def clean(*arguments: Any) -> torch.Tensor:
        made.append("clean")
        return fused.normalised(*arguments)

    monkeypatch.setattr(inputs, "NORMALISES_ON", ("cuda", "cpu"))
    monkeypatch.setattr(inputs, "hidden_normalised", hidden)
    monkeypatch.setattr(inputs, "normalised", clean)
    return made


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["tiny-cxr-clip", "tiny-cxr-openclip"])
def test_one_pass_gives_the_same_bytes(
    name: str,
    precision: Precision,
    data: RetrievalDataset,
    request: pytest.FixtureRequest,
) -> None:
    model = load_model(name, device="cpu", precision=precision)
    expected = swept(model, data)
    passes = request.getfixturevalue("passes")
    assert swept(model, data) == expected
    batches = 3
    assert passes.count("hidden") == batches * len(CELLS)
    assert passes.count("clean") >= batches


def test_a_users_own_encode_images_is_not_gone_past(
    data: RetrievalDataset, request: pytest.FixtureRequest
) -> None:
    model = Wrapped(load_model("tiny-cxr-clip", device="cpu"))
    expected = swept(model, data)
    passes = request.getfixturevalue("passes")
    assert swept(model, data) == expected
    assert not passes


def test_without_a_compiled_pass_levels_do_not_normalise_anew(
    data: RetrievalDataset, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_compiled, "_failures", ["RuntimeError"])
    swept(load_model("tiny-cxr-clip", device="cpu"), data)
    assert not passes
