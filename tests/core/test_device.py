"""Which device a process takes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.device import (
    SLOT_VARIABLE,
    Slot,
    device_number,
    further_devices,
    further_numbers,
    own_slot,
    resolve_device,
)
from pytest_retrieval_robust.core.errors import ConfigError


@pytest.fixture
def four_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four CUDA devices, the last of another kind."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "AAAB"[number])


@given(workers=st.integers(1, 16), devices=st.integers(1, 16))
def test_slots_share_all_devices_and_none_takes_anothers_if_there_are_enough(
    workers: int, devices: int
) -> None:
    slots = [Slot(number, workers) for number in range(workers)]
    shares = [
        [device_number(slot, devices), *further_numbers(slot, devices)]
        for slot in slots
    ]
    taken = [number for share in shares for number in share]
    assert set(taken) == set(range(devices))
    assert len(taken) == max(workers, devices)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("worker", [None, "", "master", "gw", "remote7"])
def test_without_a_slot_or_a_number_the_first_device_is_taken(
    worker: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if worker is not None:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    assert device_number(own_slot(), devices=4) == 0


@pytest.mark.parametrize("slot", [None, "", "1", "1/0", "x/2"])
def test_without_a_slot_a_workers_name_tells(
    slot: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw3")
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "5")
    if slot is not None:
        monkeypatch.setenv(SLOT_VARIABLE, slot)
    assert own_slot() == Slot(3, 5)


def test_a_slot_is_read_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw7")
    monkeypatch.setenv(SLOT_VARIABLE, str(Slot(2, 4)))
    assert own_slot() == Slot(2, 4)


def test_a_named_device_is_the_same_in_every_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SLOT_VARIABLE, "1/2")
    assert resolve_device("cpu") == "cpu"
    assert further_devices("cpu") == []


@pytest.mark.usefixtures("four_devices")
@pytest.mark.parametrize(
    ("slot", "device", "further"),
    [
        ("0/1", "cuda:0", ["cuda:1", "cuda:2"]),
        ("1/2", "cuda:1", []),
        ("3/4", "cuda:3", []),
    ],
)
def test_further_devices_are_of_the_same_kind(
    slot: str, device: str, further: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SLOT_VARIABLE, slot)
    assert resolve_device("auto") == device
    assert further_devices("auto") == further


@pytest.mark.usefixtures("four_devices")
def test_an_environment_that_forces_tf32_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for allowed in ("", "0"):
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", allowed)
        assert resolve_device("cuda:2") == "cuda:2"
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    for name in ("auto", "cuda:2"):
        with pytest.raises(ConfigError, match="got NVIDIA_TF32_OVERRIDE='1'"):
            resolve_device(name)
    assert resolve_device("cpu") == "cpu"
