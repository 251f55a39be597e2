"""Places that cannot be written: full, read-only, taken by something else, gone midway."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .children import Ended, run_pytest
from .projects import TOY, differs, project, ranks_digest
from .trials import Ground, Row, Trial, tried

Prepare = Callable[[Path], None]
_ALL = (
    "gate",
    "--robust-results=R",
    "--robust-report=P/report.html",
    "--robust-cache-dir=C",
)
_FULL, _READ_ONLY = errno.ENOSPC, errno.EROFS


@dataclass(frozen=True)
class Obstacle:
    """Something wrong with a place: how to make it before the run, or what to do within
    its process.
    """

    name: str
    prepare: Prepare | None = None
    within: Prepare | None = None
    midway: bool = False
    """Whether it cannot be seen before the measurement."""


def _file(place: Path) -> None:
    place.write_text("a file")


def _fifo(place: Path) -> None:
    os.mkfifo(place)


def _loop(place: Path) -> None:
    place.symlink_to(place.name)


def _dangling(place: Path) -> None:
    place.symlink_to(place.parent / "nowhere" / "at" / "all")


def _folder(place: Path) -> None:
    place.mkdir(parents=True)


def _device(place: Path) -> None:
    place.symlink_to("/dev/full")


def _refuse(number: int, below: Path, *, after: int = 0, named: str = "") -> None:
    """Let every attempt to write below a folder fail as a full or read-only disk does,
    `after` so many that succeed; with `named` only those whose path holds this word.

    A mount would be the same to the package, but needs rights that a runner of tests does not have.
    """
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        place = _written(event, arguments)
        if (
            place is None
            or named not in place
            or not Path(os.path.abspath(place)).is_relative_to(below)
        ):
            return
        seen += 1
        if seen > after:
            raise OSError(number, os.strerror(number))

    sys.addaudithook(hook)


def _written(event: str, arguments: tuple[Any, ...]) -> str | None:
    if event == "open":
        path, mode, flags = arguments
        writes = (
            any(sign in mode for sign in "wax+")
            if isinstance(mode, str)
            else bool(flags & (os.O_WRONLY | os.O_RDWR))
        )
    elif event in ("os.mkdir", "os.rename"):
        path, writes = arguments[0], True
    else:
        return None
    return (
        os.fsdecode(path)
        if writes and isinstance(path, str | bytes | os.PathLike)
        else None
    )


def _small_files(folder: Path) -> None:
    """No result may grow beyond 600 bytes: a write fails amid a file, as where a disk
    becomes full.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        place = _written(event, arguments)
        if (
            event == "open"
            and place is not None
            and Path(os.path.abspath(place)).is_relative_to(folder / "R")
        ):
            resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
        elif event in ("os.rename", "os.remove"):  # what is printed lies in a file too
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )

    sys.addaudithook(hook)


def _taken_midway(place: Path) -> None:
    """Let a file take the place before the first measurement, but after all looks at
    the options.
    """
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


