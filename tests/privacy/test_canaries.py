"""No output of any command holds a canary that the user did not ask to see."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import world
from .commands import COMMANDS, EVERYTHING, Command
from .failures import FAILURES
from .running import Ended, files_below, run
from .search import canaries_in


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that no command has seen."""
    return world.make(tmp_path_factory.mktemp("pristine"))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project after a run of everything."""
    project = world.make(tmp_path_factory.mktemp("measured"))
    return project, run(EVERYTHING.words, project, EVERYTHING.variables)


def ended(command: Command, tmp_path: Path, everything) -> Ended:
    project, of_everything = everything
    if command is EVERYTHING:
        return of_everything
    copy = world.make(tmp_path)
    for name in ("baseline", "candidate"):
        shutil.copytree(project / "results", copy / name)
    shutil.copytree(project / "cache", copy / "cache")
    if command.failure is not None:
        FAILURES[command.failure](copy)
    return run(command.words, copy, command.variables)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_no_output_holds_a_canary(command: Command, tmp_path: Path, everything) -> None:
    result = ended(command, tmp_path, everything)
    assert command.says in result.text, result.text[-3000:]
    assert result.status == command.status
    assert canaries_in(result.outputs) == command.shows
