"""Copies from a device to the host that are asked for in the order of its work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .foreign import let_go
from .memory import is_out_of_memory

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Download:
    """Tensors on their way to the host.

    On a CUDA device nothing waits until `wait` is called, and that waits for what was
    asked for before the copies, and not for what was asked for since.
    """

    _on_host: Sequence[Tensor]
    _event: Any = None
    """After the copies. None where they were waited for."""

    @classmethod
    def of(cls, tensors: Sequence[Tensor], device: str) -> Download:
        """Begin to copy tensors that `device` works on, in the thread that uses it."""
        import torch

        if not device.startswith("cuda"):
            return cls([tensor.cpu() for tensor in tensors])
        # Torch takes pinned memory for these, and gives it to nobody else before the
        # copy is done.
        on_host = [_begun(tensor) for tensor in tensors]
        # A thread that waits for this event sleeps, and leaves its core to a decoder.
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        torch.cuda.current_stream(device).record_event(event)
        return cls(on_host, event)

    def wait(self) -> Sequence[Tensor]:
        """The tensors on the host, from any thread. Errors of the device arise here."""
        if self._event is not None:
            self._event.synchronize()
        return self._on_host


def _begun(tensor: Tensor) -> Tensor:
    try:
        return tensor.to("cpu", non_blocking=True)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        let_go(error)
    # The host has no more memory to pin. That is no reason to encode fewer images.
    return tensor.cpu()
