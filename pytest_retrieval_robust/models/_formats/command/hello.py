"""The greeting: what the other side says of its encoder, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from ... import Precision
from ..geometry import Geometry, Resize
from ..pictures import Way, pad_and_resize, shaped
from ..preprocessing import FILTERS
from .failures import BrokenProtocolError
from .frames import Header

PROTOCOL = 1
_PAD = "pad"
_RESIZES = (*get_args(Resize), _PAD)
_MOST_SIDE = 4096
_MOST_WIDTH = 2**20
_USUAL_BATCH = 64
_LONGEST_WORD = 200


@dataclass(frozen=True, repr=False)
class Hello:
    """What the other side says of its encoder."""

    width: int
    """Numbers of a row."""
    size: int
    """Pixels per side of the square that it takes."""
    geometry: Way
    """How an image becomes that square."""
    device: str
    """Where it computes, in its own words."""
    precision: Precision
    batch: int
    """The most inputs of one request."""
    counts_tokens: bool
    context_length: int | None
    weights_sha256: str | None
    source: str | None
    licence: str | None
    said: Mapping[str, Any]
    """All of it, as it was sent."""


def checked_hello(header: Header) -> Hello:
    """The greeting; `BrokenProtocolError` says what is wrong with it."""
    if header["type"] == "error":
        kind = header.get("class")
        is_word = isinstance(kind, str) and kind.isidentifier()
        raise BrokenProtocolError(
            kind if is_word else "an error in place of a greeting"
        )
    if header["type"] != "hello":
        raise BrokenProtocolError("another message than its greeting")
    protocol = header.get("protocol")
    if protocol != PROTOCOL:
        raise OtherProtocolError(f"protocol={_shown(protocol)}, not {PROTOCOL}")
    fields = _Fields(header)
    size = fields.whole("size", _MOST_SIDE)
    preprocessing = header.get("preprocessing", {})
    precision = fields.word("precision", get_args(Precision), "fp32")
    sha256 = fields.text("weights_sha256")
    if sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise BrokenProtocolError("a weights_sha256 that has not 64 hex digits")
    return Hello(
        width=fields.whole("width", _MOST_WIDTH),
        size=size,
        geometry=_geometry(preprocessing, size),
        device=fields.text("device") or "unknown",
        precision=precision,  # type: ignore[arg-type]
        batch=fields.whole("batch", _MOST_WIDTH, _USUAL_BATCH),
        counts_tokens=fields.flag("counts_tokens"),
        context_length=fields.whole("context_length", _MOST_WIDTH, 0) or None,
        weights_sha256=sha256,
        source=fields.text("source"),
        licence=fields.text("licence"),
        said=header,
    )


class OtherProtocolError(BrokenProtocolError):
    """The other side speaks another version of the protocol."""

    advice = (
        "Write the helper again with `retrieval-robust serve --write serve.py`, and move"
        " your functions into it."
    )


def _geometry(preprocessing: object, size: int) -> Way:
    """The way to prepare images that the greeting asks for."""
    if not isinstance(preprocessing, dict):
        raise BrokenProtocolError("a preprocessing that is no object")
    unknown = {*preprocessing} - {"resize", "resize_to", "interpolation", "grey"}
    if unknown:
        raise BrokenProtocolError(f"an unknown {_shown(min(unknown))} in preprocessing")
    fields = _Fields(preprocessing)
    resize = fields.word("resize", _RESIZES, "shortest")
    filter_ = FILTERS[fields.word("interpolation", tuple(FILTERS), "bicubic")]
    if resize == _PAD:
        return pad_and_resize(size, filter_)
    resize_to = fields.whole("resize_to", _MOST_SIDE, size)
    geometry = Geometry(resize, resize_to, size)  # type: ignore[arg-type]
    return shaped(geometry, filter_, grey=fields.flag("grey"))


class _Fields:
    """Fields of a JSON object, each of the kind that it has to be of."""

    def __init__(self, header: Header) -> None:
        self._header = header

    def whole(self, name: str, most: int, default: int | None = None) -> int:
        def is_fit(value: object) -> bool:
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            return is_whole and 1 <= value <= most  # type: ignore[operator]

        value: int = self._checked(name, default, is_fit)
        return value

    def word(self, name: str, known: tuple[str, ...], default: str) -> str:
        value: str = self._checked(name, default, lambda value: value in known)
        return value

    def flag(self, name: str) -> bool:
        value: bool = self._checked(name, False, lambda value: isinstance(value, bool))
        return value

    def text(self, name: str) -> str | None:
        def is_fit(value: object) -> bool:
            return isinstance(value, str) and len(value) <= _LONGEST_WORD

        value: str | None = self._checked(name, "", is_fit) or None
        return value

    def _checked(
        self, name: str, default: object, is_fit: Callable[[Any], bool]
    ) -> Any:
        value = self._header.get(name)
        if value is None and default is not None:
            return default
        if not is_fit(value):
            raise BrokenProtocolError(f"{name}={_shown(value)} in its greeting")
        return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
