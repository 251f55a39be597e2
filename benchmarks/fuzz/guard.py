"""Notes what no parser may do: start programs, connect to others, write elsewhere.

Python reports such actions to audit hooks (PEP 578), whatever code asks for them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_NEVER = frozenset(
    [
        *("os.system", "os.exec", "os.fork", "os.forkpty", "os.spawn"),
        *("os.posix_spawn", "os.startfile", "pty.spawn", "subprocess.Popen"),
        *("socket.connect", "socket.sendto", "socket.getaddrinfo"),
        *("webbrowser.open", "ctypes.dlopen", "cpython.run_command"),
    ]
)
"""Events of Python's list of audit events."""
_CHANGES = frozenset(
    [
        *("os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.link", "os.symlink"),
        *("os.chmod", "os.chown"),
    ]
)
"""Events whose first argument is a path that is changed, and whose last one is the folder's
descriptor if the path is relative to it.
"""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NOWHERE = "/dev/null"


class _Watch:
    """Whether actions are noted, and those that were."""

    def __init__(self) -> None:
        self.is_on = False
        self.is_installed = False
        self.programs: Sequence[str] = ()
        self.folder = ""
        self.done: list[str] = []


_watch = _Watch()


@contextmanager
def watching(programs: Sequence[str] = ()) -> Iterator[list[str]]:
    """The forbidden actions within the block; starting one of `programs` is none."""
    if not _watch.is_installed:
        # A hook stays to the end of the process, so that one serves all.
        sys.addaudithook(_heard)
        _watch.is_installed = True
    _watch.programs = programs
    # Not in the hook: finding it opens files.
    _watch.folder = tempfile.gettempdir() + os.sep
    _watch.done = []
    _watch.is_on = True
    try:
        yield _watch.done
    finally:
        _watch.is_on = False


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watch.is_on:
        return
    if event in _NEVER:
        if not _is_agreed(event, arguments):
            _watch.done.append(event)
    elif event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITES and not _is_inside(path):
            _watch.done.append("a file opened for writing")
    elif event in _CHANGES and not _is_inside(arguments[0], arguments[-1]):
        _watch.done.append(event)


def _is_agreed(event: str, arguments: tuple[Any, ...]) -> bool:
    return event == "subprocess.Popen" and arguments[0] in _watch.programs


def _is_inside(path: object, descriptor: int = -1) -> bool:
    """Whether a path lies in the temporary folder; descriptors were looked at when opened."""
    if isinstance(path, int):
        return True
    text = os.fsdecode(path) if isinstance(path, bytes | os.PathLike) else str(path)
    if descriptor >= 0:
        text = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), text)
    whole = os.path.abspath(text)
    return whole == _NOWHERE or whole.startswith(_watch.folder)
