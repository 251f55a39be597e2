"""The emulation, switched on and off again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from torch import Tensor

from .device import Device, current
from .tensors import Mode, OnDevice, Placing


@dataclass
class _Event:
    """A place in what the device was asked for."""

    device: Device
    number: int = 0

    def record(self, *_: Any) -> None:
        self.number = self.device.work.asked

    def query(self) -> bool:
        return self.number <= self.device.work.done

    def synchronize(self) -> None:
        self.device.note("event")
        self.device.work.finish(self.number)

    def elapsed_time(self, _: _Event) -> float:
        return 1.0


@dataclass
class _Stream:
    """The one stream that all threads share."""

    device: Device

    def record_event(self, event: _Event | None = None) -> _Event:
        event = event or _Event(self.device)
        event.record()
        return event

    def wait_event(self, _: _Event) -> None:
        """Nothing: work of one stream is done in order."""

    def synchronize(self) -> None:
        self.device.wait("synchronise")


@contextmanager
def emulated(name: str) -> Iterator[Device]:
    """`cuda:0` or `mps`, in every thread that begins in here."""
    device = Device(name)
    run = threading.Thread.run

    def in_mode(thread: threading.Thread) -> None:
        with Placing(), Mode():  # type: ignore[no-untyped-call]
            run(thread)

    replaced: dict[str, Any] = {
        "torch.Tensor.pin_memory": lambda tensor, *_: _pinned(device, tensor),
        "torch.Tensor.is_pinned": lambda tensor, *_: device.is_pinned(tensor),
        "torch.cuda._lazy_init": lambda: None,
        "torch.cuda.current_stream": lambda *_: _Stream(device),
        "torch.cuda.Event": lambda **_: _Event(device),
        "torch.cuda.synchronize": lambda *_: device.wait("synchronise"),
        "torch.cuda.get_device_capability": lambda *_: (7, 5),
        "torch.cuda.get_device_name": lambda *_: "Emulated",
        "torch.mps.synchronize": lambda: device.wait("synchronise"),
        "threading.Thread.run": in_mode,
    }
    current.insert(0, device)
    try:
        with ExitStack() as stack:
            for target, value in replaced.items():
                stack.enter_context(mock.patch(target, value))
            stack.enter_context(Placing())
            stack.enter_context(Mode())  # type: ignore[no-untyped-call]
            yield device
            device.work.check()
    finally:
        current.pop(0)
    assert not device.work.faults, device.work.faults


def _pinned(device: Device, tensor: Tensor) -> Tensor:
    assert not isinstance(tensor, OnDevice), "only memory of the host can be pinned"
    if device.is_pinned(tensor):
        return tensor
    return device.pin(tensor.clone())
