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

    if name == "auto":
        if torch.cuda.is_available():
            return f"cuda:{device_number(os.environ.get(_WORKER), torch.cuda.device_count())}"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cpu":
        return name
    if name == "mps" and torch.backends.mps.is_available():
        return name
    numbered = re.fullmatch(r"cuda(?::(\d+))?", name)
    if numbered is not None and torch.cuda.is_available():
        index = int(numbered[1] or 0)
        if index < torch.cuda.device_count():
            return f"cuda:{index}"
    raise ConfigError(
        f"Expected a device of this machine, got device={name!r} with"
        f" {torch.cuda.device_count()} CUDA devices and"
        f" mps={torch.backends.mps.is_available()}. Use auto or cpu, or fix the driver."
    )


def device_number(worker: str | None, devices: int) -> int:
    """Which of one or more devices a worker of pytest-xdist (`gw3`) takes; the first
    one without workers.

    >>> [device_number(worker, devices=2) for worker in (None, "gw0", "gw1", "gw2")]
    [0, 0, 1, 0]
    """
    number = re.fullmatch(r"gw(\d+)", worker or "")
    return int(number[1]) % devices if number else 0


def further_devices(name: str) -> list[str]:
    """The CUDA devices of its kind beside the one that `auto` stands for; none where a
    device is named, or alone.

    Of several pytest-xdist workers each has its own share of them.
    """
    import torch

    if name != "auto" or not torch.cuda.is_available():
        return []
    worker, workers = os.environ.get(_WORKER), int(os.environ.get(_WORKERS, "1"))
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
