"""Copies from the host to a device that nobody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .memory import pinned

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


def upload(
    values: torch.Tensor | NDArray[Any], device: torch.device | str
) -> torch.Tensor:
    """A tensor or array of the host on `device`; a tensor that is there already is returned.

    A copy from ordinary memory to a CUDA device waits until the device has done all
    that it was asked. One from pinned memory is queued behind it, and torch's allocator
    keeps that memory until the copy is done.
    """
    import torch

    tensor = values if isinstance(values, torch.Tensor) else torch.from_numpy(values)
    is_queued = torch.device(device).type == "cuda" and tensor.device.type == "cpu"
    if is_queued:
        return pinned(tensor).to(device, non_blocking=True)
    return tensor.to(device)
