"""Streams that end: what is fetched or unpacked has a limit."""

from __future__ import annotations

from typing import IO

from ...core.files import Readable, TooLargeError

_CHUNK = 1 << 20


class Bounded:
    """A stream of at most `limit` bytes; reading beyond them raises `TooLargeError`."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int) -> bytes:
        # One byte more than is left tells a stream that ends here from one that goes on.
        chunk = self._stream.read(min(size, self._left + 1))
        self._left -= len(chunk)
        if self._left < 0:
            raise TooLargeError("a stream that goes on after its limit")
        return chunk


def copy_at_most(source: Readable, target: IO[bytes], limit: int) -> None:
    """Copy a stream; `TooLargeError` if it goes on after `limit` bytes."""
    bounded = Bounded(source, limit)
    while chunk := bounded.read(_CHUNK):
        target.write(chunk)
