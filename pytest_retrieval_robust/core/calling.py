"""Calling an encoder that somebody else wrote: the one place where pixels and texts go
in and rows come out.

It is given a copy of its own, so that it may do with it what it likes. Its rows are
copied before it runs again, in the order of the device's work, so that it may give the
same memory each time. It runs in true float32 (`float32`). What it raises becomes an
error of ours that quotes nothing and holds nothing of its memory. Where memory runs
out, a batch goes in pieces.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from .errors import EmbeddingError, ModelError, RobustError
from .float32 import ieee_float32
from .foreign import FOREIGN, described, let_go

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
Kind: TypeAlias = Literal["images", "reports", "scene"]
E = TypeVar("E", bound=BaseException)


class EncodesImages(Protocol):
    """The part of a model that turns pixels into rows."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    def encode_images(self, pixels: Tensor) -> Tensor: ...


class EncodesReports(Protocol):
    """The part of a model that turns texts into rows."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    def encode_reports(self, texts: Sequence[str]) -> Tensor: ...


class Encoded(NamedTuple):
    """What an encoder made of a batch."""

    rows: Tensor
    """(B, D) float32 on the encoder's device, in memory that nobody else writes to."""
    whole: bool
    """Whether it was made in one call.

    Pieces of another size may round otherwise, so they are not to be stored.
    """


@dataclass
class Limits:
    """How much fits into memory at a time, as far as it ran out before; None: it never did."""

    images: int | None = None
    """Images that are hidden and encoded together."""
    reports: int | None = None
    scene: int | None = None
    """Images that are on the device together."""
    tile: int | None = None
    """Rows that are ranked together."""


class OutOfMemory(ModelError):
    """An encoder ran out of memory. With fewer inputs it may not."""


def encode_images(encoder: EncodesImages, pixels: Tensor) -> Encoded:
    """(B, 3, S, S) on the encoder's device -> its rows.

    Raises `ModelError` for whatever the encoder raises, and `EmbeddingError` for what
    is no embeddings.
    """
    limits = limits_of(encoder)

    def encode(part: slice) -> Tensor:
        return image_rows(encoder, pixels[part])

    found = list(in_pieces(len(pixels), limits, "images", encode, encoder.device))
    return Encoded(joined(found), len(found) == 1)


def encode_reports(encoder: EncodesReports, texts: Sequence[str]) -> Encoded:
    """The same for texts."""
    limits = limits_of(encoder)

    def encode(part: slice) -> Tensor:
        count = len(texts[part])
        return _rows(encoder, "encode_reports", lambda: list(texts[part]), count)

    found = list(in_pieces(len(texts), limits, "reports", encode, encoder.device))
    return Encoded(joined(found), len(found) == 1)


def image_rows(encoder: EncodesImages, pixels: Tensor) -> Tensor:
    """`encode_images` in one call; raises `OutOfMemory` where memory runs out."""
    return _rows(encoder, "encode_images", pixels.clone, len(pixels))


def run_encoder(encoder: EncodesImages, pixels: Tensor) -> None:
    """Have pixels encoded for the time that it takes: neither they nor the rows are copied."""
    found = _called(encoder, "encode_images", lambda: pixels)
    if isinstance(found, _Raised):
        raise _error_of(encoder, "encode_images", found)


def limits_of(encoder: object) -> Limits:
    """What is known of an encoder's memory: one for all that calls it, as long as it lives."""
    known = _limits.get(id(encoder))
    if known is not None and known[0]() is encoder:
        return known[1]
    limits, key = (
        Limits(),
        id(encoder),
    )  # by its identity: encoders need not be hashable
    with suppress(
        TypeError
    ):  # of a class with slots, it is found out again at each call
        _limits[key] = weakref.ref(encoder, lambda _: _limits.pop(key, None)), limits
    return limits


_limits: dict[int, tuple[weakref.ref[Any], Limits]] = {}


def in_pieces(
    count: int, limits: Limits, kind: Kind, work: Callable[[slice], T], device: str
) -> Iterator[T]:
    """What `work` gives for parts that together are `count` long, in order, each when
    it is asked for.

    All in one part if it can be; where memory runs out, parts are halved down to 1, and
    `limits` remembers what fitted. What `work` raises for other reasons, or for a part
    of 1, is raised: then it was not for the size.
    """
    start, most = 0, getattr(limits, kind)
    while start < count:
        size = min(most or count, count - start)
        done: list[T] = []
        try:
            done.append(work(slice(start, start + size)))
        except Exception as error:
            if not is_out_of_memory(error) or size == 1:
                raise
            let_go(error)
        if done:
            start += size
            if most is not None:
                setattr(limits, kind, most)
            yield done.pop()
        else:
            # Outside of the except block: the error's traceback would hold on to the
            # memory of the failed part.
            give_memory_back(device)
            most = size // 2


def joined(found: Sequence[Tensor]) -> Tensor:
    """Rows of several pieces as one tensor."""
    import torch

    return found[0] if len(found) == 1 else torch.cat(list(found))


_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can(?:no|')t allocate|failed to"
    r" allocate|alloc(?:ation)?_failed"
    r"|resource_exhausted|OOM when allocating",
    re.IGNORECASE,
)


