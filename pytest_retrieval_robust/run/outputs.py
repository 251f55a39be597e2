"""Where a run may write: checked before anything is measured, and never in place of a run
that measured more.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

from ..core.atomic_files import parts_in, remove_abandoned
from ..core.errors import ConfigError
from ..core.files import is_regular
from ..core.words import counted
from ..gate.measurements import Measurements
from ..reports.saved.arrays import RANKS_FILE
from ..reports.saved.read import (
    RUN_FILE,
    NewerRunError,
    SavedRunError,
    has_run,
    load_run,
)

_PARTIAL = ".partial"


def same_place(path: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder, which need not exist yet."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return os.path.realpath(path) == os.path.realpath(other)


# Before the first measurement


def check_outputs(
    results: Path | None, reports: Sequence[Path], saved: Iterable[Path | None]
) -> None:
    """Raise `ConfigError` for results or reports that cannot be written, or that would
    destroy one of the runs `saved`.

    Half-written files of runs that were killed there are removed. Nothing else is changed.
    """
    protected = [folder for folder in (*saved, results) if folder is not None]
    if results is not None:
        _check_results(results)
        remove_abandoned(parts_in(results))
    for report in reports:
        _check_report(report, protected)
        remove_abandoned(parts_in(report.parent))


def check_folder(option: str, folder: Path) -> None:
    """Raise `ConfigError` where an option's folder cannot be made or written to."""
    problem = _problem_of_folder(folder)
    if problem is not None:
        raise ConfigError(
            f"Expected a folder for {option} that can be written, got"
            f" {folder.name!r}: {problem}. Choose another folder."
        )


def _check_results(folder: Path) -> None:
    check_folder("--robust-results", folder)
    for name in (RUN_FILE, RANKS_FILE):
        if _is_no_file(folder / name):
            raise ConfigError(
                f"Expected a file or nothing at {name} in the folder of"
                f" --robust-results, got something else in {folder.name!r}. Remove it,"
                " or choose another folder."
            )


def check_out(path: Path) -> None:
    """Raise `ConfigError` where a command's `--out` cannot be a file.

    A FIFO would be waited for without end.
    """
    if _is_no_file(path):
        raise ConfigError(
            f"Expected a file or nothing at --out={path.name!r}, got a folder, a"
            " device, a FIFO or a broken link. Choose another name, or leave --out out"
            " to have it printed."
        )


def check_written(option: str, path: Path) -> None:
    """Raise `ConfigError` where an option's file is a folder, or its folder is not there
    or cannot be written to. A pipe or a device is taken.
    """
    folder = path.parent
    problem = _problem_of_folder(folder) if folder.is_dir() else "no such folder"
    # What exists, such as a device, may be written to although its folder may not.
    if problem is not None and not os.path.exists(path):
        raise ConfigError(
            f"Expected a file in a folder that can be written, got"
            f" {option}={path.name!r} in {folder.name!r}: {problem}. Make the folder, or"
            " choose another place."
        )

    if path.is_dir():
        raise ConfigError(
            f"Expected a file at {option}={path.name!r}, got a folder. Choose another"
            " name."
        )


def _is_no_file(path: Path) -> bool:
    """Whether something is there that is no file; a broken link counts."""
    return os.path.lexists(path) and not is_regular(path)


def _check_report(path: Path, protected: Sequence[Path]) -> None:
    if _is_no_file(path):
        raise ConfigError(
            f"Expected a file or nothing at --robust-report={path.name!r}, got a"
            " folder, a device, a FIFO or a broken link. Remove it, or choose another"
            " name."
        )
    folder = path.parent
    problem = _problem_of_folder(folder)
    if problem is not None:
        raise ConfigError(
            f"Expected a folder that can be written for --robust-report={path.name!r},"
            f" got {folder.name!r}: {problem}. Choose another folder."
        )
    if path.name not in (RUN_FILE, RANKS_FILE):
        return
    # A report of that name would be taken for a part of the run.
    is_protected = any(same_place(folder, saved) for saved in protected)
    if is_protected or os.path.lexists(folder / RANKS_FILE):
        raise ConfigError(
            f"Expected a report beside no saved run, got --robust-report={path.name!r}"
            f" in {folder.name!r}, which would replace a part of the run there."
            " Choose another name."
        )


def _problem_of_folder(folder: Path) -> str | None:
    """Why a folder cannot be made or written to; None where it can."""
    # Mode bits do not tell of read-only mounts and access lists: a file is made.
    try:
        existing = _nearest_existing(folder)
        if not existing.is_dir():
            return f"{existing.name!r} is no folder"
        with tempfile.TemporaryFile(dir=existing):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__
    except ValueError:
        return "a name that no folder can have"


def _nearest_existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    for candidate in (folder, *folder.parents):
        try:
            os.lstat(candidate)
        except FileNotFoundError:
            continue
        return candidate
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


# After the last one


def place_for(
    run: Measurements, folder: Path, others: Iterable[Path | None]
) -> tuple[Path, str | None]:
    """Where the results of a run are written, and why it is not `folder`, if it is not.

    A run that measured less than the one in the folder goes beside it, but never into
    one of the folders `others`.
    """
    reason = _reason_to_keep(folder, run)
    if reason is None:
        return folder, None
    used = [other for other in others if other is not None]
    free = (place for place in _places_beside(folder) if _is_free(place, used, run))
    place = next(free)
    sentence = (
        f"The results were written to {place.name!r}, because {folder.name!r} holds"
        f" {reason}. It stays as it is; --robust-overwrite replaces it."
    )
    return place, sentence


def _is_free(place: Path, used: Sequence[Path], run: Measurements) -> bool:
    if os.path.lexists(place) and not place.is_dir():
        return False
    if any(same_place(place, other) for other in used):
        return False
    return _reason_to_keep(place, run) is None


def _places_beside(folder: Path) -> Iterator[Path]:
    """`DIR.partial`, `DIR.partial-2`, ...

    They are inside the folder if nothing can be written beside it.
    """
    named = folder
    if folder.name in ("", ".."):
        named = Path(os.path.realpath(folder))
    parent = named.parent if os.access(named.parent, os.W_OK) else named
    yield parent / f"{named.name}{_PARTIAL}"
    for number in count(2):
        yield parent / f"{named.name}{_PARTIAL}-{number}"


def _reason_to_keep(folder: Path, run: Measurements) -> str | None:
    """What the run in a folder has more than `run`; None where `run` may replace it."""
    if not folder.is_dir() or not has_run(folder):
        return None
    try:
        older = load_run(folder).measured
    except NewerRunError:
        return "a run of a newer version"
    except SavedRunError:
        is_whole = run.full and _count_cells(run) > 0
        if is_whole:
            return None
        return "what may be a damaged run, and this one is not whole"
    # A run that was judged again is the same run.
    if older.identity.id == run.identity.id:
        return None
    if older.full and not run.full:
        return "a whole run, and this one is not"
    before = _count_cells(older)
    now = _count_cells(run)
    if before > now:
        return f"a run that measured {counted(before, 'cell')}, and this one {now}"
    if run.limit is not None and (older.limit is None or older.limit > run.limit):
        return "a run of more pairs"
    return None


def _count_cells(run: Measurements) -> int:
    """All that was measured, of every kind."""
    kinds = (
        run.outcomes,
        run.costs,
        run.breaking,
        run.counterfactuals,
        run.drift,
    )
    return sum(map(len, kinds))
