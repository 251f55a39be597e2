"""Where this package keeps what it may make or fetch again, and how a file comes to be
there whole.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PART = ".part"
"""How the name of a file ends that is not whole yet."""
CACHE_VARIABLE = "RETRIEVAL_ROBUST_CACHE"
_APPLICATION = "pytest-retrieval-robust"
_PART_NAME = re.compile(
    rf"\.(?P<pid>\d+)-(?P<host>[0-9a-f]{{8}})?[0-9a-f]{{8}}{re.escape(PART)}\Z"
)
_ABANDONED_SECONDS = 3600.0
"""After which a half-written file of another machine is no longer waited for."""


def cache_folder(given: Path | None = None) -> Path:
    """The folder given, else `$RETRIEVAL_ROBUST_CACHE`, else the platform's."""
    if given is not None:
        return given
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / _APPLICATION


def process_mark() -> str:
    """What the names of this process's files tell of it: `PID-HOST`, so that others can
    see whether it still runs.
    """
    return f"{os.getpid()}-{_host_mark()}"


def part_of(path: Path) -> Path:
    """A new name beside `path` for what is not whole yet."""
    return path.with_name(f"{path.name}.{process_mark()}{secrets.token_hex(4)}{PART}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what shall stand at `path`: it appears there whole, or not at all
    and nothing is left of it.

    Several processes may do so at once; the last one's stays.
    """
    part = part_of(path)
    try:
        yield part
        part.replace(path)
    except (
        BaseException
    ):  # an interrupt too: what is half-written may hold patients' images
        with suppress(OSError):
            part.unlink()
        raise


def parts_in(folder: Path) -> Iterator[Path]:
    """The half-written files of this package in a folder, its subfolders apart."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _PART_NAME.search(path.name):
                yield path


def remove_abandoned(parts: Iterable[Path]) -> None:
    """Remove those half-written files whose process has died.

    Another live run's are never touched.
    """
    for part in parts:
        with suppress(OSError):
            if _is_abandoned(part):
                part.unlink()


def _is_abandoned(part: Path) -> bool:
    found = _PART_NAME.search(part.name)
    status = part.lstat()
    if not stat.S_ISREG(status.st_mode):
        return False
    if (
        found is not None
        and found["host"] in (None, _host_mark())
        and os.name == "posix"
    ):
        return not is_running(int(found["pid"]))
    # Nobody here can ask whether a process of another machine still runs.
    return abs(time.time() - status.st_mtime) > _ABANDONED_SECONDS


def is_running(process: int) -> bool:
    """Whether a process of this machine still runs; POSIX only."""
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True


@cache
def _host_mark() -> str:
    """Eight hex digits for this machine, or this container of it: process ids mean the
    same only within one.
    """
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.blake2b(
        f"{platform.node()} {space}".encode(), digest_size=4
    ).hexdigest()
