"""What numbers were measured on, and how much memory a piece of work takes there.

Light: torch comes late.
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

_CPU_INFO = Path("/proc/cpuinfo")


def hardware_name(device: str) -> str:
    """What the numbers of a device hold for: `NVIDIA H100 80GB HBM3`, `AMD EPYC 9B45 x
    2 threads`, `Apple M2 (mps)`.

    It names the part and no machine: neither a host nor a user.
    """
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device == "cpu":
        threads = torch.get_num_threads()
        return f"{_processor()} x {threads} thread{'' if threads == 1 else 's'}"
    return f"{_processor()} ({device})"


@cache
def _processor() -> str:
    """The processor's model, as the system tells it; its architecture where it does not."""
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
    """Bytes that were held at most while `action` ran on `device`; None where the
    system does not tell.

    What they count differs, so compare them on one device only. CUDA: what torch had
    allocated at once, weights and inputs included. CPU: the most that the whole process
    ever held resident, Python and all that ran before included. mps: what the driver
    holds afterwards.
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
    return peak if sys.platform == "darwin" else peak * 1024
