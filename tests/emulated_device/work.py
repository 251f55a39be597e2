"""Copies that the host does not wait for: they arrive once it waits for what came after."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import RLock

from torch import Tensor


@dataclass(frozen=True)
class _Download:
    """A copy to the host that has not arrived."""

    number: int
    target: Tensor
    values: Tensor


@dataclass(frozen=True)
class _Upload:
    """A copy from pinned memory that the device may not have made yet."""

    number: int
    source: Tensor
    values: bytes


@dataclass
class Work:
    """What the device was asked for, in order: one stream for all threads."""

    faults: list[str] = field(default_factory=list)
    """Buffers that were written to before their upload was over."""
    asked: int = 0
    done: int = 0
    _downloads: list[_Download] = field(default_factory=list)
    _uploads: list[_Upload] = field(default_factory=list)
    _lock: RLock = field(default_factory=RLock)

    def download(self, target: Tensor, values: Tensor) -> None:
        """Put `values` into `target` later, and nonsense until then."""
        with self._lock:
            self.asked += 1
            self._downloads.append(_Download(self.asked, target, values.clone()))
            if target.is_floating_point():
                target.fill_(float("nan"))
            else:
                target.copy_(values ^ 1)

    def upload(self, source: Tensor) -> None:
        """Note that `source` must stay as it is for now."""
        with self._lock:
            self.asked += 1
            self._uploads.append(_Upload(self.asked, source, _bytes(source)))

    def finish(self, number: int | None = None) -> None:
        """Have everything done that was asked for up to that number; None means all."""
        with self._lock:
            last = self.asked if number is None else number
            for copy in [copy for copy in self._downloads if copy.number <= last]:
                copy.target.copy_(copy.values)
                self._downloads.remove(copy)
            self._check([copy for copy in self._uploads if copy.number <= last])
            self._uploads = [copy for copy in self._uploads if copy.number > last]
            self.done = max(self.done, last)

    def check(self) -> None:
        """Find the buffers that were written to although nothing waited for their upload."""
        with self._lock:
            self._check(self._uploads)

    def _check(self, uploads: list[_Upload]) -> None:
        for copy in uploads:
            if _bytes(copy.source) != copy.values:
                self.faults.append(
                    f"a buffer of shape {tuple(copy.source.shape)} was written to"
                    " while it was uploaded"
                )


def _bytes(tensor: Tensor) -> bytes:
    from torch import uint8

    return tensor.detach().contiguous().reshape(-1).view(uint8).numpy().tobytes()
