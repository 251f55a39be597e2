"""The hardware that numbers were measured on, and the memory that work takes there.

Light: torch is imported when it is needed.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from ...core.device import synchronise
from ...core.words import counted

_CPU_INFO = Path("/proc/cpuinfo")


def hardware_name(device: str) -> str:
    """The hardware of a device, such as `NVIDIA H100 80GB HBM3` or `Apple M2 (mps)`.

    A CPU is named with its threads: `AMD EPYC 9B45 x 2 threads`. The name is that of a
    part, never of a host or a user.
    """
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device == "cpu":
        threads = torch.get_num_threads()
        return f"{_processor()} x {counted(threads, 'thread')}"
    return f"{_processor()} ({device})"


@cache
def _processor() -> str:
    """The processor's model; its architecture if the system does not name the model."""
    return (
        _from_cpu_info()
        or _from_sysctl()
        or platform.processor()
        or platform.machine()
        or "unknown processor"
    )


def _from_cpu_info() -> str:
    with suppress(OSError):
        for line in _CPU_INFO.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return " ".join(value.split())
    return ""


def _from_sysctl() -> str:
    if sys.platform != "darwin":
        return ""
    command = ["sysctl", "-n", "machdep.cpu.brand_string"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    return ""


def peak_memory(action: Callable[[], object], device: str) -> int | None:
    """The most bytes held while `action` ran on `device`; None if the system cannot say.

    Devices count differently, so compare numbers of one device only. CUDA: what torch
    had allocated at once, weights and inputs included. CPU: the most that the whole
    process ever held resident, Python and all that ran before included. mps: what the
    driver holds afterwards.
    """
    import torch

    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        action()
        synchronise(device)
        return torch.cuda.max_memory_allocated(device)
    action()
    if device == "mps":
        synchronise(device)
        return torch.mps.driver_allocated_memory()
    return _peak_resident() if device == "cpu" else None


def _peak_resident() -> int | None:
    """The peak resident set of this process, in bytes; Windows has no such call."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux kilobytes.
    return peak if sys.platform == "darwin" else peak * 1024
