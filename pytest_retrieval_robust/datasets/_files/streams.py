"""Compressed streams with an end: a few kilobytes may hold terabytes."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ...core.files import TooLargeError, open_regular

MOST_EXPANDED = 4 << 30
"""Bytes that a compressed table or archive may hold."""
MOST_LINE = 20_000_000
"""Characters of a line of a table: a line that never ends would otherwise be held whole."""
_MOST_READ = 64 << 20
"""Bytes that are read of an archive at a time: a damaged header may claim terabytes."""
_SKIPPED_AT_ONCE = 1 << 20
_BUFFER = 1 << 16


class _Limited(io.RawIOBase):
    """The bytes of a stream up to a limit."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._stream.read(len(buffer))
        self._left -= len(part)
        if self._left < 0:
            raise TooLargeError("a compressed stream that goes on after its limit")
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_text(file: Path, limit: int = MOST_EXPANDED) -> io.TextIOWrapper:
    """A text file in UTF-8, also gzip.

    Reading more than `limit` bytes of a packed one raises `TooLargeError`.
    """
    stream: BinaryIO = open_regular(file)
    if file.name.lower().endswith(".gz"):
        unpacked = gzip.GzipFile(fileobj=stream)
        limited = _Limited(cast(BinaryIO, unpacked), limit)
        stream = io.BufferedReader(limited, _BUFFER)
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def lines_of(stream: io.TextIOBase) -> Iterator[str]:
    """The lines of a text; `TooLargeError` for one that is far too long."""
    while line := stream.readline(MOST_LINE + 1):
        if len(line) > MOST_LINE:
            raise TooLargeError("a line that goes on after its limit")
        yield line


class ArchiveStream:
    """An archive's bytes for tarfile: a packed one forward only, and all of it bounded."""

    def __init__(self, stream: BinaryIO, *, is_packed: bool) -> None:
        self._stream = stream
        self._is_packed = is_packed
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _MOST_READ:
            raise TooLargeError("a header that claims too many bytes")
        part = self._stream.read(size)
        self._position += len(part)
        if self._is_packed and self._position > MOST_EXPANDED:
            raise TooLargeError("a compressed archive that goes on after its limit")
        return part

    def seek(self, position: int) -> int:
        if not self._is_packed:
            self._position = self._stream.seek(position)
            return self._position
        # gzip would go back by unpacking everything once more.
        if position < self._position:
            raise OSError("a packed archive is read forward only")
        while self._position < position:
            if not self.read(min(position - self._position, _SKIPPED_AT_ONCE)):
                break
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._stream.close()
