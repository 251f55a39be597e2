"""How much of this machine's memory is free for this process, as far as it can be known.

What does not fit comfortably is mapped from a file instead (`measure/sweep/space`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .device import own_slot

_SHARE = 0.25
"""Of the free memory that one array may take: others follow, and the machine is not ours."""
_ROOT = Path("/")


def is_comfortable(nbytes: int) -> bool:
    """Whether this process may well hold an array of that many bytes.

    True where nothing tells how much memory is free.
    """
    free = free_bytes()
    # Workers of pytest-xdist share the memory of the machine.
    return free is None or nbytes <= _SHARE * free / own_slot().count


def free_bytes(root: Path = _ROOT) -> int | None:
    """Bytes that this process could still take without swapping; None if nothing tells.

    The least of what the machine has available, what its control groups allow (a
    container, a job of a scheduler), and what its own limits allow. `root` is where
    `/proc` and `/sys` are.
    """
    known = [*_of_machine(root), *_of_groups(root), *_of_limits(root)]
    return max(0, min(known)) if known else None


def _of_machine(root: Path) -> Iterator[int]:
    available = _kilobytes(root / "proc/meminfo", "MemAvailable")
    if available is not None:
        yield available
    elif root == _ROOT:
        # Not Linux. Half of the memory is a guess that no laptop minds.
        with suppress(ValueError, OSError, AttributeError):
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _of_groups(root: Path) -> Iterator[int]:
    """What each control group above this process still allows."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            # Version 2 has one tree for all controllers.
            names = ("memory.max", "memory.current", "inactive_file")
            yield from _of_tree(root / "sys/fs/cgroup", path, names)
        elif "memory" in controllers.split(","):
            names = (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            )
            yield from _of_tree(root / "sys/fs/cgroup/memory", path, names)


def _of_tree(top: Path, path: str, names: tuple[str, str, str]) -> Iterator[int]:
    limit_name, usage_name, reclaimed = names
    inner = top / path.lstrip("/")
    # A group is within all that are above it.
    for folder in (inner, *inner.parents):
        if not folder.is_relative_to(top):
            return
        limit = _number(folder / limit_name)
        usage = _number(folder / usage_name)
        if limit is not None and usage is not None:
            # Pages of files that nobody used lately are given back first.
            cached = _field(folder / "memory.stat", reclaimed) or 0
            yield limit - usage + cached


def _of_limits(root: Path) -> Iterator[int]:
    """What `ulimit` leaves to this process. Shared mappings of files are no data."""
    try:
        import resource
    except ImportError:
        return  # Windows
    for limit, used_name in (
        (resource.RLIMIT_DATA, "VmData"),
        (resource.RLIMIT_AS, "VmSize"),
    ):
        most = resource.getrlimit(limit)[0]
        used = _kilobytes(root / "proc/self/status", used_name)
        if most != resource.RLIM_INFINITY and used is not None:
            yield most - used


def _kilobytes(file: Path, name: str) -> int | None:
    """A line such as `MemAvailable:   1024 kB`, in bytes."""
    number = _field(file, f"{name}:")
    return None if number is None else 1024 * number


def _field(file: Path, name: str) -> int | None:
    """The number behind a name that begins a line."""
    for line in _lines(file):
        words = line.split()
        if len(words) > 1 and words[0] == name and words[1].isdigit():
            return int(words[1])
    return None


def _number(file: Path) -> int | None:
    """A file that holds a number; None for `max`, and without the file."""
    lines = _lines(file)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
