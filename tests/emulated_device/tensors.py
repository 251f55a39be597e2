"""Tensors of the emulated device, and what torch does with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from .device import Device, Kind, current

_INDEXING = ("index", "_unsafe_index", "index_put", "index_put_", "_index_put_impl_")
_ANSWERS: dict[str, Kind] = {
    "_local_scalar_dense": "value",
    "is_nonzero": "value",
    "equal": "comparison",
    "allclose": "comparison",
}
"""Operations that give the host a value."""
_COUNTING = (
    "nonzero",
    "masked_select",
    "_unique",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "bincount",
)
"""Operations whose result has a shape that depends on values."""
_UPLOADING = (torch.tensor, torch.as_tensor, torch.asarray)
"""Functions that fill a tensor on the host and copy it."""


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
        return current[0].real

    @property
    def is_cpu(self) -> bool:  # type: ignore[override]
        return False

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return current[0].name.startswith("cuda")

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            f"can't convert {current[0].name} device type tensor to numpy. Use"
            " Tensor.cpu() first."
        )

    __array__ = numpy

    def tolist(self) -> Any:
        current[0].wait("value")
        return self.on_host.tolist()

    def cpu(self, *_: Any) -> Tensor:
        current[0].wait("download")
        return self.on_host.clone()

    def data_ptr(self) -> int:
        """None: a compiled kernel must not be given this memory."""
        return 0

    def double(self) -> Tensor:
        return self.to(torch.float64)

    def to(self, *args: Any, **options: Any) -> Tensor:
        on_host = [_host_of(argument) for argument in args]
        copies = options.pop("copy", False)
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*on_host, **options)
        if args and isinstance(args[0], Tensor):
            device = args[0].device
        if device is not None and device.type == "cpu":
            return _downloaded(self, dtype or self.dtype, non_blocking)
        current[0].refuse_float64(dtype)
        if not copies and dtype in (None, self.dtype):
            return self
        current[0].use()
        return OnDevice(self.on_host.to(dtype or self.dtype, copy=True))


class Placing(TorchFunctionMode):
    """Makes tensors on the device, or moves them there, before torch looks for a real one."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        device = current[0]
        options = dict(kwargs or {})
        is_pinned = options.pop("pin_memory", False)
        if func is Tensor.to and not isinstance(args[0], OnDevice):
            source, *targets = args
            if device.is_meant(_target_device((*targets, options.get("device")))):
                dtype = _target_dtype((*targets, options.get("dtype"))) or source.dtype
                device.refuse_float64(dtype)
                _upload(source, _is_non_blocking(targets, options))
                return OnDevice(source.to(dtype, copy=True))
        elif device.is_meant(options.get("device")):
            device.refuse_float64(options.get("dtype"))
            if func in _UPLOADING:
                device.wait("upload")
            device.use()
            return OnDevice(func(*args, **{**options, "device": "cpu"}))
        made = func(*args, **options)
        return device.pin(made) if is_pinned else made


def _target_device(targets: Sequence[Any]) -> Any:
    """The device that a call of `to` names, by itself or by another tensor; or None."""
    for target in targets:
        if isinstance(target, OnDevice):
            return current[0].name
        if isinstance(target, str | torch.device):
            return target
    return None


def _target_dtype(targets: Sequence[Any]) -> torch.dtype | None:
    for target in targets:
        if isinstance(target, torch.dtype):
            return target
    return None


def _is_non_blocking(targets: Sequence[Any], options: dict[str, Any]) -> bool:
    """Whether a call of `to` asks not to wait."""
    by_position = any(target is True for target in targets)
    return by_position or bool(options.get("non_blocking"))


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees what torch does with tensors of either side."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _dispatch(func, args, kwargs or {})


