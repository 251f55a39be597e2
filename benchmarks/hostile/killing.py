"""Runs that are killed, and what is left of them.

They are killed at any time, amid shards, around every rename, and beside other runs.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .children import run_pytest, start_pytest
from .projects import TINY, TINY_QUICK, TOY, differs, leftovers, project
from .trials import Ground, Row, Trial, tried

_SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
_OPTIONS = ("gate", "--robust-results=R", "--robust-cache-dir=C")
_REPORT = "--robust-report=report.html"


# What the operating system is asked for, as Python's audit events tell it.


@dataclass(frozen=True)
class Step:
    """One thing that a run does to a file below a folder: `open` to write, or `rename`."""

    kind: str
    name: str


def _step_of(event: str, arguments: tuple[Any, ...], below: Path) -> Step | None:
    """The step that an audit event tells of; None for reading and for other places."""
    if event == "os.rename":
        kind = "rename"
        path = arguments[1]
    elif event == "open" and _writes(arguments[1], arguments[2]):
        kind = "open"
        path = arguments[0]
    else:
        return None
    # What is opened may be a descriptor.
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    file = Path(os.path.abspath(os.fsdecode(path)))
    if not file.is_relative_to(below):
        return None
    return Step(kind, file.name)


def _writes(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return any(sign in mode for sign in "wax+")
    return isinstance(flags, int) and bool(
        flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    )


def _watch(below: Path, on_step: Callable[[int, Step], None]) -> None:
    """Call `on_step` with each step and its number, just before it happens."""
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in ("os.rename", "open"):
            return
        step = _step_of(event, arguments, below)
        if step is not None:
            count += 1
            on_step(count, step)

    sys.addaudithook(hook)


def _record(below: Path, into: Path) -> None:
    """Write each step down. The file lies elsewhere and is opened once."""
    descriptor = os.open(into, os.O_CREAT | os.O_WRONLY, 0o600)
    _watch(below, lambda _, step: _append(descriptor, step))


def _append(descriptor: int, step: Step) -> None:
    os.write(descriptor, f"{step.kind} {step.name}\n".encode())


def _die_at(below: Path, number: int, how: str) -> None:
    """Die just before a step, or, amid it, when the file that it opens has grown to 40 bytes."""

    # The kernel ends a process that writes beyond its limit: the file is left half-written.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)

    def die(count: int, _: Step) -> None:
        if count != number:
            return
        if how == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))

    _watch(below, die)


# Rows


def _tiny(ground: Ground) -> tuple[str, ...]:
    return TINY_QUICK if ground.quick else TINY


def at_any_time(ground: Ground) -> Iterator[Trial]:
    """SIGKILL, SIGINT and SIGTERM at random times.

    The resumed run must be as one that was left alone.
    """
    options = _tiny(ground)
    whole = project(ground.place("whole"))
    began = time.monotonic()
    ended = run_pytest(whole, (*options, *_OPTIONS))
    took = time.monotonic() - began
    if not (whole / "R" / "run.json").is_file():
        yield Trial("the run that is left alone", ended.end)
        return
    for number in range(ground.count(42, 2)):
        which = _SIGNALS[number % len(_SIGNALS)]
        delay = ground.random("kill", number).uniform(0.02, 1.0) * took
        yield tried(
            f"{which.name} {number}",
            partial(
                _killed, ground.place(f"kill{number}"), whole, options, which, delay
            ),
        )


def _killed(
    folder: Path,
    whole: Path,
    options: tuple[str, ...],
    which: signal.Signals,
    delay: float,
) -> str | None:
    child = start_pytest(project(folder), (*options, *_OPTIONS))
    time.sleep(delay)
    child.send(which)
    if child.wait().timed_out:
        return f"{which.name} after {delay:.2f} s did not end it"
    return _resumed(folder, whole, options)


def _resumed(folder: Path, whole: Path, options: tuple[str, ...]) -> str | None:
    ended = run_pytest(folder, (*options, *_OPTIONS))
    if ended.status not in (0, 1):
        return f"the resumed run exited with {ended.status}: {ended.end}"
    if left := leftovers(folder):
        return f"left behind: {', '.join(left[:3])}"
    return differs(folder / "R", whole / "R")


def amid_shards(ground: Ground) -> Iterator[Trial]:
    """Killed before, amid and after the writing of a shard."""
    options = _tiny(ground)
    whole = project(ground.place("whole"))
    steps = _steps(whole, options, whole / "C")
    count = ground.count(24, 1)
    if len(steps) < 4:
        yield Trial("steps", f"only {len(steps)} steps of shards")
        return
    for number in range(count):
        at = 1 + number * len(steps) // count
        how = "before"
        if steps[at - 1].kind == "open" and number % 2:
            how = "amid"
        folder = project(ground.place(f"shard{number}"))
        yield tried(
            f"{how} {steps[at - 1].kind} {number}",
            partial(_dies_and_resumes, folder, whole, options, (at, how)),
        )


def _dies_and_resumes(
    folder: Path, whole: Path, options: tuple[str, ...], death: tuple[int, str]
) -> str | None:
    at, how = death
    ended = run_pytest(
        folder, (*options, *_OPTIONS), before=partial(_die_at, folder / "C", at, how)
    )
    if ended.status >= 0:
        return f"it did not die at step {at}: status {ended.status}"
    return _resumed(folder, whole, options)


def _steps(
    folder: Path, options: tuple[str, ...], below: Path, *more: str
) -> list[Step]:
    """What an undisturbed run does below a folder."""
    log = folder.with_name(f"{folder.name}.steps")
    run_pytest(
        folder, (*options, *_OPTIONS, *more), before=partial(_record, below, log)
    )
    if not log.is_file():
        return []
    pairs = [line.split(" ", 1) for line in log.read_text("utf-8").splitlines()]
    return [Step(kind, name) for kind, name in pairs]


def around_renames(ground: Ground) -> Iterator[Trial]:
    """Killed at every step of writing results and reports.

    There is an older run in place, or none.
    """
    for older in (False, True):
        whole = _prepared(ground.place("whole"), older)
        before = ground.place("before")
        shutil.copytree(whole, before, dirs_exist_ok=True, symlinks=True)
        steps = _steps(whole, TOY, whole, _REPORT)
        attempts: list[tuple[int, str]] = []
        for number, step in enumerate(steps, 1):
            if not step.name.endswith((".pyc", ".lock")):
                attempts += [(number, how) for how in _ways(step)]
        in_place = "an older run" if older else "nothing"
        for number, how in ground.some(attempts, 1):
            step = steps[number - 1]
            folder = ground.place(f"step{number}")
            shutil.copytree(before, folder, dirs_exist_ok=True, symlinks=True)
            name = f"{how} {step.kind} {_plain(step.name)}, {in_place} in place"
            yield tried(name, partial(_dies_around, folder, whole, number, how, older))


def _ways(step: Step) -> tuple[str, ...]:
    if step.kind == "open":
        return ("before", "amid")
    return ("before",)


def _plain(name: str) -> str:
    """A name without the process and the random word in it."""
    return ".".join(part for part in name.split(".") if "-" not in part)


def _prepared(folder: Path, older: bool) -> Path:
    project(folder)
    (folder / "C").mkdir()
    if older:
        run_pytest(folder, (*TOY, *_OPTIONS, _REPORT))
    return folder


def _dies_around(
    folder: Path, whole: Path, number: int, how: str, older: bool
) -> str | None:
    ended = run_pytest(
        folder, (*TOY, *_OPTIONS, _REPORT), before=partial(_die_at, folder, number, how)
    )
    if ended.status >= 0:
        # What it writes may be smaller than the limit: then nothing was interrupted,
        # and all must be right.
        return differs(folder / "R", whole / "R")
    if problem := _saved_is_whole(folder, older):
        return problem
    again = run_pytest(folder, (*TOY, *_OPTIONS, _REPORT))
    if again.status not in (0, 1):
        return f"the next run exited with {again.status}: {again.end}"
    if left := leftovers(folder):
        return f"left behind: {', '.join(left[:3])}"
    return differs(folder / "R", whole / "R")


def _saved_is_whole(folder: Path, older: bool) -> str | None:
    """A run is there whole or not at all, and an older one is never lost."""
    if not older and not (folder / "R" / "run.json").is_file():
        return None
    ended = run_pytest(folder, ("gate", "--robust-replay=R", "-p", "no:cacheprovider"))
    if ended.last_line.startswith("RELEASE GATE: PASSED"):
        return None
    return f"the saved run is lost: {ended.end}"


def several_at_once(ground: Ground) -> Iterator[Trial]:
    """Two or three runs on one cache, one of them killed."""
    from pytest_retrieval_robust.measure.embeddings.store import FOLDER, EmbeddingStore

    tiny = _tiny(ground)
    whole = project(ground.place("whole"))
    began = time.monotonic()
    run_pytest(whole, (*tiny, *_OPTIONS))
    took = time.monotonic() - began
    for number in range(ground.count(14, 1)):
        runs = 2 + number % 2
        group = ground.place(f"group{number}")
        folders = [project(group / str(run)) for run in range(runs)]
        options = (
            *tiny,
            "gate",
            "--robust-results=R",
            f"--robust-cache-dir={group / 'C'}",
        )
        children = [start_pytest(folder, options) for folder in folders]
        share = ground.random("several", number).uniform(0.1, 0.9)
        time.sleep(share * took * runs / 2)
        children[0].send(signal.SIGKILL)
        for child in children:
            child.wait()
        run_pytest(folders[0], options)
        for folder in folders:
            yield tried(
                f"{runs} runs, {number}", partial(differs, folder / "R", whole / "R")
            )
        damaged = EmbeddingStore(group / "C" / FOLDER).damaged()
        left = leftovers(group)
        problem = None
        if damaged or left:
            problem = f"{len(damaged)} damaged shards, {len(left)} .part files"
        yield Trial(f"the cache {number}", problem)


ROWS = (
    Row(
        "kills",
        "killed by SIGKILL, SIGINT or SIGTERM at any time: the resumed run is the same",
        at_any_time,
    ),
    Row(
        "kills-shards",
        "killed amid the writing of shards: the resumed run is the same",
        amid_shards,
    ),
    Row(
        "kills-renames",
        "killed at each step of writing results and reports: nothing is lost",
        around_renames,
    ),
    Row(
        "several-runs",
        "two or three runs on one cache, one of them killed: all the same",
        several_at_once,
    ),
)
