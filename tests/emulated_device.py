"""A device that is none: its tensors say `cuda:0` or `mps:0`, and live on the processor.

They refuse what tensors of such a device would refuse.
They may not be mixed with the host's, may not become arrays of numpy, and on an
emulated Apple GPU may not be float64. So a tensor that is left on the wrong side fails
on a machine without a GPU. What a real device computes otherwise, and in what order it
works, is not emulated.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

_INDEXING = ("index", "_unsafe_index", "index_put", "index_put_", "_index_put_impl_")
_ANSWERS = ("_local_scalar_dense", "is_nonzero", "equal")


@dataclass
class Device:
    """What the emulated device is, and which threads gave it work."""

    name: str
    threads: set[int] = field(default_factory=set)

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


_current: list[Device] = []


class OnDevice(Tensor):
    """A tensor of the emulated device around one of the host."""

    on_host: Tensor

    @staticmethod
    def __new__(cls, on_host: Tensor) -> OnDevice:
        wrapper = Tensor._make_wrapper_subclass(
            cls,
            on_host.size(),
            strides=on_host.stride(),
            storage_offset=on_host.storage_offset(),
            dtype=on_host.dtype,
            layout=on_host.layout,
            device=torch.device("cpu"),
            requires_grad=False,
        )
        wrapper.on_host = on_host
        return wrapper

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _dispatch(func, args, kwargs or {})

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return _current[0].real

    @property
    def is_cpu(self) -> bool:  # type: ignore[override]
        return False

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            f"can't convert {_current[0].name} device type tensor to numpy. Use"
            " Tensor.cpu() first."
        )

    __array__ = numpy

    def tolist(self) -> Any:
        return self.on_host.tolist()

    def cpu(self, *_: Any) -> Tensor:
        _current[0].threads.add(threading.get_ident())
        return self.on_host.clone()

    def double(self) -> Tensor:
        return self.to(torch.float64)

    def to(self, *args: Any, **options: Any) -> Tensor:
        on_host = [_host_of(argument) for argument in args]
        copies = options.pop("copy", False)
        device, dtype, _, _ = torch._C._nn._parse_to(*on_host, **options)
        if args and isinstance(args[0], Tensor):
            device = args[0].device
        if device is not None and device.type == "cpu":
            return self.on_host.to(dtype=dtype or self.dtype, copy=True)
        _current[0].refuse_float64(dtype)
        if not copies and dtype in (None, self.dtype):
            return self
        return OnDevice(self.on_host.to(dtype or self.dtype, copy=True))


class _Placing(TorchFunctionMode):
    """Makes tensors on the device, or moves them there, before torch looks for a real one."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        device = _current[0]
        options = dict(kwargs or {})
        if func is Tensor.to and not isinstance(args[0], OnDevice):
            source, *targets = args
            if device.is_meant(_target_device((*targets, options.get("device")))):
                dtype = _target_dtype((*targets, options.get("dtype"))) or source.dtype
                device.refuse_float64(dtype)
                return OnDevice(source.to(dtype, copy=True))
        elif device.is_meant(options.get("device")):
            device.refuse_float64(options.get("dtype"))
            return OnDevice(func(*args, **{**options, "device": "cpu"}))
        return func(*args, **options)


def _target_device(targets: Sequence[Any]) -> Any:
    """The device that a call of `to` names, by itself or by another tensor; or None."""
    for target in targets:
        if isinstance(target, OnDevice):
            return _current[0].name
        if isinstance(target, str | torch.device):
            return target
    return None


def _target_dtype(targets: Sequence[Any]) -> torch.dtype | None:
    for target in targets:
        if isinstance(target, torch.dtype):
            return target
    return None


class _Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _dispatch(func, args, kwargs or {})


def _dispatch(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    device = _current[0]
    name = func.overloadpacket.__name__
    leaves = tree_flatten((args, kwargs))[0]
    on_device = [leaf for leaf in leaves if isinstance(leaf, OnDevice)]
    target = kwargs.get("device")
    if on_device or device.is_meant(target):
        device.threads.add(threading.get_ident())
    if name == "_to_copy":
        return _copied(func, args, kwargs, device)
    if name == "copy_":
        func(*tree_map(_host_of, args), **kwargs)
        return args[0]
    # An index may lie on the host, as may a scalar.
    is_indexing = name in _INDEXING and isinstance(args[0], OnDevice)
    if on_device and _any_on_host(leaves) and not is_indexing:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, found {device.name} and"
            f" cpu, in {func}"
        )
    if not on_device and not device.is_meant(target):
        return func(*args, **kwargs)
    device.refuse_float64(kwargs.get("dtype"))
    options = dict(kwargs)
    if "device" in kwargs:
        options["device"] = torch.device("cpu")
    result = func(*tree_map(_host_of, args), **tree_map(_host_of, options))
    if name in _ANSWERS:
        return result
    # What was changed in place, or written to, is the caller's own tensor.
    own = {id(tensor.on_host): tensor for tensor in on_device}

    def to_device(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) in own:
            return own[id(value)]
        return OnDevice(value)

    return tree_map(to_device, result)


def _any_on_host(leaves: Sequence[Any]) -> bool:
    """Whether there is a tensor of the host, scalars aside."""
    for leaf in leaves:
        if isinstance(leaf, Tensor) and not isinstance(leaf, OnDevice) and leaf.dim():
            return True
    return False


def _copied(func: Any, args: Any, kwargs: dict[str, Any], device: Device) -> Tensor:
    source = args[0]
    target = kwargs.get("device")
    stays_on_device = target is None and isinstance(source, OnDevice)
    goes_to_device = stays_on_device or device.is_meant(target)
    if goes_to_device:
        device.refuse_float64(kwargs.get("dtype"))
    options = {
        name: value
        for name, value in kwargs.items()
        if name not in ("device", "non_blocking")
    }
    copied: Tensor = func(_host_of(source), **options)
    if goes_to_device:
        return OnDevice(copied)
    return copied


def _host_of(value: Any) -> Any:
    return value.on_host if isinstance(value, OnDevice) else value


class _Event:
    def query(self) -> bool:
        return True

    def elapsed_time(self, _: _Event) -> float:
        return 1.0


class _Stream:
    def record_event(self, event: _Event) -> _Event:
        return event


@contextmanager
def emulated(name: str) -> Iterator[Device]:
    """`cuda:0` or `mps`, in every thread that begins in here."""
    device = Device(name)
    run = threading.Thread.run

    def in_mode(thread: threading.Thread) -> None:
        with _Placing(), _Mode():  # type: ignore[no-untyped-call]
            run(thread)

    replaced: dict[str, Any] = {
        "torch.Tensor.pin_memory": lambda tensor, *_: tensor,
        "torch.cuda._lazy_init": lambda: None,
        "torch.cuda.current_stream": lambda *_: _Stream(),
        "torch.cuda.Event": lambda **_: _Event(),
        "torch.cuda.set_device": lambda *_: None,
        "torch.cuda.synchronize": lambda *_: None,
        "torch.cuda.get_device_capability": lambda *_: (7, 5),
        "torch.cuda.get_device_name": lambda *_: "Emulated",
        "torch.mps.synchronize": lambda: None,
        "threading.Thread.run": in_mode,
    }
    _current.insert(0, device)
    try:
        with ExitStack() as stack:
            for target, value in replaced.items():
                stack.enter_context(mock.patch(target, value))
            stack.enter_context(_Placing())
            stack.enter_context(_Mode())  # type: ignore[no-untyped-call]
            yield device
    finally:
        _current.pop(0)