_OF_THE_DEVICE = re.compile(
    r"(?:CUDA|HIP|NCCL) error|CUBLAS_STATUS|CUDNN_STATUS|device-side assert|MPS backend"
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on whatever device: torch's own error, CUDA's, cuBLAS's,
    cuDNN's, MPS's, the host's.

    An encoder that wraps such an error in one of its own ran out of memory too.
    """
    import torch

    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if isinstance(current, OutOfMemory | MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(current, Exception) and _OUT_OF_MEMORY.search(_text(current)):
            return True
        seen.add(id(current))
        current = current.__cause__ or current.__context__
    return False


def advice_on(error: BaseException, device: str, otherwise: str) -> str:
    """What to do about a foreign error: where the device is at fault, its user can do
    nothing in the code.
    """
    import torch

    if is_out_of_memory(error):
        return (
            f"Memory of {device} ran out: see what else runs there, or use half"
            " precision."
        )
    if isinstance(error, torch.AcceleratorError) or _OF_THE_DEVICE.search(_text(error)):
        # A GPU that was taken away, for one.
        return (
            "Look at the device and at what else runs on it, and run again: what is"
            " stored is not encoded again."
        )
    return otherwise


def _text(error: BaseException) -> str:
    """It is looked at, and never shown."""
    try:
        return str(error)
    except Exception:
        return ""


def give_memory_back(device: str) -> None:
    """Have the device's allocator let go of what nothing uses, which it keeps for later
    otherwise.
    """
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif device.startswith("mps") and torch.backends.mps.is_available():
        torch.mps.empty_cache()


def without_frames(error: E) -> E:
    """The error, fit to be kept: without the frames, and the errors behind it, that
    hold a model or a batch.
    """
    let_go(error)
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


# One call


@dataclass(frozen=True)
class _Raised:
    """What an encoder raised."""

    error: BaseException


def _rows(
    encoder: EncodesImages | EncodesReports,
    method: str,
    given: Callable[[], Any],
    count: int,
) -> Tensor:
    found = _called(encoder, method, given, count)
    if isinstance(found, _Raised):
        # Here and not in an except block, so that no error of a foreign encoder hangs on to ours.
        raise _error_of(encoder, method, found)
    rows: Tensor = found
    return rows


def _called(
    encoder: EncodesImages | EncodesReports,
    method: str,
    given: Callable[[], Any],
    count: int | None = None,
) -> Any:
    """What the encoder gives, as rows if their `count` is said; or what it raised."""
    try:
        with ieee_float32():
            found = getattr(encoder, method)(given())
        return (
            found
            if count is None
            else rows_of(found, count, encoder.name, method, encoder.device)
        )
    except FOREIGN as error:
        return _Raised(error)


def _error_of(
    encoder: EncodesImages | EncodesReports, method: str, raised: _Raised
) -> RobustError:
    error = raised.error
    if isinstance(error, RobustError):
        return without_frames(error)
    sentence = (
        f"Expected {method} of {encoder.name} to return embeddings, got"
        f" {described(error)}."
    )
    kind = OutOfMemory if is_out_of_memory(error) else ModelError
    advice = advice_on(
        error, encoder.device, "Fix the encoder, or its input size and device."
    )
    let_go(error)
    return kind(f"{sentence} {advice}")


# What an encoder returned


def rows_of(found: object, count: int, model: str, method: str, device: str) -> Tensor:
    """(count, D) float32: a copy, on `device`, of the rows that an encoder returned;
    `EmbeddingError` for other things.

    Arrays of numpy are taken too. Whether the numbers are of any use is checked later
    (`encoding.checked`).
    """
    import numpy as np
    import torch

    if isinstance(found, np.ndarray) and found.dtype.kind == "f":
        # Torch takes no array of another byte order, nor one that may not be written to.
        found = torch.from_numpy(np.array(found, dtype=found.dtype.newbyteorder("=")))
    wrong = _what_is_wrong(found, count)
    if wrong is not None:
        raise EmbeddingError(
            f"Expected embeddings of shape ({count}, D) from {method} of {model}, got"
            f" {wrong}"
        )
    assert isinstance(found, torch.Tensor)
    rows = torch.empty(tuple(found.shape), dtype=torch.float32, device=device)
    return rows.copy_(found.detach())


def _what_is_wrong(found: object, count: int) -> str | None:
    """What was got in place of rows, and what to do; None for rows."""
    import torch

    if not isinstance(found, torch.Tensor):
        return _of_another_kind(found)
    if found.is_nested or found.layout != torch.strided:
        return "a sparse or nested tensor. Return a plain one, such as rows.to_dense()."
    if found.is_meta:
        return (
            'a tensor on the device "meta", which holds no numbers. Load the weights'
            " before it is used."
        )
    if found.is_complex():
        return (
            f"dtype={found.dtype}. Return real rows: their dot product would lose the"
            " imaginary part."
        )
    if not found.is_floating_point():
        return (
            f"dtype={found.dtype}. Return floating rows, before anything is rounded or"
            " counted."
        )
    shape = tuple(found.shape)
    if found.ndim == 3 and len(found) == count:
        return (
            f"shape={shape}. These look like a row per token: pool them, by the class"
            " token's row or by the mean of those that are no padding."
        )
    if found.ndim != 2 or len(found) != count or found.shape[1] == 0:
        return f"shape={shape}. Return one row for each input, in its order."
    return None


def _of_another_kind(found: object) -> str:
    import numpy as np

    kind = type(found).__name__
    if found is None:
        return "None. Let the method return its rows."
    if isinstance(found, np.ndarray):
        return f"an array of dtype={found.dtype}. Return floating rows."
    if isinstance(found, Mapping) or hasattr(found, "to_tuple"):
        return (
            f"a {kind}. Return the tensor within it that holds the embeddings, such as"
            " output.image_embeds."
        )
    if isinstance(found, tuple):
        return (
            f"a {kind} of {len(found)}. Return the one of its parts that holds the"
            " embeddings."
        )
    if isinstance(found, list):
        return (
            f"a {kind} of {len(found)}. Make one tensor of it, such as"
            " torch.stack(rows)."
        )
    return f"a {kind}. Return a tensor."
