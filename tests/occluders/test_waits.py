"""Nothing on the way of a batch waits for the device: what is copied there is queued."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.normalisation import Normalisation, on_unit_scale
from pytest_retrieval_robust.core.uploads import upload
from pytest_retrieval_robust.occluders import WHOLE, Frame
from pytest_retrieval_robust.occluders._donors import Donors
from pytest_retrieval_robust.occluders.cells import CellOccluder
from pytest_retrieval_robust.occluders.fills import FILLS
from pytest_retrieval_robust.occluders.fused import (
    EightBitImages,
    hidden_normalised,
    normalised,
)
from pytest_retrieval_robust.occluders.guided._greedy import search_falls
from pytest_retrieval_robust.occluders.guided._probe import Probe
from pytest_retrieval_robust.occluders.scene import Scene, Setting

from ..core.sweeps import encoder_of
from ..emulated_device import OnDevice
from ..measure.sweep.test_devices import OnDeviceEncoder
from .generators import CROPPED, picture
from .test_batch import EACH, IDS, SIDE, scene
from .waits import counted_waits

CUDA = "cuda:0"
UNGUIDED = (
    "patches",
    "box",
    "box(at=top-left)",
    "boxes",
    "blobs",
    "grid",
    "border",
    "side",
    "side(edge=left)",
    "lines",
    "marker",
    "pacemaker",
    "ecg-leads",
    "burned-in-text",
    *(f"patches(fill={fill})" for fill in FILLS),
    *(f"lines(fill={fill})" for fill in ("mean", "donor")),
)
FRAMES: dict[str, Frame] = {"whole": WHOLE, "crop": CROPPED, "one per image": EACH}


def ours(name: str, donors: Donors) -> CellOccluder:
    occluder = load_occluder(name)
    assert isinstance(occluder, CellOccluder)
    return replace(occluder, donors=donors)


def donors_on(device: str) -> Donors:
    pixels = picture(2, 3, SIDE, SIDE, seed=9)
    return Donors(["image-0", "other"], pixels.to(device), [WHOLE, CROPPED])


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("name", UNGUIDED)
def test_hiding_does_not_wait(name: str, frame: str) -> None:
    boxes = FRAMES[frame]
    on_host = ours(name, donors_on("cpu"))
    pixels = picture(len(IDS), 3, SIDE, SIDE)
    expected = on_host.occlude(pixels, IDS, 0.4, 1, boxes)
    expected_mask = on_host.mask(IDS, 0.4, 1, SIDE, boxes)
    with counted_waits() as waits:
        occluder = ours(name, donors_on(CUDA))
        on_device = pixels.to(CUDA)
        batch = replace(scene(), pixels=on_device)
        bound = replace(occluder.bind(batch), donors=occluder.donors)
        waits.clear()
        # Not remembered, then bound, then for another level.
        hidden = [
            which.occlude(on_device, IDS, 0.4, 1, boxes)
            for which in (occluder, bound, bound)
        ]
        mask = bound.mask(IDS, 0.4, 1, SIDE, boxes, CUDA)
        shares = bound.shares(IDS, 0.4, 1)
        counted = bound.hidden_pixels(IDS, 0.4, 1, SIDE, boxes, CUDA)
        assert waits == []
    for result in (*hidden, mask):
        assert isinstance(result, OnDevice)
    for result in hidden:
        assert isinstance(result, OnDevice)
        assert torch.allclose(result.on_host, expected, atol=1e-6)
    assert isinstance(mask, OnDevice)
    assert torch.equal(mask.on_host, expected_mask)
    assert shares == on_host.shares(IDS, 0.4, 1)
    assert isinstance(counted, OnDevice)
    assert torch.equal(counted.on_host, expected_mask.sum(dim=(1, 2, 3)))


@pytest.mark.parametrize("fill", FILLS)
def test_hiding_and_normalising_does_not_wait(fill: str) -> None:
    levels = (picture(len(IDS), 3, SIDE, SIDE) * 256).to(torch.uint8)
    constants = [torch.full((1, 3, 1, 1), value) for value in (0.4, 0.2)]
    on_host = ours(f"box(fill={fill})", donors_on("cpu"))
    hidden = on_host.occlude(on_unit_scale(levels), IDS, 0.4, 1, EACH)
    expected = Normalisation(constants[0], constants[1], torch.bfloat16)(hidden)
    with counted_waits() as waits:
        mean, std = (constant.to(CUDA) for constant in constants)
        normalisation = Normalisation(mean, std, torch.bfloat16)
        occluder = ours(f"box(fill={fill})", donors_on(CUDA))
        images = EightBitImages(levels.to(CUDA), IDS, EACH)
        waits.clear()
        result = hidden_normalised(occluder, images, 0.4, 1, normalisation)
        normalised(images.levels, normalisation)
        assert waits == []
    assert isinstance(result, OnDevice)
    assert torch.allclose(result.on_host.float(), expected.float(), atol=1e-5)


def test_a_search_waits_once_per_step() -> None:
    groups = np.arange(len(IDS))
    reports = torch.nn.functional.normalize(picture(6, SIDE * SIDE + 1, seed=4))

    def falls(device: str) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
        model = encoder_of(OnDeviceEncoder, device=device)
        setting = Setting(model, scene().setting.dataset, reports.to(device), groups)
        pixels = scene().pixels.to(device)
        batch = Scene(setting, range(6), IDS, pixels, EACH, groups)
        probe = Probe(batch, grid=4, fill="mean", k=1, batch=17)
        return probe.run([search_falls(16) for _ in IDS])

    expected = falls("cpu")
    with counted_waits() as waits:
        found = falls(CUDA)
        # The test itself puts two tensors there. One step asks about six batches of 17.
        assert waits == ["to", "to", "cpu"]
    assert np.allclose(np.stack(found), np.stack(expected), atol=1e-6)


def test_copies_of_ordinary_memory_wait_and_uploads_do_not() -> None:
    values = np.arange(3)
    with counted_waits() as waits:
        torch.from_numpy(values).to(CUDA)
        torch.tensor([1], device=CUDA)
        on_device = upload(values, CUDA)
        assert upload(on_device, CUDA) is on_device
        on_device[torch.tensor([0])]
        on_device[on_device > 1]
        float(on_device.sum())
        on_device.cpu()
        assert waits == [
            "to",
            "tensor",
            "index",
            "index",
            "_local_scalar_dense",
            "cpu",
        ]
    assert isinstance(on_device, OnDevice)
    assert on_device.on_host.tolist() == [0, 1, 2]


def test_what_is_uploaded_to_the_host_is_not_copied() -> None:
    values = np.arange(3)
    assert np.shares_memory(upload(values, "cpu").numpy(), values)
