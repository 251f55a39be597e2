"""Reading files without waiting for ever, and streams only up to a limit.

A FIFO, a device or a socket where a file is expected would block a run, or feed it
without end; a compressed stream of a few kilobytes may hold terabytes.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Protocol

# Systems lack one or the other of these flags.
_READ_WITHOUT_WAITING = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_PART_BYTES = 1 << 20
_KINDS = {
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISSOCK: "a socket",
    stat.S_ISDIR: "a folder",
}


class NotRegularError(OSError):
    """A FIFO, device, socket or folder where a file is expected. Its text names no path."""


class TooLargeError(OSError):
    """A stream that goes on after its limit. Its text names no path."""


class Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


def is_regular(path: Path) -> bool:
    """Whether a path leads to a regular file, through links too; False for what is not there."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def require_regular(path: Path) -> None:
    """Raise `NotRegularError` for what is no regular file.

    Other `OSError`s say why the path cannot be looked at.
    """
    _require(path.stat().st_mode)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; `NotRegularError` for anything else.

    It does not wait for the writer of a FIFO.
    """
    require_regular(path)
    descriptor = os.open(path, _READ_WITHOUT_WAITING)
    try:
        # Asked again, because another file may have taken the path since.
        _require(os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_at_most(stream: Readable, limit: int) -> bytes:
    """The rest of a stream; `TooLargeError` where it is longer than `limit` bytes.

    No more than one byte beyond the limit is read.
    """
    parts: list[bytes] = []
    # One byte more than the limit tells a stream that ends there from one that goes on.
    left = limit + 1
    while left > 0:
        part = stream.read(min(left, _PART_BYTES))
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    raise TooLargeError(f"more than {limit} bytes")


def _require(mode: int) -> None:
    """Raise `NotRegularError` unless a file of that mode is a regular one."""
    if stat.S_ISREG(mode):
        return
    for is_of_kind, kind in _KINDS.items():
        if is_of_kind(mode):
            raise NotRegularError(f"{kind} where a file is expected")
    raise NotRegularError("a device where a file is expected")
