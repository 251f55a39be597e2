"""Runs typed commands one after another, each in a fork of a process that has imported torch.

Importing takes longer than measuring, so what one command has imported is imported for
the next ones too. Reads a line of JSON per command, `{"words": [...], "folder": "..."}`,
and answers each with a line, `{"status": 0, "printed": "..."}`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import IO

import pytest

import pytest_retrieval_robust.measure.sweep.run
import pytest_retrieval_robust.models._formats.open_clip.encoder
import pytest_retrieval_robust.models._formats.transformers.encoder
import pytest_retrieval_robust.reports.saved_run
import pytest_retrieval_robust.reports.terminal.summary  # noqa: F401
from pytest_retrieval_robust.__main__ import main as command_line

_OWN = ("conftest", "test_", "__m")
"""How modules begin that belong to one command: those of the project, and the main one."""


def _pytest(words: Sequence[str]) -> int:
    return int(pytest.main(list(words)))


def _python(words: Sequence[str]) -> int:
    if words[0] == "-c":
        exec(words[1], {"__name__": "__main__"})
    else:
        runpy.run_path(words[0], run_name="__main__")
    return 0


def _command(words: Sequence[str]) -> int:
    return command_line(list(words))


_PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "pytest": _pytest,
    "python": _python,
    "retrieval-robust": _command,
}


def _status(words: Sequence[str]) -> int:
    try:
        return _PROGRAMS[words[0]](words[1:])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        traceback.print_exc()
        return 1


def _in_fork(words: Sequence[str], folder: str) -> tuple[int, str]:
    """The exit status of a command and what it printed."""
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as imported:
        # A child's collections need not look through what the libraries have made.
        gc.freeze()
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            sys.argv = list(words)
            sys.path[0] = folder
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            status = _status(words)
            sys.stdout.flush()
            sys.stderr.flush()
            imported.write("\n".join(sys.modules).encode())
            imported.flush()
            os._exit(status)
        _, ended = os.waitpid(child, 0)
        _import_too(_text_of(imported).split())
        return os.waitstatus_to_exitcode(ended), _text_of(printed)


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _import_too(names: Iterable[str]) -> None:
    for name in names:
        if not name.startswith(_OWN) and name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _answer_all() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        status, printed = _in_fork(asked["words"], asked["folder"])
        answers.write(json.dumps({"status": status, "printed": printed}) + "\n")
        answers.flush()


if __name__ == "__main__":
    _answer_all()
