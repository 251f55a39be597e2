"""Which device a process takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.device import device_number, resolve_device


@given(first=st.integers(0, 100), devices=st.integers(1, 16))
def test_as_many_workers_as_devices_take_one_each(first: int, devices: int) -> None:
    taken = {
        device_number(f"gw{number}", devices)
        for number in range(first, first + devices)
    }
    assert taken == set(range(devices))


@pytest.mark.parametrize("worker", [None, "", "master", "gw", "remote7"])
def test_without_a_workers_number_the_first_device_is_taken(worker: str | None) -> None:
    assert device_number(worker, devices=4) == 0


def test_a_named_device_is_the_same_in_every_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    assert resolve_device("cpu") == "cpu"
