"""Which device to run on, and how to wait for it."""

from __future__ import annotations

import os
import re

from .errors import ConfigError

_WORKER = "PYTEST_XDIST_WORKER"
"""What pytest-xdist tells each of its workers: `gw0`, `gw1`, ..."""
_WORKERS = "PYTEST_XDIST_WORKER_COUNT"


def resolve_device(name: str) -> str:
    """`auto` becomes a CUDA device, `mps` or `cpu`, whichever is there; a named device
    must be there.

    Workers of pytest-xdist share several CUDA devices out among them (`device_number`).
    """
    import torch

    has_mps = torch.backends.mps.is_available()
    cuda_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        if cuda_devices:
            number = device_number(os.environ.get(_WORKER), cuda_devices)
            return f"cuda:{number}"
        return "mps" if has_mps else "cpu"
    if name == "cpu" or (name == "mps" and has_mps):
        return name
    numbered = re.fullmatch(r"cuda(?::(\d+))?", name)
    if numbered is not None:
        number = int(numbered[1] or 0)
        if number < cuda_devices:
            return f"cuda:{number}"
    raise ConfigError(
        f"Expected a device of this machine, got device={name!r} with"
        f" {torch.cuda.device_count()} CUDA devices and mps={has_mps}. Use auto or"
        " cpu, or fix the driver."
    )


def device_number(worker: str | None, devices: int) -> int:
    """Which of one or more devices a worker of pytest-xdist (`gw3`) takes; the first
    one without workers.

    >>> [device_number(worker, devices=2) for worker in (None, "gw0", "gw1", "gw2")]
    [0, 0, 1, 0]
    """
    numbered = re.fullmatch(r"gw(\d+)", worker or "")
    if numbered is None:
        return 0
    return int(numbered[1]) % devices


def further_devices(name: str) -> list[str]:
    """The CUDA devices beside the one that `auto` stands for, as far as they are of the
    same kind; none where a device is named.

    Each worker of pytest-xdist has its own share of them.
    """
    import torch

    if name != "auto" or not torch.cuda.is_available():
        return []
    worker = os.environ.get(_WORKER)
    workers = int(os.environ.get(_WORKERS, "1"))
    count = torch.cuda.device_count()
    kind = torch.cuda.get_device_name(device_number(worker, count))
    # Another kind may round otherwise: what is stored must not depend on which one was faster.
    return [
        f"cuda:{number}"
        for number in further_numbers(worker, workers, count)
        if torch.cuda.get_device_name(number) == kind
    ]


def further_numbers(worker: str | None, workers: int, devices: int) -> list[int]:
    """The devices beside `device_number` that no other of so many workers takes.

    >>> [further_numbers(worker, workers=2, devices=5) for worker in ("gw0", "gw1")]
    [[2, 4], [3]]
    >>> further_numbers(None, workers=1, devices=3)
    [1, 2]
    """
    return list(range(device_number(worker, devices) + workers, devices, workers))


def synchronise(device: str) -> None:
    """Wait until the device has done what it was asked, so that a clock read afterwards
    counts it.
    """
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def usable_cores() -> int:
    """The cores that this process may use: fewer than the machine has in a container, or
    under a scheduler, that pins it to some.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
