"""Streams that end: what is fetched or unpacked has a limit."""

from __future__ import annotations

from typing import IO

from ...files import Readable, TooLargeError


class Bounded:
    """A stream that may give so many bytes, and raises `TooLargeError` after them."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(min(size, self._left + 1))
        self._left -= len(chunk)
        if self._left < 0:
            raise TooLargeError("a stream that goes on after its limit")
        return chunk


def copy_at_most(source: Readable, target: IO[bytes], limit: int) -> None:
    """Copy a stream; `TooLargeError` where it goes on after `limit` bytes."""
    bounded = Bounded(source, limit)
    while chunk := bounded.read(1 << 20):
        target.write(chunk)
