"""The core on devices that this machine does not have: what is on the wrong side, or of
a wrong kind there, fails.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.core.encoding import unit_scale
from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.measure.breaking import find_breaking
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.half_precision import precision_effect
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sensitivity import sensitivity_map
from pytest_retrieval_robust.measure.sweep import lane
from pytest_retrieval_robust.measure.sweep.run import (
    Measured,
    SweepOptions,
    SweepResult,
    run_sweep,
)
from pytest_retrieval_robust.measure.timing.hardware import hardware_name
from pytest_retrieval_robust.models import ModelCard

from ...core.sweeps import encoder_of
from ...emulated_device import OnDevice, emulated
from .test_sweep import RECORDS, Pixels

FILLS = ("white", "noise", "mean", "blur", "shuffled", "donor")
NAMES = (
    "patches",
    "grid",
    "box",
    "boxes",
    "border",
    "side",
    "blobs",
    "lines",
    "marker",
    "pacemaker",
    "ecg-leads",
    "burned-in-text",
    "salient(grid=4)",
    "non-salient(grid=4)",
    "worst(grid=4,k=3)",
    *(f"patches(fill={fill})" for fill in FILLS),
)
CELLS = [(Cell(name, 0.4, 1), load_occluder(name)) for name in NAMES]
BATCHES_OF_8 = SweepOptions(batch_size=8)
FEW = [
    cell
    for cell in CELLS
    if cell[0].occluder in ("patches", "grid", "patches(fill=mean)", "salient(grid=4)")
]


class OnDeviceEncoder(Pixels):
    """An encoder whose rows are on its device."""

    def encode_reports(self, texts: Any) -> Tensor:
        return super().encode_reports(texts).to(self.device)

    def encode_images(self, pixels: Tensor) -> Tensor:
        assert isinstance(pixels, OnDevice) == (self.device != "cpu")
        rows = torch.cat(
            [
                pixels[:, 0].flatten(1) - 0.5,
                torch.full((len(pixels), 1), 0.1, device=self.device),
            ],
            dim=1,
        )
        return torch.nn.functional.normalize(rows, dim=1)


class Scoring(OnDeviceEncoder):
    """One with a similarity of its own, and weights in it."""

    def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
        return queries @ gallery.T * torch.ones(1, 1, device=self.device)


def encoder_on(kind: type[Pixels] = OnDeviceEncoder, **changes: Any) -> Pixels:
    return encoder_of(kind, card=ModelCard("test", sha256="ab"), **changes)


@pytest.fixture(params=["cuda:0", "mps"])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    with emulated(request.param):
        yield request.param


def ranks(result: SweepResult) -> dict[Cell, Any]:
    numbers = {}
    for cell, outcome in result.cells.items():
        assert isinstance(outcome, Measured), outcome
        numbers[cell] = (
            outcome.image_ranks.tolist(),
            outcome.report_ranks.tolist(),
            outcome.achieved_level,
            outcome.visible_level,
        )
    return numbers


@pytest.fixture(scope="module")
def expected() -> dict[Cell, Any]:
    return ranks(run_sweep(encoder_on(), pairs_of(RECORDS), CELLS, (1,), BATCHES_OF_8))


def test_a_sweep_on_a_device_gives_what_the_processor_gives(
    device: str, expected: dict[Cell, Any], tmp_path: Path
) -> None:
    store = EmbeddingStore(tmp_path)
    for _ in ("cold", "warm"):
        result = run_sweep(
            encoder_on(device=device),
            pairs_of(RECORDS),
            CELLS,
            (1,),
            SweepOptions(batch_size=8, store=store),
        )
        assert ranks(result) == expected
        assert {hardware_of(outcome) for outcome in result.cells.values()} == {
            hardware_name(device)
        }


def hardware_of(outcome: Measured | RobustError) -> str:
    assert isinstance(outcome, Measured), outcome
    return outcome.timing.hardware


@pytest.mark.parametrize("kind", [OnDeviceEncoder, Scoring])
def test_cropped_images_and_a_scorer_of_ones_own_do_too(
    device: str, kind: type[Pixels]
) -> None:
    expected = cropped_ranks(kind, "cpu")
    assert cropped_ranks(kind, device) == expected


def cropped_ranks(kind: type[Pixels], device: str) -> dict[Cell, Any]:
    model = encoder_on(kind, device=device, frame=(-0.25, 0.1, 1.25, 0.9))
    return ranks(run_sweep(model, pairs_of(RECORDS), FEW, (1,), BATCHES_OF_8))


def test_the_emulated_device_refuses_what_a_device_would(device: str) -> None:
    on_host = torch.ones(3)
    on_device = torch.ones(3).to(device)
    with pytest.raises(RuntimeError, match="same device"):
        on_host + on_device
    with pytest.raises(TypeError, match="to numpy"):
        np.asarray(on_device)
    if device == "mps":
        with pytest.raises(TypeError, match="float64"):
            on_device.double()


def test_an_apple_gpu_is_used_from_one_thread_alone(tmp_path: Path) -> None:
    with emulated("mps") as used:
        model = encoder_on(device="mps")
        run_sweep(
            model,
            pairs_of(RECORDS),
            FEW,
            (1,),
            SweepOptions(batch_size=4, store=EmbeddingStore(tmp_path)),
        )
    assert used.threads == {threading.get_ident()}


def test_searches_on_a_device_find_what_the_processor_finds(device: str) -> None:
    for kind in (OnDeviceEncoder, Scoring):
        results = [
            find_breaking(
                encoder_on(kind, device=where), RECORDS, k=3, grid=4, images=6
            )
            for where in ("cpu", device)
        ]
        assert results[0].masks.tobytes() == results[1].masks.tobytes()
        assert results[0].ranks_after.tolist() == results[1].ranks_after.tolist()
        maps = [
            sensitivity_map(encoder_on(kind, device=where), RECORDS, grid=4, images=6)
            for where in ("cpu", device)
        ]
        assert np.allclose(maps[0].rows, maps[1].rows, atol=1e-6)


def test_half_precisions_effect_is_measured_on_the_host(device: str) -> None:
    effect = precision_effect(
        encoder_on(device=device), encoder_on(device=device), RECORDS
    )
    assert effect["images"]["largest_difference"] == 0.0


def test_memory_that_runs_out_at_every_step_ends_with_the_same_ranks(
    device: str, expected: dict[Cell, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = unit_scale

    def upload(pixels: Any, where: str) -> Tensor:
        if len(pixels) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return scale(pixels, where)

    class Small(OnDeviceEncoder):
        def encode_images(self, pixels: Tensor) -> Tensor:
            if len(pixels) > 2:
                raise RuntimeError("MPS backend out of memory")
            return super().encode_images(pixels)

    monkeypatch.setattr(lane, "unit_scale", upload)
    model = encoder_on(Small, device=device)
    measured = ranks(run_sweep(model, pairs_of(RECORDS), FEW, (1,), BATCHES_OF_8))
    assert measured == {cell: expected[cell] for cell in measured}


def test_a_default_device_of_the_users_own_changes_nothing(
    expected: dict[Cell, Any],
) -> None:
    class Careful(Pixels):
        """Names its device wherever it makes a tensor."""

        def encode_images(self, pixels: Tensor) -> Tensor:
            with torch.device("cpu"):
                return super().encode_images(pixels)

        def encode_reports(self, texts: Any) -> Tensor:
            with torch.device("cpu"):
                return super().encode_reports(texts)

    model = encoder_on(Careful)
    torch.set_default_device("meta")
    try:
        measured = ranks(run_sweep(model, pairs_of(RECORDS), CELLS, (1,), BATCHES_OF_8))
        searched = find_breaking(model, RECORDS, k=3, grid=4, images=6)
    finally:
        torch.set_default_device(None)
    assert measured == expected
    assert (
        searched.masks.tobytes()
        == find_breaking(encoder_on(), RECORDS, k=3, grid=4, images=6).masks.tobytes()
    )


def test_deterministic_algorithms_change_nothing_and_stay_asked_for(
    expected: dict[Cell, Any],
) -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        assert (
            ranks(
                run_sweep(
                    encoder_on(),
                    pairs_of(RECORDS),
                    CELLS,
                    (1,),
                    BATCHES_OF_8,
                )
            )
            == expected
        )
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
