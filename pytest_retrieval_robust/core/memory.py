"""Memory that runs out: known in all its forms, and remembered for each encoder.

Whoever works on a batch has it done `in_pieces`, which halves the batch until it fits.
"""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from .errors import ModelError, RobustError
from .foreign import described, let_go, traced

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
Kind: TypeAlias = Literal["images", "reports", "scene"]

_OUT_OF_MEMORY = re.compile(
    # Of torch and CUDA, of TensorRT and HIP, which write it as one word, of the host.
    r"out[ _-]?of[ _-]?memory|(?:not enough|insufficient) memory"
    r"|can(?:no|')t allocate|(?:failed|unable) to allocate|could not be allocated"
    # Of cuBLAS, cuDNN, cuFFT, cuSPARSE and cuSOLVER.
    r"|alloc(?:ation)?_failed"
    # A handle that cannot be made, because its workspace finds no room.
    r"|_STATUS_NOT_INITIALIZED\b.*\b(?:cublas|cusparse|cusolver)\w*Create"
    r"|CUDNN_STATUS_NOT_INITIALIZED"
    # Of onnxruntime, JAX, TensorFlow and C++.
    r"|available memory of \d+ is smaller than requested"
    r"|resource_exhausted|OOM when allocating|bad[ _]alloc(?:ation)?\b",
    re.IGNORECASE,
)
_OF_THE_DEVICE = re.compile(
    r"(?:CUDA|HIP|NCCL|cuFFT) error|CU\w+_STATUS_|device-side assert|MPS backend"
)


class OutOfMemory(ModelError):
    """An encoder ran out of memory. With fewer inputs it may not."""


@dataclass
class Limits:
    """How much fits into memory at a time; None where it never ran out."""

    images: int | None = None
    """Images that are hidden and encoded together."""
    reports: int | None = None
    scene: int | None = None
    """Images that are on the device together."""
    tile: int | None = None
    """Rows that are ranked together."""


# By the encoder's identity, because encoders need not be hashable.
_limits: dict[int, tuple[weakref.ref[Any], Limits]] = {}


def limits_of(encoder: object) -> Limits:
    """What is known of an encoder's memory, shared by all that call it as long as it lives."""
    key = id(encoder)
    entry = _limits.get(key)
    if entry is not None:
        owner, limits = entry
        if owner() is encoder:
            return limits
    limits = Limits()
    # An encoder with slots takes no weak reference. Its limits are found anew at each call.
    with suppress(TypeError):
        owner = weakref.ref(encoder, lambda _: _limits.pop(key, None))
        _limits[key] = (owner, limits)
    return limits


def in_pieces(
    count: int, limits: Limits, kind: Kind, work: Callable[[slice], T], device: str
) -> Iterator[T]:
    """What `work` gives for parts that together are `count` long, in order, each when
    it is asked for.

    All in one part if it can be; where memory runs out, parts are halved down to 1, and
    `limits` remembers what fitted. What `work` raises for other reasons, or for a part
    of 1, is raised: then it was not for the size.
    """
    start = 0
    largest: int | None = getattr(limits, kind)
    while start < count:
        size = min(largest or count, count - start)
        done: list[T] = []
        try:
            done.append(work(slice(start, start + size)))
        except Exception as error:
            if not is_out_of_memory(error) or size == 1:
                raise
            let_go(error)
        if done:
            start += size
            if largest is not None:
                setattr(limits, kind, largest)
            # Popped, so that this frame does not hold on to what its caller has used.
            yield done.pop()
        else:
            # Outside of the except block: the error's traceback would hold on to the
            # memory of the failed part.
            give_memory_back(device)
            largest = size // 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on whatever device: torch's own error, CUDA's, cuBLAS's,
    cuDNN's, MPS's, the host's.

    An encoder that wraps such an error in one of its own ran out of memory too. But a
    device that failed while somebody freed memory is lost, and fewer inputs are no help.
    """
    import torch

    visited: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in visited:
        if isinstance(current, OutOfMemory | MemoryError | torch.OutOfMemoryError):
            return True
        # Our own sentences name files, which may be called anything.
        is_foreign = isinstance(current, Exception) and not isinstance(
            current, RobustError
        )
        if is_foreign and _OUT_OF_MEMORY.search(_text(current)):
            return True
        if is_of_the_device(current):
            return False
        visited.add(id(current))
        current = current.__cause__ or current.__context__
    return False


def is_of_the_device(error: BaseException) -> bool:
    """Whether a device failed, and not the code that used it: a GPU that was taken away,
    for one. Memory that ran out may be among these errors.
    """
    if isinstance(error, accelerator_errors()):
        return True
    return isinstance(error, Exception) and bool(_OF_THE_DEVICE.search(_text(error)))


def accelerator_errors() -> tuple[type[Exception], ...]:
    """The class of what a device itself reports; none before torch 2.8, which raised a
    RuntimeError that is known by its text alone.
    """
    import torch

    error_class = getattr(torch, "AcceleratorError", None)
    return () if error_class is None else (error_class,)


def advice_on(error: BaseException, device: str, otherwise: str) -> str:
    """What to do about a foreign error: `otherwise`, unless the device is at fault and
    its user can do nothing in the code.
    """
    if is_out_of_memory(error):
        return (
            f"Memory of {device} ran out: see what else runs there, or use half"
            " precision."
        )
    if is_of_the_device(error):
        return (
            "Look at the device and at what else runs on it, and run again: what is"
            " stored is not encoded again."
        )
    return otherwise


def or_device_error(work: Callable[[], T], expected: str, device: str) -> T:
    """What `work` gives; an error of the device becomes one of ours that holds none of
    its memory.

    `expected` completes the sentence "Expected ... on cuda:0, got". Other errors are
    raised as they are.

    Raises:
        OutOfMemory: Memory ran out.
        ModelError: The device failed otherwise.
    """
    failed: Exception | None = None
    try:
        return work()
    except RobustError:
        raise
    except Exception as error:
        if not (is_out_of_memory(error) or is_of_the_device(error)):
            raise
        failed = error
    # Outside of the handler, so that the foreign error does not hang on to ours.
    kind = OutOfMemory if is_out_of_memory(failed) else ModelError
    got = described(failed)
    advice = advice_on(failed, device, "")
    ours = traced(kind(f"Expected {expected} on {device}, got {got}. {advice}"), failed)
    let_go(failed)
    raise ours


def pinned(tensor: Tensor) -> Tensor:
    """The tensor in pinned memory; as it is where the system has no more of that."""
    try:
        return tensor.pin_memory()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        let_go(error)
    return tensor


def give_memory_back(device: str) -> None:
    """Have the device's allocator free what nothing uses, which it keeps for later otherwise."""
    if device == "cpu":
        _trim_heap()
        return
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif device.startswith("mps") and torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _trim_heap() -> None:
    """Give free pages of the heap back to the system, where its C library can.

    glibc alone keeps pages between blocks that are still used: after a sweep of a
    thousand small cells these are tens of megabytes, and further threads have heaps of
    their own.
    """
    import ctypes

    # Neither musl nor the libraries of macOS and Windows have it.
    trim = None
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _text(error: BaseException) -> str:
    """The error's text, to be searched and never to be shown."""
    try:
        return str(error)
    except Exception:
        return ""
