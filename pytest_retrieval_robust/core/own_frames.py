"""Where a foreign error arose: the lines of a traceback that are the user's own code.

A line names a file, a number and a function. Source lines, arguments and texts stay
out, because they may hold a report or a patient's name.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType

from .shown_values import current_folder


@lru_cache(maxsize=4096)
def _spellings(path: Path) -> frozenset[Path]:
    """A path as it is written, and without symbolic links."""
    try:
        return frozenset({path, Path(os.path.realpath(path))})
    # Made code may have any name, even one that no file can have.
    except (ValueError, OSError):
        return frozenset({path})


def _all_spellings(paths: Iterable[Path]) -> frozenset[Path]:
    return frozenset().union(*map(_spellings, paths))


# A frame names its file as the module was found: any folder of it may be a link.
_PACKAGE = _all_spellings([Path(__file__).parents[1]])
_LIBRARIES = _all_spellings(
    Path(sysconfig.get_path(kind))
    for kind in ("stdlib", "platstdlib", "purelib", "platlib")
)
_LIBRARY_FOLDERS = {"site-packages", "dist-packages"}
"""Of other environments, and of a user's own packages for all of them."""
_TYPED_AT_A_PROMPT = ("<ipython-input", "<stdin>", "<console>", "<doctest")
MOST_LINES = 8


@dataclass(frozen=True, repr=False)
class CodePlace:
    """A line of code that was under way."""

    file: Path
    line: int
    function: str

    @property
    def is_own(self) -> bool:
        """Whether it is the user's: neither this package's, nor a library's, nor made
        while the program ran.
        """
        name = str(self.file)
        if name.startswith("<"):
            return name.startswith(_TYPED_AT_A_PROMPT)
        return not (self._is_in(_PACKAGE) or self.is_of_a_library)

    @property
    def is_of_a_library(self) -> bool:
        if str(self.file).startswith("<"):
            return False
        files = _spellings(self.file)
        in_library = any(_LIBRARY_FOLDERS.intersection(file.parts) for file in files)
        is_installed = in_library or self._is_in(_LIBRARIES)
        return is_installed and not self._is_in(_PACKAGE)

    def _is_in(self, folders: Iterable[Path]) -> bool:
        files = _spellings(self.file)
        return any(file.is_relative_to(folder) for folder in folders for file in files)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        return f"{self._shown_file}:{self.line} in {self.function}"

    @property
    def _shown_file(self) -> Path:
        """The path from the current folder; the name alone of a file elsewhere, because
        folders may tell of people. With its folder for a library's.
        """
        if self.is_of_a_library:
            return Path(self.file.parent.name, self.file.name)
        here = current_folder()
        for file in (self.file, *_spellings(self.file)):
            if here is not None and file.is_relative_to(here):
                return file.relative_to(here)
        return Path(self.file.name)


def innermost_place(error: BaseException) -> CodePlace | None:
    """The user's line that was reached last; one of a library where none is the user's."""
    places = list(_places_of(error))
    own = [place for place in places if place.is_own]
    libraries = [place for place in places if place.is_of_a_library]
    nearest = own or libraries
    return nearest[-1] if nearest else None


def traceback_lines(error: BaseException) -> list[str]:
    """The end of a traceback in the user's own code, newest last.

    The last line of each error says its class: an error may have come of another one.

    For example `["conftest.py:30 in embed", "tokens.py:4 in split: KeyError"]`.
    """
    lines: list[str] = []
    for one in _causes_first(error):
        of_one = [str(place) for place in _places_of(one) if place.is_own]
        if of_one:
            of_one[-1] += f": {type(one).__name__}"
        lines += of_one
    if not lines:
        place = innermost_place(error)
        lines = [] if place is None else [f"{place}: {type(error).__name__}"]
    return lines[-MOST_LINES:]


def lines_under_way(frame: FrameType, outer_frames: int = 0) -> list[str]:
    """Where the user's own code is, of a thread that runs `frame`, newest last.

    The `outer_frames` that were there before are left out.
    """
    stack = list(traceback.walk_stack(frame))[::-1]
    places = [_place(running, line) for running, line in stack[outer_frames:]]
    own = [str(place) for place in places if place.is_own]
    return own[-MOST_LINES:]


def _causes_first(error: BaseException) -> list[BaseException]:
    """The errors behind an error, the first of them first, and itself last."""
    errors: list[BaseException] = []
    current: BaseException | None = error
    # Two errors may be each other's context.
    while current is not None and not any(current is seen for seen in errors):
        errors.append(current)
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    return errors[::-1]


def _places_of(error: BaseException) -> Iterator[CodePlace]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield _place(frame, line)


def _place(frame: FrameType, line: int) -> CodePlace:
    return CodePlace(Path(frame.f_code.co_filename), line, frame.f_code.co_name)
