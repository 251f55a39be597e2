"""What numbers were measured on, and peak memory: by names and bytes that the system is
made to tell.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pytest_retrieval_robust.measure.timing import hardware
from pytest_retrieval_robust.measure.timing.hardware import hardware_name, peak_memory


@pytest.fixture(autouse=True)
def _forget_processor() -> None:
    """The processor's name is cached; these tests change it."""
    hardware._processor.cache_clear()


def cpu_info(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "cpuinfo").write_text(text)
    monkeypatch.setattr(hardware, "_CPU_INFO", folder / "cpuinfo")


@pytest.mark.parametrize(("threads", "count"), [(1, "1 thread"), (2, "2 threads")])
def test_a_cpu_is_its_model_and_the_threads_that_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, threads: int, count: str
) -> None:
    text = (
        "vendor_id\t: AuthenticAMD\n"
        "model name\t: AMD EPYC  9B45 \n"
        "model name\t: other\n"
    )
    cpu_info(monkeypatch, tmp_path, text)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert hardware_name("cpu") == f"AMD EPYC 9B45 x {count}"


def test_a_cpu_that_tells_no_model_is_its_architecture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cpu_info(monkeypatch, tmp_path, "processor\t: 0\n")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(sys, "platform", "linux")
    assert hardware_name("cpu") == "aarch64 x 4 threads"


def test_an_unknown_system_still_gets_a_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(hardware, "_CPU_INFO", tmp_path / "absent")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", absent)
    for source in ("processor", "machine"):
        monkeypatch.setattr(platform, source, lambda: "")
    assert hardware_name("cpu").startswith("unknown processor x ")


def test_an_apple_device_is_its_chip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hardware, "_CPU_INFO", tmp_path / "absent")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="Apple M2\n")
    )
    assert hardware_name("mps") == "Apple M2 (mps)"


def test_a_cuda_device_is_what_torch_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.cuda, "get_device_name", lambda device: f"card of {device}"
    )
    assert hardware_name("cuda:1") == "card of cuda:1"


def test_cuda_memory_is_the_peak_since_the_work_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = {"peak": 900}
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda _: held.update(peak=100)
    )
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: held["peak"])
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    assert peak_memory(lambda: held.update(peak=300), "cuda:0") == 300


def test_mps_memory_is_what_the_driver_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 700)
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    assert peak_memory(lambda: None, "mps") == 700


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no peak resident set")
def test_cpu_memory_holds_at_least_what_the_work_touched() -> None:
    size = 32 * 2**20
    peak = peak_memory(lambda: np.ones(size, np.uint8), "cpu")
    assert peak is not None
    assert peak >= size


@pytest.mark.parametrize(("system", "device"), [("win32", "cpu"), ("linux", "xpu")])
def test_memory_that_the_system_does_not_tell_is_none(
    monkeypatch: pytest.MonkeyPatch, system: str, device: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    ran: list[int] = []
    assert peak_memory(lambda: ran.append(1), device) is None
    assert ran == [1]
