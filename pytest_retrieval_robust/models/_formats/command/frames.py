"""The frames of the protocol: a JSON header, and the bytes of one array.

A frame is the four bytes `RRC1`, the length of the header (4 bytes) and that of the
array (8 bytes), both little-endian and unsigned, then the header in UTF-8 and the array
in C order, little-endian.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

MAGIC = b"RRC1"
_LENGTHS = struct.Struct("<IQ")
_START = len(MAGIC) + _LENGTHS.size
MOST_HEADER = 2**26
"""Bytes of a header. That of an answer has few hundreds."""
MOST_ARRAY = 2**31
_FIRST_ROOM = 2**24
"""Bytes of memory that are taken on a frame's word alone: more, once they are filled."""
DTYPES = {"float16": "<f2", "float32": "<f4", "float64": "<f8"}
"""What rows may be of, by the names of the protocol."""
Header: TypeAlias = Mapping[str, Any]


class RubbishError(Exception):
    """What came is no frame. The text says what it is, and quotes nothing of it."""


@dataclass(frozen=True, repr=False)
class Message:
    """A frame that was read."""

    header: Header
    array: bytearray


def frame_of(header: Header, array: NDArray[Any] | None = None) -> list[memoryview]:
    """A frame as pieces of memory to be written one after another.

    The array's own memory is among them, so that nothing large is copied.
    """
    described = dict(header)
    pieces: list[memoryview] = []
    if array is not None:
        native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        described["dtype"] = array.dtype.name
        described["shape"] = list(array.shape)
        pieces.append(native.reshape(-1).view(np.uint8).data)
    # ASCII alone, so that also a text that is no valid Unicode passes.
    written = json.dumps(described).encode("ascii")
    lengths = _LENGTHS.pack(len(written), sum(len(piece) for piece in pieces))
    return [memoryview(MAGIC + lengths + written), *pieces]


class FrameReader:
    """Makes messages of the bytes that come, however they are cut."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        """Be ready for the first byte of a frame."""
        self._start = bytearray()
        self._header_length = 0
        self._array_length = 0
        self._header = bytearray()
        self._array: bytearray | None = None
        self._filled = 0

    def room(self) -> memoryview:
        """Where the next bytes belong: never empty, and no longer than what is missing."""
        if self._array is not None:
            self._enlarge_array()
            return memoryview(self._array)[self._filled :]
        missing = _START - len(self._start)
        if missing == 0:
            missing = self._header_length - len(self._header)
        return memoryview(bytearray(min(missing, _FIRST_ROOM)))

    def _enlarge_array(self) -> None:
        """Double the array where it is full: a frame may claim more than ever comes."""
        array = self._array
        if array is None or self._filled < len(array):
            return
        # Not in place: a view of it may be in the caller's hands.
        self._array = bytearray(min(self._array_length, 2 * len(array)))
        self._array[: self._filled] = array

    def add(self, room: memoryview, count: int) -> Iterator[Message]:
        """Take the first `count` bytes of `room`; yields a message where one is complete."""
        if self._array is not None:
            # They were read to where they belong.
            self._filled += count
        elif len(self._start) < _START:
            self._start += room[:count]
            self._check_start()
        else:
            self._header += room[:count]
        if self._is_header_complete() and self._array is None:
            self._array = bytearray(min(self._array_length, _FIRST_ROOM))
        if self._array is not None and self._filled == self._array_length:
            message = Message(_parsed(self._header), self._array)
            self._begin()
            yield message

    @property
    def is_within_a_frame(self) -> bool:
        return len(self._start) > 0

    def _is_header_complete(self) -> bool:
        is_started = len(self._start) == _START
        return is_started and len(self._header) == self._header_length

    def _check_start(self) -> None:
        # As soon as it can be told: whatever wrote it may write nothing more.
        if not MAGIC.startswith(self._start[: len(MAGIC)]):
            raise RubbishError("bytes that begin no message")
        if len(self._start) < _START:
            return
        lengths = _LENGTHS.unpack(self._start[len(MAGIC) :])
        self._header_length, self._array_length = lengths
        if not 2 <= self._header_length <= MOST_HEADER:
            raise RubbishError(f"a header of {self._header_length} bytes")
        if self._array_length > MOST_ARRAY:
            raise RubbishError(f"an array of {self._array_length} bytes")


def _parsed(written: bytearray) -> Header:
    try:
        header = json.loads(written.decode("utf-8"))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or not isinstance(header.get("type"), str):
        raise RubbishError("a header that is no JSON object with a type")
    return header


def array_in(message: Message) -> NDArray[Any] | str:
    """The array of a message; or what is wrong with it, as words after "got"."""
    dtype = message.header.get("dtype")
    shape = message.header.get("shape")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        return f"dtype={_shown(dtype)}"
    if not isinstance(shape, list) or not all(_is_count(side) for side in shape):
        return f"shape={_shown(shape)}"
    kind = np.dtype(DTYPES[dtype])
    expected = kind.itemsize
    for side in shape:
        expected *= side
    if expected != len(message.array):
        return f"{len(message.array)} bytes for shape={tuple(shape)} of {dtype}"
    return np.frombuffer(message.array, dtype=kind).reshape(shape)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _shown(value: object) -> str:
    """A value that anybody may have written, cut short."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
