"""Files that are read without waiting for ever, and streams that end.

A FIFO, a device or a socket where a file is expected would block a run, or feed it
without end; a compressed stream of a few kilobytes may hold terabytes.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Protocol


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
    """Raise `NotRegularError` for what is no regular file, and `OSError` for what
    cannot be looked at.
    """
    _require(path.stat().st_mode)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to be read; `NotRegularError` for anything else, without
    waiting for a FIFO's writer.
    """
    require_regular(path)
    flags = (
        os.O_RDONLY
        | getattr(os, "O_NONBLOCK", 0)
        | getattr(os, "O_BINARY", 0)
        | getattr(os, "O_CLOEXEC", 0)
    )
    descriptor = os.open(path, flags)
    try:
        _require(os.fstat(descriptor).st_mode)  # it may have been exchanged since
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_at_most(stream: Readable, limit: int) -> bytes:
    """The rest of a stream; `TooLargeError` where it is longer than `limit` bytes, of
    which no more are held.
    """
    parts: list[bytes] = []
    left = limit + 1
    while left > 0:
        part = stream.read(min(left, 1 << 20))
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    raise TooLargeError(f"more than {limit} bytes")


def _require(mode: int) -> None:
    kinds = {
        stat.S_ISFIFO: "a FIFO",
        stat.S_ISSOCK: "a socket",
        stat.S_ISDIR: "a folder",
    }
    if not stat.S_ISREG(mode):
        kind = next((name for holds, name in kinds.items() if holds(mode)), "a device")
        raise NotRegularError(f"{kind} where a file is expected")
