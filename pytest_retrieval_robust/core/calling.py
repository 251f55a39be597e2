"""Calling an encoder that somebody else wrote: pixels and texts go in, rows come out.

The encoder is given a copy of its own, so that it may do with it what it likes. Its rows
are copied before it runs again, in the order of the device's work, so that it may return
the same memory each time. It runs in true float32 (`float32`). What it raises becomes an
error of ours that quotes nothing and holds none of its memory. Where memory runs out, a
batch is encoded in pieces (`memory`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from .errors import ModelError, RobustError
from .float32 import ieee_float32
from .foreign import FOREIGN, described, let_go, traced, without_frames
from .memory import OutOfMemory, advice_on, in_pieces, is_out_of_memory, limits_of
from .rows import joined, rows_of

if TYPE_CHECKING:
    from torch import Tensor

_Method: TypeAlias = Literal["encode_images", "encode_normalised", "encode_reports"]


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


class EncodesNormalised(Protocol):
    """An encoder of this package that also takes pixels as its network does."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    def encode_normalised(self, pixels: Tensor) -> Tensor: ...


_Encoder: TypeAlias = EncodesImages | EncodesNormalised | EncodesReports


class Encoded(NamedTuple):
    """What an encoder made of a batch."""

    rows: Tensor
    """(B, D) float32 on the encoder's device, in memory that nobody else writes to."""
    whole: bool
    """Whether it was made in one call.

    Pieces of another size may round otherwise, so they are not to be stored.
    """


def encode_images(encoder: EncodesImages, pixels: Tensor) -> Encoded:
    """(B, 3, S, S) on the encoder's device -> its rows.

    Raises:
        ModelError: The encoder raised something.
        EmbeddingError: What it returned is no embeddings.
    """
    limits = limits_of(encoder)

    def encode(part: slice) -> Tensor:
        return image_rows(encoder, pixels[part])

    pieces = list(in_pieces(len(pixels), limits, "images", encode, encoder.device))
    return Encoded(joined(pieces), whole=len(pieces) == 1)


def encode_reports(encoder: EncodesReports, texts: Sequence[str]) -> Encoded:
    """The same for texts."""
    limits = limits_of(encoder)

    def encode(part: slice) -> Tensor:
        count = len(texts[part])
        return _rows(encoder, "encode_reports", lambda: list(texts[part]), count)

    pieces = list(in_pieces(len(texts), limits, "reports", encode, encoder.device))
    return Encoded(joined(pieces), whole=len(pieces) == 1)


def image_rows(encoder: EncodesImages, pixels: Tensor) -> Tensor:
    """`encode_images` in one call; raises `OutOfMemory` where memory runs out."""
    return _rows(encoder, "encode_images", pixels.clone, len(pixels))


def normalised_rows(encoder: EncodesNormalised, pixels: Tensor) -> Tensor:
    """`encode_normalised` in one call; raises `OutOfMemory` where memory runs out.

    The pixels are not copied: they are a buffer that is written anew for each call.
    """
    return _rows(encoder, "encode_normalised", lambda: pixels, len(pixels))


def run_encoder(encoder: EncodesImages, pixels: Tensor) -> None:
    """Have pixels encoded for the time that it takes: neither they nor the rows are copied."""
    output = _called(encoder, "encode_images", lambda: pixels)
    if isinstance(output, _Raised):
        raise _error_of(encoder, "encode_images", output)


@dataclass(frozen=True)
class _Raised:
    """What an encoder raised."""

    error: BaseException


def _rows(
    encoder: _Encoder, method: _Method, batch: Callable[[], Any], count: int
) -> Tensor:
    output = _called(encoder, method, batch, count)
    if isinstance(output, _Raised):
        # Here and not in an except block, so that no error of a foreign encoder hangs on to ours.
        raise _error_of(encoder, method, output)
    rows: Tensor = output
    return rows


def _called(
    encoder: _Encoder,
    method: _Method,
    batch: Callable[[], Any],
    count: int | None = None,
) -> Any:
    """What the encoder returns, as rows if their `count` is given; or what it raised."""
    try:
        with ieee_float32():
            output = getattr(encoder, method)(batch())
        if count is None:
            return output
        # Within the try: the copy is where the device's own errors may come to light.
        return rows_of(output, count, encoder.name, method, encoder.device)
    except FOREIGN as error:
        return _Raised(error)


def _error_of(encoder: _Encoder, method: _Method, raised: _Raised) -> RobustError:
    """Our error for what an encoder raised. Errors of ours are raised as they are."""
    error = raised.error
    if isinstance(error, RobustError):
        return without_frames(error)
    ran_out = is_out_of_memory(error)
    advice = advice_on(
        error, encoder.device, "Fix the encoder, or its input size and device."
    )
    message = (
        f"Expected {method} of {encoder.name} to return embeddings, got"
        f" {described(error)}. {advice}"
    )
    ours = OutOfMemory(message) if ran_out else ModelError(message)
    ours = traced(ours, error)
    let_go(error)
    return ours
