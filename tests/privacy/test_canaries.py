"""No output of any command holds a canary that the user did not ask to see."""

from __future__ import annotations

import base64
import gc
import gzip
import hashlib
import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from . import world
from .commands import Command
from .failures import FAILURES, address_with_password, checkpoint, image_broken
from .places import PLACES, STUDY_NUMBER, canary
from .running import Ended, files_below, run
from .runs import EVERYTHING, QUIET, RUNS, WITH_WORKERS
from .search import canaries_in, places_in
from .tools import ENCODE, TOOLS

PAGE = Path(__file__).parents[2] / "docs/privacy.md"
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
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    project = world.make(tmp_path_factory.mktemp("measured"))
    # Each run of pytest collects garbage: what was imported before is none.
    gc.collect()
    gc.freeze()
    of_commands = {QUIET: made(QUIET, project)}
    (project / "results").rename(project / "baseline")
    of_commands |= {command: made(command, project) for command in (EVERYTHING, ENCODE)}
    return Measured(project, of_commands)


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


def test_a_packed_wrapped_or_hashed_canary_is_found() -> None:
    """What the search can do is what the promise is worth."""
    word = canary("patient")
    archive = io.BytesIO()
    arrays: dict[str, Any] = {word: np.array([STUDY_NUMBER + 1])}
    np.savez_compressed(archive, **arrays)
    page = b'src="data:image/png;base64,' + base64.b64encode(word.encode()) + b'"'
    hidden = {
        "wrapped": f"{word[:6]}\n    {word[6:]}".encode(),
        "capitals": word.upper().encode(),
        "wide": word.encode("utf-16"),
        "coloured": f"{word[:6]}\x1b[31m{word[6:]}".encode(),
        "gzip": gzip.compress(word.encode()),
        "page": page,
        "hashed": hashlib.sha256(f"{word}1".encode()).hexdigest().encode(),
    }
    expected = {("patient", name) for name in hidden}
    assert canaries_in(hidden) == expected
    assert canaries_in({word: b""}) == {("patient", word)}
    assert places_in(archive.getvalue()) == {"patient", "study"}


def test_the_page_lists_every_place_and_counts_the_commands() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"{len(PLACES)} places and {len(COMMANDS)} commands" in page
    listed = page.partition("<!-- places: compared by a test -->\n")[2]
    listed = listed.partition("<!-- places: end -->")[0]
    assert listed.splitlines() == [f"* {place.what}" for place in PLACES]
