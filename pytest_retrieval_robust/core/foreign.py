"""Errors that are not ours: what may be said of them, and how they let go of memory.

Said are the class and where the error arose, never its text.

The text of a foreign exception may quote a report, a patient's name or a path. A user
who looks for a broken encoder needs the place, which is the file and line of their own
code.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

E = TypeVar("E", bound=BaseException)

SHOW_VARIABLE = "RETRIEVAL_ROBUST_SHOW_ERRORS"
"""Set to 1, texts of foreign errors are shown: for a developer's machine, where no
patient's data can leak.
"""
FOREIGN = (Exception, SystemExit)
"""What foreign code may raise as an error of its own.

An interrupt and pytest's own outcomes are not among them.
"""

_PACKAGE = Path(__file__).resolve().parents[1]
_LIBRARIES = {
    Path(sysconfig.get_path(kind)).resolve()
    for kind in ("stdlib", "platstdlib", "purelib", "platlib")
}
_MOST_FRAMES = 3


def described(error: BaseException) -> str:
    """The class of a foreign error and the user's own frames in which it arose, the
    innermost first.

    For example `ValueError at encoder.py:12 in embed, from conftest.py:30 in load`.
    Values and texts are left out, unless the environment variable
    `RETRIEVAL_ROBUST_SHOW_ERRORS` is 1.
    """
    kind = type(error).__name__
    places = _places(error)
    where = f" at {', from '.join(places)}" if places else ""
    if shows_texts():
        return f"{kind}{where}: {error}"
    return (
        f"{kind}{where} (its text is withheld, because it may quote a report:"
        f" {SHOW_VARIABLE}=1 shows it)"
    )


def shows_texts() -> bool:
    """Whether the user allowed texts of foreign errors."""
    return os.environ.get(SHOW_VARIABLE) == "1"


def let_go(error: BaseException) -> None:
    """Drop the local variables that an error's frames hold, its causes included: a
    model, a batch, activations.

    Frames that still run keep theirs.
    """
    visited: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        # Two errors may be each other's context.
        if current is None or id(current) in visited:
            continue
        visited.add(id(current))
        traceback.clear_frames(current.__traceback__)
        pending += [current.__cause__, current.__context__]


def without_frames(error: E) -> E:
    """The error, fit to be kept: without the frames, and the errors behind it, that
    hold a model or a batch.
    """
    let_go(error)
    error.__traceback__ = None
    error.__cause__ = None
    error.__context__ = None
    return error


def _places(error: BaseException) -> list[str]:
    """The user's innermost frames; where there are none, the innermost one of a library."""
    own: list[str] = []
    libraries: list[str] = []
    for file, line, function in _frames(error.__traceback__):
        if file.is_relative_to(_PACKAGE):
            continue
        if any(file.is_relative_to(folder) for folder in _LIBRARIES):
            shown = Path(file.parent.name, file.name)
            libraries.append(f"{shown}:{line} in {function}")
        else:
            own.append(f"{_shown(file)}:{line} in {function}")
    outermost_first = (own or libraries[-1:])[-_MOST_FRAMES:]
    return outermost_first[::-1]


def _frames(start: TracebackType | None) -> Iterator[tuple[Path, int, str]]:
    for frame, line in traceback.walk_tb(start):
        yield Path(frame.f_code.co_filename), line, frame.f_code.co_name


def _shown(file: Path) -> Path:
    """The path from the current folder; the name alone of a file elsewhere, because
    folders may tell of people.
    """
    try:
        return file.relative_to(Path.cwd())
    except (ValueError, OSError):
        return Path(file.name)
