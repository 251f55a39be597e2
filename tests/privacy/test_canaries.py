"""No output of any command holds a canary that the user did not ask to see."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import world
from .commands import Command
from .failures import FAILURES, address_with_password, checkpoint, image_broken
from .places import PLACES
from .running import Ended, files_below, run
from .runs import EVERYTHING, QUIET, RUNS, WITH_WORKERS
from .search import canaries_in
from .tools import ENCODE, TOOLS

COMMANDS = (*RUNS, *TOOLS)
"""Every command, each once."""


@dataclass(frozen=True)
class Measured:
    """A project with two saved runs and a cache, and what was printed and written.

    Attributes:
        project: Its folder. `results` holds the run of everything, `baseline` a quiet one.
        ended: How the commands ended that made them.
    """

    project: Path
    ended: Mapping[Command, Ended]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    project = world.make(tmp_path_factory.mktemp("measured"))
    # Each run of pytest collects garbage: what was imported before is none.
    gc.collect()
    gc.freeze()
    of_commands = {QUIET: made(QUIET, project)}
    (project / "results").rename(project / "baseline")
    of_commands |= {command: made(command, project) for command in (EVERYTHING, ENCODE)}
    yield Measured(project, of_commands)
    gc.unfreeze()


def made(command: Command, project: Path) -> Ended:
    return run(command.words, project, command.environment)


def ended(command: Command, measured: Measured, home: Path) -> Ended:
    """How a command ended, in a project of its own below `home`."""
    if command in measured.ended:
        return measured.ended[command]
    project = world.make(home)
    shutil.copytree(measured.project / "baseline", project / "baseline")
    shutil.copytree(measured.project / "results", project / "candidate")
    shutil.copytree(measured.project / "cache", project / "cache")
    if command.failure is not None:
        FAILURES[command.failure](project)
    return made(command, project)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_no_output_holds_a_canary(
    command: Command, measured: Measured, tmp_path: Path
) -> None:
    result = ended(command, measured, tmp_path)
    assert command.says in result.text
    assert result.status == command.status, result.text[-2000:]
    assert canaries_in(result.outputs) == command.shows


def test_every_canary_is_in_its_place(tmp_path: Path) -> None:
    project = world.make(tmp_path)
    for spoil in (image_broken, address_with_password, checkpoint):
        spoil(project)
    written = files_below(tmp_path)
    of_the_machine = {"environment", "host", "user"}
    # The code that fails makes these; the run that shows whole tracebacks has them all.
    of_own_code = {place for place, _ in WITH_WORKERS[0].shows}
    found = {place for place, _ in canaries_in(written)}
    assert found | of_the_machine | of_own_code == {place.name for place in PLACES}
