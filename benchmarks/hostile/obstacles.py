"""What may be wrong with a place that a run writes to."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

Prepare = Callable[[Path], None]
FULL = errno.ENOSPC
READ_ONLY = errno.EROFS


@dataclass(frozen=True)
class Obstacle:
    """Something wrong with a place, made before the run or within its process."""

    name: str
    prepare: Prepare | None = None
    within: Prepare | None = None
    midway: bool = False
    """Whether it cannot be seen before the measurement."""


def put_file(place: Path) -> None:
    place.write_text("a file")


def put_fifo(place: Path) -> None:
    os.mkfifo(place)


def put_loop(place: Path) -> None:
    place.symlink_to(place.name)


def put_dangling_link(place: Path) -> None:
    place.symlink_to(place.parent / "nowhere" / "at" / "all")


def put_folder(place: Path) -> None:
    place.mkdir(parents=True)


def put_device(place: Path) -> None:
    place.symlink_to("/dev/full")


def refuse_writes(number: int, below: Path, *, after: int = 0, named: str = "") -> None:
    """Let attempts to write below a folder fail, as a full or read-only disk does.

    The first `after` attempts succeed. With `named`, only those fail whose path holds
    this word. A mount would be the same to the package, but needs rights that a runner
    of tests does not have.
    """
    attempts = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal attempts
        path = _path_written(event, arguments)
        if path is None or named not in path or not _is_below(path, below):
            return
        attempts += 1
        if attempts > after:
            raise OSError(number, os.strerror(number))

    sys.addaudithook(hook)


def _is_below(path: str, folder: Path) -> bool:
    return Path(os.path.abspath(path)).is_relative_to(folder)


def _path_written(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The path that an audit event writes to; None for any other event."""
    if event not in ("open", "os.mkdir", "os.rename"):
        return None
    if event == "open" and not _opens_to_write(arguments[1], arguments[2]):
        return None
    # What is opened may be a descriptor.
    if isinstance(arguments[0], str | bytes | os.PathLike):
        return os.fsdecode(arguments[0])
    return None


def _opens_to_write(mode: object, flags: int) -> bool:
    if isinstance(mode, str):
        return any(sign in mode for sign in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def allow_small_files_only(folder: Path) -> None:
    """No result may grow beyond 600 bytes: writes fail amid a file, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        path = _path_written(event, arguments)
        if event == "open" and path is not None and _is_below(path, folder / "R"):
            _limit_file_size(600)
        elif event in ("os.rename", "os.remove"):
            # What is printed lies in a file, too.
            _limit_file_size(resource.RLIM_INFINITY)

    sys.addaudithook(hook)


def _limit_file_size(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def _take_midway(place: Path) -> None:
    """Let a file take the place after the options were checked."""
    import pytest

    class Taker:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self) -> None:
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("a file took its place")

    _with_plugin(Taker())


def _with_plugin(plugin: object) -> None:
    import pytest

    pytest.main = partial(pytest.main, plugins=[plugin])  # in this child alone


def _mount(options: str, place: Path) -> None:
    """An empty file system in memory; where it may not be mounted, a folder without rights."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    is_mounted = False
    if os.geteuid() == 0:
        mount = subprocess.run(command, capture_output=True, check=False)
        is_mounted = mount.returncode == 0
    if not is_mounted:
        place.chmod(0o500)


def release(place: Path) -> None:
    if place.is_dir() and os.path.ismount(place):
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)
    elif place.is_dir():
        place.chmod(0o700)


BEFORE = (
    Obstacle("a file in place", put_file),
    Obstacle("a FIFO in place", put_fifo),
    Obstacle("a loop of links in place", put_loop),
    Obstacle("a link to nowhere in place", put_dangling_link),
    Obstacle("a device in place", put_device),
    Obstacle("a read-only disk", partial(_mount, "ro")),
)
MIDWAY = (
    Obstacle("a full disk", within=partial(refuse_writes, FULL), midway=True),
    Obstacle(
        "a disk that becomes full",
        within=partial(refuse_writes, FULL, after=2),
        midway=True,
    ),
    Obstacle(
        "a disk that becomes read-only",
        within=partial(refuse_writes, READ_ONLY, after=1),
        midway=True,
    ),
    Obstacle("a place that becomes a file", within=_take_midway, midway=True),
)


REPLACEABLE = (put_file, put_loop, put_dangling_link, put_device)
"""What a file that is moved to its place replaces."""
