"""Counts what makes the host wait for an emulated CUDA device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from ..emulated_device import OnDevice, emulated

_ANSWERS = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select")


class _Uploads(TorchFunctionMode):
    """Copies to the device: they wait unless they are from pinned memory and non-blocking."""

    def __init__(self, waits: list[str], pinned: dict[int, Tensor]) -> None:
        super().__init__()
        self._waits = waits
        self._pinned = pinned

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        options = dict(kwargs or {})
        if func is Tensor.to and not isinstance(args[0], OnDevice):
            targets = [*args[1:], options.get("device")]
            is_queued = id(args[0]) in self._pinned and options.get("non_blocking")
            if any(map(_is_device, targets)) and not is_queued:
                self._waits.append("to")
        # These make a tensor on the host and copy it.
        if func in (torch.tensor, torch.as_tensor) and _is_device(
            options.get("device")
        ):
            self._waits.append(func.__name__)
        return func(*args, **options)


class _Answers(TorchDispatchMode):
    """Operations that need a number of the device, or a list of numbers of the host."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._waits = waits

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        tensors = [leaf for leaf in tree_flatten(args)[0] if isinstance(leaf, Tensor)]
        is_on_device = any(isinstance(tensor, OnDevice) for tensor in tensors)
        asks = name in _ANSWERS or _indexes_from_host(name, tensors)
        if is_on_device and asks:
            self._waits.append(name)
        return func(*args, **(kwargs or {}))


def _indexes_from_host(name: str, tensors: Sequence[Tensor]) -> bool:
    """Whether an index is copied to the device, or a mask is read from it."""
    if not name.startswith("index") or name in ("index_select", "index_fill_"):
        return False
    return any(
        tensor.dtype == torch.bool or not isinstance(tensor, OnDevice)
        for tensor in tensors[1:]
    )


def _is_device(value: object) -> bool:
    if isinstance(value, OnDevice):
        return True
    return isinstance(value, str | torch.device) and torch.device(value).type == "cuda"


@contextmanager
def counted_waits() -> Iterator[list[str]]:
    """An emulated `cuda:0`, and what waits for it in this thread."""
    waits: list[str] = []
    pinned: dict[int, Tensor] = {}

    def pin(tensor: Tensor, *_: object) -> Tensor:
        own = tensor.clone()
        # Kept, so that no other tensor is taken for it.
        pinned[id(own)] = own
        return own

    def to_host(name: str) -> Any:
        method = getattr(OnDevice, name)

        def counted(tensor: OnDevice, *args: Any, **options: Any) -> Any:
            result = method(tensor, *args, **options)
            if not isinstance(result, OnDevice):
                waits.append(name)
            return result

        return mock.patch.object(OnDevice, name, counted)

    with (
        emulated("cuda:0"),
        mock.patch.object(Tensor, "pin_memory", pin),
        to_host("cpu"),
        to_host("to"),
        to_host("tolist"),
        _Uploads(waits, pinned),
        _Answers(waits),
    ):
        yield waits