def _mounted(options: str, place: Path) -> None:
    """An empty file system in memory; where it may not be mounted, a folder without rights."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if (
        os.geteuid() != 0
        or subprocess.run(command, capture_output=True, check=False).returncode != 0
    ):
        place.chmod(0o500)


def _release(place: Path) -> None:
    if place.is_dir() and os.path.ismount(place):
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)
    elif place.is_dir():
        place.chmod(0o700)


_BEFORE = (
    Obstacle("a file in place", _file),
    Obstacle("a FIFO in place", _fifo),
    Obstacle("a loop of links in place", _loop),
    Obstacle("a link to nowhere in place", _dangling),
    Obstacle("a device in place", _device),
    Obstacle("a read-only disk", partial(_mounted, "ro")),
)
_MIDWAY = (
    Obstacle("a full disk", within=partial(_refuse, _FULL), midway=True),
    Obstacle(
        "a disk that becomes full", within=partial(_refuse, _FULL, after=2), midway=True
    ),
    Obstacle(
        "a disk that becomes read-only",
        within=partial(_refuse, _READ_ONLY, after=1),
        midway=True,
    ),
    Obstacle("a place that becomes a file", within=_taken_midway, midway=True),
)


_REPLACEABLE = (_file, _loop, _dangling, _device)
"""What a file that is moved to its place replaces."""


def rows(ground: Ground) -> Iterator[Trial]:
    whole = project(ground.place("whole"))
    run_pytest(whole, (*TOY, *_ALL))
    attempts: list[tuple[str, Callable[[Path], str | None]]] = []
    for obstacle in (*_BEFORE, *_MIDWAY):
        attempts += [
            (f"results: {obstacle.name}", partial(_results, obstacle)),
            (f"cache: {obstacle.name}", partial(_cache, obstacle, whole)),
            (f"report: {obstacle.name}", partial(_report, obstacle)),
        ]
    attempts += [
        ("report: a folder in place", partial(_report, Obstacle("", _folder))),
        (
            "every file: no more than 600 bytes, an older run in place",
            partial(_older_survives, _small_files),
        ),
        (
            "results: a full disk, an older run in place",
            partial(_older_survives, partial(_refuse_results, _FULL, 0)),
        ),
        (
            "results: full after one file, an older run",
            partial(_older_survives, partial(_refuse_results, _FULL, 1)),
        ),
        (
            "results: full after two files, an older run",
            partial(_older_survives, partial(_refuse_results, _FULL, 2)),
        ),
        ("temporary folder: missing", partial(_temporary, None, ())),
        ("temporary folder: full", partial(_temporary, _FULL, ())),
        ("temporary folder: missing, xdist", partial(_temporary, None, ("-n1",))),
        ("temporary folder: full, xdist", partial(_temporary, _FULL, ("-n1",))),
        ("baseline: a loop of links", partial(_given, "--robust-baseline=loop", _loop)),
        ("replay: a loop of links", partial(_given, "--robust-replay=loop", _loop)),
        ("replay: a file", partial(_given, "--robust-replay=loop", _file)),
        ("replay: a FIFO", partial(_given, "--robust-replay=loop", _fifo)),
        ("policy: a FIFO", partial(_given, "--robust-config=loop", _fifo)),
        ("policy: a loop of links", partial(_given, "--robust-config=loop", _loop)),
    ]
    for name, attempt in ground.some(attempts, 4):
        yield tried(name, partial(attempt, project(ground.place(name))))


def _ran(folder: Path, place: Path, obstacle: Obstacle) -> Ended:
    if obstacle.prepare is not None:
        place.parent.mkdir(exist_ok=True)
        obstacle.prepare(place)
    within = None if obstacle.within is None else partial(obstacle.within, place)
    try:
        return run_pytest(folder, (*TOY, *_ALL), before=within, seconds=40)
    finally:
        _release(place)


def in_order(ended: Ended) -> str | None:
    """A run may fail, with a sentence of this package. It does not hang and shows no inside."""
    if ended.timed_out:
        return "hung"
    for word in ("INTERNALERROR", "Traceback (most recent call last)"):
        if word in ended.output:
            return f"{word} in the output: {ended.end}"
    return (
        None
        if ended.status in (0, 1, 4)
        else f"exit status {ended.status}: {ended.end}"
    )


def _refused(ended: Ended, obstacle: Obstacle) -> str | None:
    """What cannot be written is said before anything is measured where it can be seen,
    and never passes.
    """
    if problem := in_order(ended):
        return problem
    if ended.status == 0 or "GATE: PASSED" in ended.last_line:
        return f"passed although it could not write: {ended.last_line}"
    if not obstacle.midway and ended.status != 4:
        return (
            f"noticed after the measurement only: status {ended.status},"
            f" {ended.last_line}"
        )
    return None


def _results(obstacle: Obstacle, folder: Path) -> str | None:
    return _refused(_ran(folder, folder / "R", obstacle), obstacle)


def _report(obstacle: Obstacle, folder: Path) -> str | None:
    """A report is written whole, in place of what can be replaced, or the run fails."""
    file = folder / "P" / "report.html"
    ended = _ran(
        folder,
        file if obstacle.prepare in (*_REPLACEABLE, _folder, _fifo) else file.parent,
        obstacle,
    )
    written = file.is_file() and file.read_bytes().rstrip().endswith(b"</html>")
    if ended.status == 0 and written:
        return in_order(ended)
    return _refused(ended, obstacle)


def _cache(obstacle: Obstacle, whole: Path, folder: Path) -> str | None:
    """A run needs no cache: its numbers are right, or it says at once that the folder is wrong."""
    ended = _ran(folder, folder / "C", obstacle)
    if problem := in_order(ended):
        return problem
    if ended.status == 4:
        return None
    return differs(folder / "R", whole / "R")


def _refuse_results(number: int, after: int, folder: Path) -> None:
    _refuse(number, folder / "R", after=after)


def _older_survives(within: Prepare, folder: Path) -> str | None:
    """The run that was there before is there afterwards, byte for byte, and can be judged."""
    first = run_pytest(folder, (*TOY, *_ALL))
    before = (folder / "R" / "run.json").read_bytes(), ranks_digest(folder / "R")
    ended = run_pytest(
        folder, (*TOY, *_ALL), before=partial(within, folder), seconds=40
    )
    if problem := in_order(ended):
        return problem
    if ended.status == 0:
        return f"passed although it could not write, {ended.last_line}"
    after = (folder / "R" / "run.json").read_bytes(), ranks_digest(folder / "R")
    return None if after == before else f"the older run was changed ({first.last_line})"


def _temporary(number: int | None, workers: Sequence[str], folder: Path) -> str | None:
    # pytest itself needs room there: only what this package asks for is refused.
    temporary = folder / "temporary"
    if number is not None:
        temporary.mkdir()
    within = (
        None
        if number is None
        else partial(_refuse, number, temporary, named="retrieval-robust")
    )
    plugins = ("xdist",) if workers else ()
    environment = {"TMPDIR": str(temporary)}
    ended = run_pytest(
        folder,
        (*TOY, *_ALL, *workers),
        environment=environment,
        before=within,
        plugins=plugins,
        seconds=90,
    )
    if problem := in_order(ended):
        return problem
    if ended.status == 0:
        # Python looks for another folder where TMPDIR is missing: then all must be there.
        return (
            None if (folder / "R" / "run.json").is_file() else "passed without results"
        )
    return None


def _given(option: str, prepare: Prepare, folder: Path) -> str | None:
    """A path that a user gives and that cannot be read: exit status 4, or a failure
    with a sentence.
    """
    prepare(folder / "loop")
    ended = run_pytest(folder, (*TOY, "gate", option), seconds=40)
    if problem := in_order(ended):
        return problem
    return None if ended.status in (1, 4) else f"taken: {ended.last_line}"


ROWS: Sequence[Row] = (
    Row(
        "disks",
        "full, read-only, taken or vanished places: said in time, nothing older is"
        " lost",
        rows,
    ),
)
