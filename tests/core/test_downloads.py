"""Copies to the host, and pixels on their way to a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust.core.downloads import Download
from pytest_retrieval_robust.core.encoding import unit_scale

from ..emulated_device import OnDevice, emulated


@pytest.mark.parametrize("name", ["cpu", "cuda:0", "mps"])
def test_what_arrives_is_what_was_on_the_device(name: str) -> None:
    with emulated("mps" if name == "mps" else "cuda:0"):
        rows = torch.arange(6.0).reshape(2, 3).to(name)
        download = Download.of([rows, rows > 2], name)
        # The device may use the memory of the rows for other things by now.
        if name != "cpu":
            rows.zero_()
        numbers, mask = download.wait()
        assert not isinstance(numbers, OnDevice)
        assert numbers.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert mask.tolist() == [[False] * 3, [True] * 3]


def test_a_download_waits_once_and_not_for_later_work() -> None:
    with emulated("cuda:0") as device:
        first = torch.ones(2, device="cuda:0")
        with device.forbid_waits():
            download = Download.of([first, first + 1], "cuda:0")
            later = (first + 2).to("cpu", non_blocking=True)
        download.wait()
        assert later.isnan().all()
    assert [wait.kind for wait in device.waits] == ["event"]


@pytest.mark.parametrize("is_pinned", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pixels_reach_a_gpu_without_a_wait(
    dtype: type[np.uint8 | np.float32], is_pinned: bool
) -> None:
    pixels: NDArray[Any] = np.arange(24, dtype=dtype).reshape(2, 3, 2, 2)
    expected = pixels / np.float32(255) if dtype is np.uint8 else pixels
    with emulated("cuda:0") as device, device.forbid_waits():
        on_host = torch.from_numpy(pixels)
        # A part of a pinned batch is pinned too, and is not copied again.
        source = on_host.pin_memory()[1:] if is_pinned else pixels[1:]
        scaled = unit_scale(source, "cuda:0")
    assert isinstance(scaled, OnDevice)
    assert scaled.dtype == torch.float32
    assert scaled.on_host.numpy().tobytes() == expected[1:].tobytes()
