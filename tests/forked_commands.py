"""Commands as a person types them, each in a fork of this process.

This process has imported torch, and importing it takes longer than a small run.
`releasing/` and `.ci/run` start them.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest

from pytest_retrieval_robust.__main__ import main as command_line

from .forked_runs import forked

_OF_A_PROJECT = ("conftest", "test_", "__main__")
"""How modules begin that belong to one project, or to one command."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Ended:
    """What became of a command."""

    status: int
    printed: str
    """On both streams, as they came."""
    written: frozenset[Path]
    """Files that Python opened for writing, and folders that it made."""


def run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run `pytest`, `python` or `retrieval-robust` in a folder, by default in this environment."""
    with tempfile.TemporaryFile() as written:
        ended = forked(partial(_typed, words, environment, written), folder)
        written.seek(0)
        paths = json.loads(written.read() or "[]")
    printed = "".join(f"{line}\n" for line in ended.outlines)
    return Ended(int(ended.ret), printed, frozenset(map(Path, paths)))


def _typed(
    words: Sequence[str], environment: Mapping[str, str] | None, written: IO[bytes]
) -> int:
    """Be the process of the command: its exit status."""
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    _forget_other_projects()
    sys.argv = list(words)
    _join_streams()
    paths = _watched_writing()
    status = _status(words)
    written.write(json.dumps(sorted(paths)).encode())
    written.flush()
    return status


def _forget_other_projects() -> None:
    for name in [name for name in sys.modules if name.startswith(_OF_A_PROJECT)]:
        del sys.modules[name]


def _join_streams() -> None:
    """Both to one file, in the order in which they were written; nothing is typed in."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0, closefd=False)
    os.dup2(1, 2)
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _watched_writing() -> set[str]:
    """A set that gets the path of each file that is opened for writing from now on."""
    paths: set[str] = set()

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            is_writing = bool(flags & _WRITING)
        elif event == "os.mkdir":
            path = arguments[0]
            is_writing = True
        else:
            return
        # Descriptors are numbers: a file that is open already.
        if is_writing and isinstance(path, str | bytes | os.PathLike):
            paths.add(os.path.abspath(os.fsdecode(path)))

    sys.addaudithook(note)
    return paths


def _pytest(words: Sequence[str]) -> int:
    return int(pytest.main(list(words)))


def _python(words: Sequence[str]) -> int:
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(words[1], {"__name__": "__main__"})
    else:
        sys.argv = list(words)
        runpy.run_path(words[0], run_name="__main__")
    return 0


def _command(words: Sequence[str]) -> int:
    return command_line(list(words))


PROGRAMS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "pytest": _pytest,
    "python": _python,
    "retrieval-robust": _command,
}


def _status(words: Sequence[str]) -> int:
    try:
        return PROGRAMS[words[0]](words[1:])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        traceback.print_exc()
        return 1