def _dispatch(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    device = current[0]
    name = func.overloadpacket.__name__
    leaves = [*_leaves(args), *_leaves(kwargs)]
    on_device = [leaf for leaf in leaves if isinstance(leaf, OnDevice)]
    target = kwargs.get("device")
    if on_device or device.is_meant(target):
        device.use()
    if name == "_to_copy":
        return _copied(func, args, kwargs, device)
    if name == "copy_":
        return _copied_into(*args, **kwargs)
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
    kind = _wait_of(name, args, kwargs)
    if kind is not None:
        device.wait(kind)
    if name in ("div", "div_") and _is_by_a_number_of_the_host(args, kwargs):
        return _multiplied_by_reciprocal(name, *args)
    result = func(*_mapped(_host_of, args), **_mapped(_host_of, options))
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

    return _mapped(to_device, result)


def _leaves(value: Any) -> Iterator[Any]:
    """What lies in lists, tuples and dictionaries. Ten times as fast as torch's own trees."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        yield value
        return
    for inner in value:
        yield from _leaves(inner)


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """The same lists, tuples and dictionaries of changed leaves."""
    if isinstance(value, dict):
        return {name: _mapped(change, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(change, inner) for inner in value]
    if isinstance(value, tuple):
        return tuple(_mapped(change, inner) for inner in value)
    return change(value)


def _is_by_a_number_of_the_host(args: Any, kwargs: dict[str, Any]) -> bool:
    dividend, divisor = args
    if not isinstance(dividend, OnDevice) or isinstance(divisor, OnDevice):
        return False
    return kwargs.get("rounding_mode") is None


def _multiplied_by_reciprocal(name: str, dividend: OnDevice, divisor: Any) -> OnDevice:
    """As CUDA divides by a number of the host, which may change the last bit."""
    wide = torch.promote_types(dividend.dtype, torch.float32)
    reciprocal = 1 / torch.tensor(float(divisor), dtype=wide)
    if name == "div_":
        dividend.on_host.mul_(reciprocal)
        return dividend
    return OnDevice(dividend.on_host * reciprocal)


def _wait_of(name: str, args: Any, kwargs: dict[str, Any]) -> Kind | None:
    """What an operation makes the host wait for; None for most."""
    if name in _ANSWERS:
        return _ANSWERS[name]
    if name in _COUNTING:
        return "count"
    if name == "repeat_interleave" and kwargs.get("output_size") is None:
        return "count"
    if name in _INDEXING:
        return _wait_of_indices(name, args)
    return None


def _wait_of_indices(name: str, args: Any) -> Kind | None:
    indices = [index for index in args[1] if index is not None]
    if any(not isinstance(index, OnDevice) for index in indices):
        return "upload"
    if not any(index.dtype in (torch.bool, torch.uint8) for index in indices):
        return None
    # One number put where a mask is true is `masked_fill`, which needs no count.
    is_fill = "put" in name and len(indices) == 1 and args[2].numel() == 1
    return None if is_fill else "count"


def _any_on_host(leaves: Sequence[Any]) -> bool:
    """Whether there is a tensor of the host, scalars aside."""
    for leaf in leaves:
        if isinstance(leaf, Tensor) and not isinstance(leaf, OnDevice) and leaf.dim():
            return True
    return False


def _copied(func: Any, args: Any, kwargs: dict[str, Any], device: Device) -> Tensor:
    source = args[0]
    target = kwargs.get("device")
    non_blocking = kwargs.get("non_blocking", False)
    stays_on_device = target is None and isinstance(source, OnDevice)
    goes_to_device = stays_on_device or device.is_meant(target)
    if goes_to_device:
        device.refuse_float64(kwargs.get("dtype"))
        if not isinstance(source, OnDevice):
            _upload(source, non_blocking)
    elif isinstance(source, OnDevice):
        return _downloaded(source, kwargs.get("dtype") or source.dtype, non_blocking)
    options = {
        name: value
        for name, value in kwargs.items()
        if name not in ("device", "non_blocking")
    }
    copied: Tensor = func(_host_of(source), **options)
    if goes_to_device:
        return OnDevice(copied)
    return copied


def _copied_into(target: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    """`target.copy_(source)`, of which either may be on the device."""
    if isinstance(target, OnDevice):
        if not isinstance(source, OnDevice):
            _upload(source, non_blocking)
        target.on_host.copy_(_host_of(source))
    elif isinstance(source, OnDevice):
        if non_blocking and current[0].is_pinned(target):
            current[0].work.download(target, source.on_host.to(target.dtype))
        else:
            current[0].wait("download")
            target.copy_(source.on_host)
    else:
        target.copy_(source)
    return target


def _upload(source: Tensor, non_blocking: bool) -> None:
    device = current[0]
    device.use()
    if non_blocking and device.is_pinned(source):
        device.work.upload(source)
    else:
        device.wait("upload")


def _downloaded(source: OnDevice, dtype: torch.dtype, non_blocking: bool) -> Tensor:
    device = current[0]
    if not non_blocking:
        device.wait("download")
        return source.on_host.to(dtype=dtype, copy=True)
    # Torch gives pinned memory here, so that nothing has to wait.
    device.use()
    values = source.on_host.to(dtype=dtype, copy=True)
    target = device.pin(torch.empty_like(values))
    device.work.download(target, values)
    return target


def _host_of(value: Any) -> Any:
    return value.on_host if isinstance(value, OnDevice) else value
