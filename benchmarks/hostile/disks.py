"""Places that cannot be written: full, read-only, taken by something else, gone midway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from .children import Ended, run_pytest
from .obstacles import (
    BEFORE,
    FULL,
    MIDWAY,
    REPLACEABLE,
    Obstacle,
    Prepare,
    allow_small_files_only,
    put_fifo,
    put_file,
    put_folder,
    put_loop,
    refuse_writes,
    release,
)
from .projects import TOY, differs, project, ranks_digest
from .trials import Ground, Row, Trial, tried

_ALL = (
    "gate",
    "--robust-results=R",
    "--robust-report=P/report.html",
    "--robust-cache-dir=C",
)


def rows(ground: Ground) -> Iterator[Trial]:
    whole = project(ground.place("whole"))
    run_pytest(whole, (*TOY, *_ALL))
    attempts: list[tuple[str, Callable[[Path], str | None]]] = []
    for obstacle in (*BEFORE, *MIDWAY):
        attempts += [
            (f"results: {obstacle.name}", partial(_results, obstacle)),
            (f"cache: {obstacle.name}", partial(_cache, obstacle, whole)),
            (f"report: {obstacle.name}", partial(_report, obstacle)),
        ]
    attempts += [
        ("report: a folder in place", partial(_report, Obstacle("", put_folder))),
        (
            "every file: no more than 600 bytes, an older run in place",
            partial(_older_survives, allow_small_files_only),
        ),
        (
            "results: a full disk, an older run in place",
            partial(_older_survives, partial(_refuse_results, FULL, 0)),
        ),
        (
            "results: full after one file, an older run",
            partial(_older_survives, partial(_refuse_results, FULL, 1)),
        ),
        (
            "results: full after two files, an older run",
            partial(_older_survives, partial(_refuse_results, FULL, 2)),
        ),
        ("temporary folder: missing", partial(_temporary, None, ())),
        ("temporary folder: full", partial(_temporary, FULL, ())),
        ("temporary folder: missing, xdist", partial(_temporary, None, ("-n1",))),
        ("temporary folder: full, xdist", partial(_temporary, FULL, ("-n1",))),
        (
            "baseline: a loop of links",
            partial(_unreadable, "--robust-baseline=loop", put_loop),
        ),
        (
            "replay: a loop of links",
            partial(_unreadable, "--robust-replay=loop", put_loop),
        ),
        ("replay: a file", partial(_unreadable, "--robust-replay=loop", put_file)),
        ("replay: a FIFO", partial(_unreadable, "--robust-replay=loop", put_fifo)),
        ("policy: a FIFO", partial(_unreadable, "--robust-config=loop", put_fifo)),
        (
            "policy: a loop of links",
            partial(_unreadable, "--robust-config=loop", put_loop),
        ),
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
        release(place)


def in_order(ended: Ended) -> str | None:
    """A run may fail, with a sentence of this package. It does not hang and shows no inside."""
    if ended.timed_out:
        return "hung"
    for word in ("INTERNALERROR", "Traceback (most recent call last)"):
        if word in ended.output:
            return f"{word} in the output: {ended.end}"
    if ended.status not in (0, 1, 4):
        return f"exit status {ended.status}: {ended.end}"
    return None


def _refused(ended: Ended, obstacle: Obstacle) -> str | None:
    """A run that cannot write never passes, and says so before it measures if it can."""
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
    place = file.parent
    if obstacle.prepare in (*REPLACEABLE, put_folder, put_fifo):
        place = file
    ended = _ran(folder, place, obstacle)
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
    refuse_writes(number, folder / "R", after=after)


def _older_survives(within: Prepare, folder: Path) -> str | None:
    """The run that was there before is there afterwards, byte for byte, and can be judged."""
    first = run_pytest(folder, (*TOY, *_ALL))
    before = _saved(folder / "R")
    ended = run_pytest(
        folder, (*TOY, *_ALL), before=partial(within, folder), seconds=40
    )
    if problem := in_order(ended):
        return problem
    if ended.status == 0:
        return f"passed although it could not write, {ended.last_line}"
    if _saved(folder / "R") != before:
        return f"the older run was changed ({first.last_line})"
    return None


def _saved(results: Path) -> tuple[bytes, str | None]:
    """What of a saved run must not change."""
    return (results / "run.json").read_bytes(), ranks_digest(results)


def _temporary(number: int | None, workers: Sequence[str], folder: Path) -> str | None:
    # pytest itself needs room there: only what this package asks for is refused.
    temporary = folder / "temporary"
    within = None
    if number is not None:
        temporary.mkdir()
        within = partial(refuse_writes, number, temporary, named="retrieval-robust")
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
    # Python looks for another folder where TMPDIR is missing: then all must be there.
    if ended.status == 0 and not (folder / "R" / "run.json").is_file():
        return "passed without results"
    return None


def _unreadable(option: str, prepare: Prepare, folder: Path) -> str | None:
    """An option names a path that cannot be read: the run does not pass."""
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
