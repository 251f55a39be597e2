"""Runs in a fork of this process: processes of their own, without the seconds in which a
new one imports torch and transformers.

What a process imports is for others to show: `tests/test_imports.py` starts new ones.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import pytest
import torch

from pytest_retrieval_robust.__main__ import main as command

MOST_SECONDS = 300.0


def forked_pytest(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> pytest.RunResult:
    """`python -m pytest ARGUMENTS` in `folder`."""
    return forked(lambda: pytest.main(list(arguments)), folder, variables)


def forked_command(
    folder: Path, *words: str, variables: Mapping[str, str] | None = None
) -> pytest.RunResult:
    """`python -m pytest_retrieval_robust WORDS` in `folder`."""
    return forked(lambda: command(list(words)), folder, variables)


def forked(
    action: Callable[[], int], folder: Path, variables: Mapping[str, str] | None = None
) -> pytest.RunResult:
    """What `action` returns as exit status, and all that it writes to any descriptor."""
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = multiprocessing.get_context("fork").Process(
            target=_Child(folder, variables or {}, out, err), args=(action,)
        )
        process.start()
        process.join(MOST_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        assert process.exitcode is not None
        seconds = time.perf_counter() - begin
        return pytest.RunResult(process.exitcode, _lines(out), _lines(err), seconds)


@dataclass(frozen=True)
class _Child:
    """The new process: where it works and writes to."""

    folder: Path
    variables: Mapping[str, str]
    out: IO[bytes]
    err: IO[bytes]

    def __call__(self, action: Callable[[], int]) -> NoReturn:
        os.chdir(self.folder)
        os.environ.update(self.variables)
        # As under `python -m`, which a run in this process does not see.
        sys.path.insert(0, str(self.folder))
        os.dup2(self.out.fileno(), 1)
        os.dup2(self.err.fileno(), 2)
        # Those of the test's own capture write into its files.
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        # A fork has none of the threads by which OpenMP would share work out.
        torch.set_num_threads(1)
        sys.exit(int(action()))


def _lines(file: IO[bytes]) -> list[str]:
    file.seek(0)
    return file.read().decode().splitlines()
