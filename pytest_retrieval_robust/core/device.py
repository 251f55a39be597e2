"""Which device to run on, and how to wait for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import ConfigError
from .float32 import refuse_forced_tf32

SLOT_VARIABLE = "RETRIEVAL_ROBUST_SLOT"
"""The slot of a worker of pytest-xdist, as `str(Slot)`, for it and what it starts."""
_WORKER = "PYTEST_XDIST_WORKER"
"""What pytest-xdist tells each of its workers: `gw0`, `gw1`, ..."""
_WORKERS = "PYTEST_XDIST_WORKER_COUNT"


@dataclass(frozen=True)
class Slot:
    """The place of a process among those that share the devices of a machine."""

    number: int = 0
    """From 0. A worker that replaces one that died has its number."""
    count: int = 1
    """How many processes share the devices."""

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def resolve_device(name: str) -> str:
    """`auto` becomes a CUDA device, `mps` or `cpu`, whichever is there; a named device
    must be there.

    Workers of pytest-xdist share several CUDA devices out among them (`device_number`).
    Raises `ConfigError` for a device that is not there, and for one whose float32 is
    shortened from outside (`float32`).
    """
    import torch

    has_mps = torch.backends.mps.is_available()
    cuda_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        if cuda_devices:
            refuse_forced_tf32()
            return f"cuda:{device_number(own_slot(), cuda_devices)}"
        return "mps" if has_mps else "cpu"
    if name == "cpu" or (name == "mps" and has_mps):
        return name
    numbered = re.fullmatch(r"cuda(?::(\d+))?", name)
    if numbered is not None:
        number = int(numbered[1] or 0)
        if number < cuda_devices:
            refuse_forced_tf32()
            return f"cuda:{number}"
    raise ConfigError(
        f"Expected a device of this machine, got device={name!r} with"
        f" {torch.cuda.device_count()} CUDA devices and mps={has_mps}. Use auto or"
        " cpu, or fix the driver."
    )


def own_slot() -> Slot:
    """The slot of this process: what its run gave it, else what its name says."""
    given = re.fullmatch(r"(\d+)/([1-9]\d*)", os.environ.get(SLOT_VARIABLE, ""))
    if given is not None:
        return Slot(int(given[1]), int(given[2]))
    # A run without this package's plugin in its controller.
    numbered = re.fullmatch(r"gw(\d+)", os.environ.get(_WORKER, ""))
    number = 0 if numbered is None else int(numbered[1])
    return Slot(number, int(os.environ.get(_WORKERS, "1")))


def device_number(slot: Slot, devices: int) -> int:
    """Which of one or more devices a process takes.

    >>> [device_number(Slot(number, 3), devices=2) for number in range(3)]
    [0, 1, 0]
    """
    return slot.number % devices


def further_devices(name: str) -> list[str]:
    """The CUDA devices beside the one that `auto` stands for, as far as they are of the
    same kind; none where a device is named.

    Each slot has its own share of them.
    """
    import torch

    if name != "auto" or not torch.cuda.is_available():
        return []
    slot = own_slot()
    count = torch.cuda.device_count()
    kind = torch.cuda.get_device_name(device_number(slot, count))
    # Another kind may round otherwise: what is stored must not depend on which one was faster.
    return [
        f"cuda:{number}"
        for number in further_numbers(slot, count)
        if torch.cuda.get_device_name(number) == kind
    ]


def further_numbers(slot: Slot, devices: int) -> list[int]:
    """The devices beside `device_number` that no process in another slot takes.

    >>> [further_numbers(Slot(number, 2), devices=5) for number in (0, 1)]
    [[2, 4], [3]]
    >>> further_numbers(Slot(), devices=3)
    [1, 2]
    """
    first_further = device_number(slot, devices) + slot.count
    return list(range(first_further, devices, slot.count))


def use_device(device: str) -> None:
    """Have `cuda` without a number mean that device in this thread, as encoders may say it."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.set_device(device)


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


@contextmanager
def one_thread(device: str) -> Iterator[None]:
    """One thread of torch for what runs on a processor; the caller's number comes back.

    Products of few rows are split among threads, so that their last bits follow from
    how many there are.
    """
    import torch

    if device != "cpu":
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
