"""The pages of the first hour do what they show, from an empty folder to an uninstall."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pytest_retrieval_robust

from .pages import FIRST_HOUR, ROOT, block, blocks_of, read
from .test_console_blocks import check_pip
from .walk import Done, Typed, Walk, first_difference, typed_in, write_file

TEMPORARY = Path(tempfile.gettempdir())
PACKAGE = Path(pytest_retrieval_robust.__file__).parent


@dataclass(frozen=True)
class Taken:
    walk: Walk
    beside_the_package: frozenset[Path]
    """Files that appeared there."""


def typed_on_the_pages() -> Iterator[Typed]:
    for page in FIRST_HOUR:
        for shown in blocks_of(page, read(page)):
            if shown.language == "console":
                yield from typed_in(shown)


RUN = [typed for typed in typed_on_the_pages() if typed.is_run]
CHECKED = [typed for typed in typed_on_the_pages() if not typed.is_run]


def files_of_the_package() -> frozenset[Path]:
    """Without what Python makes of each module, which pip takes away with it."""
    return frozenset(
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and ".pyc" not in path.name
    )


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    folder = tmp_path_factory.mktemp("first-hour")
    walk = Walk(folder / "project", folder / "home")
    for made in (walk.project, walk.home):
        made.mkdir()
    before = files_of_the_package()
    walk.take()
    return Taken(walk, files_of_the_package() - before)


@pytest.fixture(scope="module")
def done(taken: Taken) -> dict[Typed, Done]:
    return {done.typed: done for done in taken.walk.done}


@pytest.mark.parametrize("typed", RUN, ids=lambda typed: typed.place)
def test_a_command_ends_and_prints_as_its_page_shows(
    typed: Typed, done: dict[Typed, Done]
) -> None:
    command = done[typed]
    assert command.status == typed.status, command.printed
    assert first_difference(typed.shown, command.printed) is None, command.printed


@pytest.mark.parametrize("typed", CHECKED, ids=lambda typed: typed.place)
def test_a_command_that_changes_an_environment_is_well_formed(typed: Typed) -> None:
    words = typed.words
    if words[:2] == ["pip", "install"]:
        check_pip(words)
    else:
        known = {
            ("pip", "show", "pytest-retrieval-robust"),
            ("pip", "uninstall", "pytest-retrieval-robust"),
            ("python", "-m", "venv", ".venv"),
            ("source", ".venv/bin/activate"),
        }
        assert tuple(words) in known


def test_the_project_looks_as_the_first_page_says(taken: Taken) -> None:
    folder = Path()
    for line in block("docs/start/index.md", "text").text.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = taken.walk.project
        path = folder / name
        assert path.exists(), name
        if path.is_dir():
            folder = path


def test_nothing_is_left_when_the_cache_folder_is_removed(taken: Taken) -> None:
    """The last page removes it, as after an uninstall."""
    assert [path for path in taken.walk.home.rglob("*") if path.is_file()] == []
    assert taken.beside_the_package == frozenset()


def test_nothing_is_written_elsewhere(taken: Taken) -> None:
    """Not even to caches whose folders other libraries chose when they were imported."""
    allowed = (taken.walk.project, taken.walk.home, Path(os.devnull), TEMPORARY)
    written = [path for done in taken.walk.done for path in done.written]
    assert any(path.is_relative_to(taken.walk.home) for path in written)
    assert [
        path
        for path in written
        if not any(map(path.is_relative_to, allowed)) and ".pyc" not in path.name
    ] == []


def test_every_page_is_short() -> None:
    assert [page for page in FIRST_HOUR if len(read(page).splitlines()) >= 80] == []


def test_every_page_of_the_folder_is_done() -> None:
    pages = {f"docs/start/{path.name}" for path in (ROOT / "docs/start").iterdir()}
    assert pages == set(FIRST_HOUR)


PRINTED = "one\ntwo  95.8~  0.96\nthree (3 gates met)\nfour\n"


@pytest.mark.parametrize(
    "shown",
    [
        ["one", "two  95.8~  0.96"],
        ["...", "two 94.9~ 0.95", "...", "four"],
        ["...", "three (3 gates met)"],
    ],
)
def test_output_that_was_printed_is_found(shown: list[str]) -> None:
    assert first_difference(shown, PRINTED) is None


@pytest.mark.parametrize(
    "shown",
    [
        ["...", "two  85.8~  0.96"],
        ["...", "two  95.8~  0.56"],
        ["...", "two  95.8!  0.96"],
        ["...", "three (2 gates met)"],
        ["two  95.8~  0.96"],
        ["one", "three (3 gates met)"],
        ["...", "four", "...", "one"],
    ],
)
def test_output_that_was_not_printed_is_found_out(shown: list[str]) -> None:
    assert first_difference(shown, PRINTED) is not None


def test_a_block_that_names_no_file_is_found_out(tmp_path: Path) -> None:
    (nameless,) = blocks_of("docs/new.md", "```toml\n[[gate]]\n```\n")
    with pytest.raises(AssertionError, match=r"docs/new.md:1 names no file"):
        write_file(nameless, tmp_path)
