"""Files that appear whole or not at all, and the folder of what can be made again."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PART = ".part"
"""The end of the name of a file that is not whole yet."""
CACHE_VARIABLE = "RETRIEVAL_ROBUST_CACHE"
_APPLICATION = "pytest-retrieval-robust"
_PART_NAME = re.compile(
    rf"\.(?P<pid>\d+)-(?P<host>[0-9a-f]{{8}})?[0-9a-f]{{8}}{re.escape(PART)}\Z"
)
_ABANDONED_SECONDS = 3600.0
"""The age at which a half-written file of another machine counts as abandoned."""


def cache_folder(folder: Path | None = None) -> Path:
    """`folder`, else `$RETRIEVAL_ROBUST_CACHE`, else the platform's own cache folder."""
    if folder is not None:
        return folder
    by_variable = os.environ.get(CACHE_VARIABLE)
    if by_variable:
        return Path(by_variable)
    return own_cache_folder()


def own_cache_folder() -> Path:
    """The platform's cache folder of this user, whatever `$RETRIEVAL_ROBUST_CACHE` says."""
    platform_folder = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    if platform_folder:
        return Path(platform_folder) / _APPLICATION
    return Path.home() / ".cache" / _APPLICATION


def process_mark() -> str:
    """`PID-HOST`: in a file's name, it lets others see whether this process still runs."""
    return f"{os.getpid()}-{_host_mark()}"


def part_of(path: Path) -> Path:
    """A new name beside `path`, for a file that is not whole yet."""
    return path.with_name(f"{path.name}.{process_mark()}{secrets.token_hex(4)}{PART}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what shall stand at `path`.

    It appears there whole, or nothing is left of it. Several processes may write the
    same path at once: the last one's file stays.
    """
    part = part_of(path)
    try:
        yield part
        part.replace(path)
    except BaseException:
        # After an interrupt too: what is half-written may hold patients' images.
        with suppress(OSError):
            part.unlink()
        raise


def write_whole_text(path: Path, text: str) -> None:
    """Write a text in UTF-8 that appears whole, with the ends of its lines as they are."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def parts_in(folder: Path) -> Iterator[Path]:
    """The half-written files of this package in a folder, without its subfolders."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _PART_NAME.search(path.name):
                yield path


def remove_abandoned(parts: Iterable[Path]) -> None:
    """Remove those half-written files whose process has died.

    Those of a run that is still alive are never touched.
    """
    for part in parts:
        with suppress(OSError):
            if _is_abandoned(part):
                part.unlink()


def _is_abandoned(part: Path) -> bool:
    name = _PART_NAME.search(part.name)
    status = part.lstat()
    if not stat.S_ISREG(status.st_mode):
        return False
    # A name without a host is an older version's, and taken to be this machine's.
    is_of_this_host = name is not None and name["host"] in (None, _host_mark())
    if name is not None and is_of_this_host and os.name == "posix":
        return not is_running(int(name["pid"]))
    # Nobody here can ask whether a process of another machine still runs.
    return abs(disk_time(part.parent) - status.st_mtime) > _ABANDONED_SECONDS


def disk_time(folder: Path) -> float:
    """The time by the clock of the disk that a folder is on, in seconds since the epoch.

    The times of files come from there if several machines share it, whose own clocks may
    differ by hours. Where nothing can be written it is this machine's time.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return time.time()


def is_running(process: int) -> bool:
    """Whether a process of this machine still runs; POSIX only."""
    try:
        # Signal 0 asks, and sends nothing.
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        # It runs, and belongs to another user.
        return True
    return True


@cache
def _host_mark() -> str:
    """Eight hex digits for this machine, or this container of it.

    A process id means the same process only within one.
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    host = f"{platform.node()} {namespace}"
    return hashlib.blake2b(host.encode(), digest_size=4).hexdigest()
