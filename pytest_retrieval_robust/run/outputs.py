"""Where a run may write: looked at before anything is measured, and never in place of a
run that measured more.
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


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder, which may not be there yet."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)


# Before the first measurement


def check_outputs(
    results: Path | None, reports: Sequence[Path], saved: Iterable[Path | None]
) -> None:
    """Raise `ConfigError` for results or reports that cannot be written, or that would
    destroy one of the runs `saved`.

    What runs that were killed left half-written there is removed. Nothing else is changed.
    """
    kept = [folder for folder in (*saved, results) if folder is not None]
    if results is not None:
        _check_results(results)
        remove_abandoned(parts_in(results))
    for report in reports:
        _check_report(report, kept)
        remove_abandoned(parts_in(report.parent))


def _check_results(folder: Path) -> None:
    problem = _problem_of_folder(folder)
    if problem is not None:
        raise ConfigError(
            "Expected a folder for --robust-results that can be written, got"
            f" {folder.name!r}: {problem}. Choose another folder."
        )
    for name in (RUN_FILE, RANKS_FILE):
        if os.path.lexists(folder / name) and not is_regular(folder / name):
            raise ConfigError(
                f"Expected a file or nothing at {name} in the folder of"
                f" --robust-results, got something else in {folder.name!r}. Remove it,"
                " or choose another folder."
            )


def check_out(path: Path) -> None:
    """Raise `ConfigError` where a command's `--out` is something that may be waited for
    without end.
    """
    if os.path.lexists(path) and not is_regular(path):
        raise ConfigError(
            f"Expected a file or nothing at --out={path.name!r}, got a folder, a"
            " device, a FIFO or a broken link. Choose another name, or leave --out out"
            " to have it printed."
        )


def _check_report(path: Path, kept: Sequence[Path]) -> None:
    if os.path.lexists(path) and not is_regular(path):
        raise ConfigError(
            f"Expected a file or nothing at --robust-report={path.name!r}, got a"
            " folder, a device, a FIFO or a broken link. Remove it, or choose another"
            " name."
        )
    problem = _problem_of_folder(path.parent)
    if problem is not None:
        raise ConfigError(
            f"Expected a folder that can be written for --robust-report={path.name!r},"
            f" got {path.parent.name!r}: {problem}. Choose another folder."
        )
    is_of_a_run = os.path.lexists(path.parent / RANKS_FILE) or any(
        same_place(path.parent, folder) for folder in kept
    )
    if path.name in (RUN_FILE, RANKS_FILE) and is_of_a_run:
        raise ConfigError(
            f"Expected a report beside no saved run, got --robust-report={path.name!r}"
            f" in {path.parent.name!r}, which would replace a part of the run there."
            " Choose another name."
        )


def _problem_of_folder(folder: Path) -> str | None:
    """Why a folder cannot be made or written to; None where it can."""
    try:
        nearest = _nearest(folder)
        if not nearest.is_dir():
            return f"{nearest.name!r} is no folder"
        with tempfile.TemporaryFile(dir=nearest):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__
    except ValueError:
        return "a name that no folder can have"


def _nearest(folder: Path) -> Path:
    """The folder, or what of the folders above it is there."""
    for place in (folder, *folder.parents):
        try:
            os.lstat(place)
        except FileNotFoundError:
            continue
        return place
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


# After the last one


def place_for(
    run: Measurements, folder: Path, others: Iterable[Path | None]
) -> tuple[Path, str | None]:
    """Where the results of a run are written, and a sentence where that is not the
    `folder` that was asked for.

    A run that measured less than the one that lies there goes beside it, but never into
    one of the folders `others`.
    """
    reason = _measured_more(folder, run)
    if reason is None:
        return folder, None
    taken = [other for other in others if other is not None]
    for place in _places_beside(folder):
        is_free = not os.path.lexists(place) or place.is_dir()
        if (
            is_free
            and not any(same_place(place, other) for other in taken)
            and _measured_more(place, run) is None
        ):
            break
    sentence = (
        f"The results were written to {place.name!r}, because {folder.name!r} holds"
        f" {reason}. It stays as it is; --robust-overwrite replaces it."
    )
    return place, sentence


def _places_beside(folder: Path) -> Iterator[Path]:
    """`DIR.partial`, `DIR.partial-2`, ...: inside of the folder where there is no
    writing beside it.
    """
    whole = folder if folder.name not in ("", "..") else Path(os.path.realpath(folder))
    above = whole.parent if os.access(whole.parent, os.W_OK) else whole
    yield above / f"{whole.name}{_PARTIAL}"
    for number in count(2):
        yield above / f"{whole.name}{_PARTIAL}-{number}"


def _measured_more(folder: Path, run: Measurements) -> str | None:
    """What the run that lies in a folder has more than this one; None where this one
    may replace it.
    """
    if not (folder.is_dir() and has_run(folder)):
        return None
    try:
        older = load_run(folder).measured
    except NewerRunError:
        return "a run of a newer version"
    except SavedRunError:
        is_whole = run.full and _cells(run) > 0
        return (
            None if is_whole else "what may be a damaged run, and this one is not whole"
        )
    if older.identity.id == run.identity.id:
        return None
    if older.full and not run.full:
        return "a whole run, and this one is not"
    if _cells(older) > _cells(run):
        return f"a run that measured {_cells(older)} cells, and this one {_cells(run)}"
    if run.limit is not None and (older.limit is None or older.limit > run.limit):
        return "a run of more pairs"
    return None


def _cells(run: Measurements) -> int:
    """All that was measured, of every kind."""
    return len(run.outcomes) + len(run.costs) + len(run.breaking)
