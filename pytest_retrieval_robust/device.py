"""Which device to run on, and how to wait for it."""

from __future__ import annotations

import os
import re

from .errors import ConfigError

_WORKER = "PYTEST_XDIST_WORKER"
"""What pytest-xdist tells each of its workers: `gw0`, `gw1`, ..."""


def resolve_device(name: str) -> str:
    """`auto` becomes a CUDA device, `mps` or `cpu`, whichever is there; a named device must be there.

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
    if name.startswith("cuda") and torch.cuda.is_available():
        index = int(name.partition(":")[2] or 0)
        if index < torch.cuda.device_count():
            return f"cuda:{index}"
    raise ConfigError(
        f"Expected a device of this machine, got device={name!r} with {torch.cuda.device_count()} CUDA devices "
        f"and mps={torch.backends.mps.is_available()}. Use auto or cpu, or mend the driver."
    )


def device_number(worker: str | None, devices: int) -> int:
    """Which of one or more devices a worker of pytest-xdist (`gw3`) takes; the first one without workers.

    >>> [device_number(worker, devices=2) for worker in (None, "gw0", "gw1", "gw2")]
    [0, 0, 1, 0]
    """
    number = re.fullmatch(r"gw(\d+)", worker or "")
    return int(number[1]) % devices if number else 0


def synchronise(device: str) -> None:
    """Wait until the device has done what it was asked, so that a clock read afterwards counts it."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()
