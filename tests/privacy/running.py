"""Runs a command within this process, and gathers all that it prints and writes."""

from __future__ import annotations

import io
import logging
import os
import re
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.atomic_files import CACHE_VARIABLE

from .places import canary

Files = dict[str, bytes]
PRINTED = "the terminal"
"""The name of what is printed, among the outputs."""
_OF_PYTEST = re.compile(
    rb"^(rootdir: .*|-+ generated xml file: .*|-+ Generated html report: .*"
    rb"|cachedir: .*|metadata: .*)$",
    re.MULTILINE | re.IGNORECASE,
)
"""Lines of pytest and its plugins, which name the project's folder in every run."""
_HOST_OF_PYTEST = re.compile(rb'(<testsuite [^>]*)hostname="[^"]*"')
"""JUnit XML of pytest names the machine."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Its exit status.
        outputs: What it printed, logged and warned of, and every file that it wrote or
            left, by a path from the folder above the project.
    """

    status: int
    outputs: Mapping[str, bytes]

    @property
    def text(self) -> str:
        """What was printed, on one line."""
        return " ".join(self.outputs[PRINTED].decode(errors="replace").split())


def run(words: Sequence[str], project: Path, environment: Mapping[str, str]) -> Ended:
    """Run `pytest ...` or a command of `retrieval-robust` in a project's folder.

    `{project}` in a word is the project's whole path.
    """
    home = project.parents[1]
    before = files_below(home)
    spoken = [word.replace("{project}", str(project)) for word in words]
    said = io.BytesIO()
    with _world_of(project, environment), _heard(said):
        status = _status_of(spoken)
    outputs = {PRINTED: _OF_PYTEST.sub(b"", said.getvalue())}
    for name, content in files_below(home).items():
        # pytest itself names the folder of its temporary files after the account.
        if name.startswith("temporary/pytest-of-"):
            continue
        if before.get(name) != content:
            outputs[_without_parents(name)] = _HOST_OF_PYTEST.sub(rb"\1", content)
    return Ended(status, outputs)


def files_below(folder: Path) -> Files:
    """The content of every file, and an empty one for each folder, by its path."""
    found: Files = {}
    for path in folder.rglob("*"):
        # A FIFO is no file, and has no content.
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = content
    return found


def _without_parents(name: str) -> str:
    """The path from the project on, which lies in a folder that is a canary."""
    return name.removeprefix(f"{canary('home')}/project/")


def _status_of(words: Sequence[str]) -> int:
    try:
        if words[0] == "pytest":
            return int(pytest.main(list(words[1:])))
        return main(list(words))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


@contextmanager
def _world_of(project: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """The project as the current folder, a machine and an account with canaries, and
    caches and temporary files where they are searched.
    """
    temporary = project.parents[1] / "temporary"
    temporary.mkdir(exist_ok=True)
    modules = set(sys.modules)
    variables = {
        CACHE_VARIABLE: str(project / "cache"),
        "TMPDIR": str(temporary),
        "USER": canary("user"),
        "LOGNAME": canary("user"),
        "AWS_SECRET_ACCESS_KEY": canary("environment"),
        "HF_TOKEN": canary("environment"),
        "COLUMNS": "120",
        **environment,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.syspath_prepend(project)
        for name, value in variables.items():
            patch.setenv(name, value.replace("{project}", str(project)))
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(socket, "gethostname", lambda: canary("host"))
        patch.setattr("platform.node", lambda: canary("host"))
        # Compiled files of the project hold its source.
        patch.setattr(sys, "dont_write_bytecode", True)
        yield
    for name in set(sys.modules) - modules:
        if name == "conftest" or name.startswith("test_"):
            del sys.modules[name]


@contextmanager
def _heard(said: io.BytesIO) -> Iterator[None]:
    """All that is printed, by C libraries too, logged at any level, or warned of."""
    sys.stdout.flush()
    sys.stderr.flush()
    with (
        tempfile.TemporaryFile() as file,
        os.fdopen(
            os.dup(file.fileno()), "w", encoding="utf-8", errors="replace"
        ) as stream,
    ):
        kept = os.dup(1), os.dup(2)
        handler = logging.StreamHandler(stream)
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            with (
                redirect_stdout(stream),
                redirect_stderr(stream),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("always")
                warnings.showwarning = _shown_in(stream)
                yield
        finally:
            stream.flush()
            root.removeHandler(handler)
            root.setLevel(level)
            for number, copy in enumerate(kept, 1):
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            said.write(file.read())


def _shown_in(stream: IO[str]) -> Callable[..., None]:
    """What prints a warning: its class and its text."""

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        print(f"{category.__name__}: {message}", file=stream)

    return show
