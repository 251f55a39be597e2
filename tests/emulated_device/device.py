"""The emulated device: its name, who uses it, and every wait for it."""

from __future__ import annotations

import sys
import threading
from bisect import bisect_right, insort
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch._C import DisableTorchFunction

import pytest_retrieval_robust

from .work import Work

Kind: TypeAlias = Literal[
    "upload",  # a copy to the device that is not from pinned memory, or that blocks
    "download",  # a copy to the host that is not to pinned memory, or that blocks
    "value",  # item, float, int, bool, tolist
    "count",  # nonzero, masked_select, unique, boolean indices: shapes need values
    "comparison",  # torch.equal, torch.allclose
    "synchronise",  # all that was asked of the device
    "event",  # what was asked of it before an event
]

_HERE = Path(__file__).parent
_OURS = (
    str(Path(pytest_retrieval_robust.__file__).parent),
    str(_HERE.parent),
)


@dataclass(frozen=True)
class Wait:
    """The host waits for the device."""

    kind: Kind
    file: str
    """Of the innermost frame of the package or of a test, from the repository's root."""
    line: int
    thread: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.kind} at {self.file}:{self.line}"


@dataclass
class Device:
    """What the emulated device is, which threads gave it work, and who waited for it."""

    name: str
    threads: set[int] = field(default_factory=set)
    waits: list[Wait] = field(default_factory=list)
    work: Work = field(default_factory=Work)
    _pinned: list[Tensor] = field(default_factory=list, repr=False)
    _pinned_starts: list[int] = field(default_factory=list, repr=False)
    """The addresses where pinned memory begins, in order."""
    _pinned_ends: dict[int, int] = field(default_factory=dict, repr=False)
    """The address behind the memory that begins at each of them."""
    _pinning: Lock = field(default_factory=Lock, repr=False)

    @property
    def real(self) -> torch.device:
        return torch.device(self.name)

    def is_meant(self, device: object) -> bool:
        return device is not None and torch.device(device).type == self.real.type  # type: ignore[call-overload]

    def refuse_float64(self, dtype: object) -> None:
        if self.name.startswith("mps") and dtype == torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework"
                " doesn't support float64."
            )

    def use(self) -> None:
        """Note that this thread gives the device work."""
        self.threads.add(threading.get_ident())

    def wait(self, kind: Kind) -> None:
        """Wait for everything that the device was asked for."""
        self.note(kind)
        self.work.finish()

    def note(self, kind: Kind) -> None:
        """Record a wait of this thread."""
        self.use()
        file, line = _site()
        self.waits.append(Wait(kind, file, line, threading.get_ident()))

    @contextmanager
    def forbid_waits(self, allowed: Collection[Kind] = ()) -> Iterator[None]:
        """Fail if any thread waits for the device in here, and name each line."""
        before = len(self.waits)
        yield
        waits = [wait for wait in self.waits[before:] if wait.kind not in allowed]
        lines = "\n".join(map(str, dict.fromkeys(waits)))
        assert not waits, f"Expected no wait for {self.name}, got waits:\n{lines}"

    def pin(self, tensor: Tensor) -> Tensor:
        """Call this host memory pinned. It is kept, so that no other tensor gets it."""
        with DisableTorchFunction():
            memory = tensor.untyped_storage()
            start, size = memory.data_ptr(), memory.nbytes()
        with self._pinning:
            self._pinned.append(tensor)
            if start not in self._pinned_ends:
                insort(self._pinned_starts, start)
            self._pinned_ends[start] = start + size
        return tensor

    def is_pinned(self, tensor: Tensor) -> bool:
        """Whether the tensor, or what it is a view of, was pinned."""
        with DisableTorchFunction():
            address = tensor.data_ptr()
        with self._pinning:
            number = bisect_right(self._pinned_starts, address)
            if number == 0:
                return False
            return address < self._pinned_ends[self._pinned_starts[number - 1]]


def _site() -> tuple[str, int]:
    """The file and line of the innermost frame that is ours, and not the emulation's."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        path = frame.f_code.co_filename
        if path.startswith(_OURS) and not path.startswith(str(_HERE)):
            for folder in _OURS:
                if path.startswith(folder):
                    return str(Path(path).relative_to(Path(folder).parent)), (
                        frame.f_lineno
                    )
        frame = frame.f_back
    return "?", 0


current: list[Device] = []
"""The device that is emulated now, first."""
