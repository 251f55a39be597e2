"""Which tests of ours there are, and what became of them: a verdict must know what was
left out, and by whom.

`-k` and the like, plugins and conftests drop tests after they were collected, in any
order. So the tests that were collected at first are compared with those that finished.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..core.words import counted
from .our_tests import MEASURING_FIXTURES, is_ours

if TYPE_CHECKING:
    from ..core.cases import Json

_ROSTER = pytest.StashKey["Roster"]()
_FIXTURES = "|".join(("retrieval_model", "retrieval_dataset", *MEASURING_FIXTURES))
_USES_A_FIXTURE = re.compile(rf"def \w+\([^)]*\b({_FIXTURES})\b")
"""A function that takes one of our fixtures."""
_MOST_FILES = 2000
"""Files of ignored folders that are looked into: a folder of data is no suite."""
_READ_AT_MOST = 2**20
"""Characters of a file that are searched."""
_SHOWING_OPTIONS = (
    "collectonly",
    "showfixtures",
    "show_fixtures_per_test",
    "cacheshow",
    "setuponly",
    "setupplan",
)


def only_shows(config: pytest.Config) -> bool:
    """Whether pytest is to show something and run no test: `--collect-only`, `--fixtures`."""
    return any(getattr(config.option, name, None) for name in _SHOWING_OPTIONS)


def roster_of(config: pytest.Config) -> Roster:
    """The roster of this process, made on first use."""
    return config.stash.setdefault(_ROSTER, Roster())


@dataclass(repr=False)
class Roster:
    """The ids of tests of ours. Sets, because every worker of pytest-xdist collects the same."""

    planned: set[str] = field(default_factory=set)
    """All that the collected files hold, before anything was dropped."""
    set_aside: set[str] = field(default_factory=set)
    """Those that this package leaves out itself.

    One test stands for all of a model that is not on this machine.
    """
    collected: set[str] = field(default_factory=set)
    """What was left when the collection was over."""
    ignored: set[str] = field(default_factory=set)
    """Names of files that pytest was told to ignore and that use our fixtures."""
    policy: str | None = None
    """The path of the `robust.toml` that lies beside the tests."""
    _items: list[pytest.Item] = field(default_factory=list)
    """Those of `planned`, until the collection is over: pytest-xdist changes ids."""
    _ignored_paths: list[Path] = field(default_factory=list)

    def note_collected(self, items: Iterable[object]) -> None:
        """Remember the tests of ours among the items of a module."""
        for item in items:
            if isinstance(item, pytest.Item) and is_ours(item):
                self._items.append(item)

    def note_ignored(self, path: Path) -> None:
        self._ignored_paths.append(path)

    def note_set_aside(self, items: Iterable[pytest.Item]) -> None:
        self.set_aside |= {item.nodeid for item in items}

    def close(self, config: pytest.Config, items: Iterable[pytest.Item]) -> None:
        """Take down the ids, now that the collection is over and they are final."""
        # Ids are read only now: pytest-xdist changes them on the way.
        self.collected = {item.nodeid for item in items if is_ours(item)}
        self.planned = {item.nodeid for item in self._items} | self.collected
        self._items.clear()
        if self.planned:
            self.ignored = set(_suites_among(self._ignored_paths, config))
        self._ignored_paths.clear()

    def as_json(self) -> Json:
        return {
            "policy": self.policy,
            "planned": sorted(self.planned),
            "set_aside": sorted(self.set_aside),
            "collected": sorted(self.collected),
            "ignored": sorted(self.ignored),
        }

    @classmethod
    def from_json(cls, data: Json) -> Roster:
        return cls(
            planned=set(data["planned"]),
            set_aside=set(data["set_aside"]),
            collected=set(data["collected"]),
            ignored=set(data["ignored"]),
            policy=data["policy"],
        )

    def unfinished(self, finished: set[str]) -> set[str]:
        """Tests that were to be run, and did not come to their end."""
        return self.collected - finished

    def dropped(self, finished: set[str]) -> set[str]:
        """Tests that an option, a plugin or a conftest left out of the collection."""
        return self.planned - self.set_aside - self.collected - finished


@dataclass
class PytestEvents:
    """What happened beside the tests of ours, in the process that sees every report."""

    interrupted: bool = False
    """Ctrl-C or `pytest.exit`, with any exit status."""
    internal_error: bool = False
    others_failed: set[str] = field(default_factory=set)
    """Tests that are not ours and failed, in any phase."""
    uncollected: set[str] = field(default_factory=set)
    """Files that could not be collected."""

    def failures(self, exit_status: int) -> Iterator[str]:
        """What stands against a release, although no test of ours failed by it."""
        if self.internal_error:
            yield "pytest ended with an internal error"
        if self.uncollected:
            yield f"{counted(len(self.uncollected), 'file')} could not be collected"
        if self.others_failed:
            yield f"{counted(len(self.others_failed), 'other test')} failed"
        is_explained = (
            self.internal_error
            or self.uncollected
            or self.others_failed
            or self.interrupted
        )
        ordinary = (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
            pytest.ExitCode.INTERRUPTED,
        )
        if not is_explained and exit_status not in ordinary:
            yield f"pytest ended with the exit status {int(exit_status)}"


def _suites_among(paths: Iterable[Path], config: pytest.Config) -> Iterator[str]:
    """The names of ignored test files that use our fixtures."""
    test_files: list[str] = config.getini("python_files")
    no_suites: list[str] = [*config.getini("norecursedirs"), "__pycache__"]
    for path in paths:
        for file in _files_of(path, no_suites):
            if _matches(file.name, test_files) and _uses_our_fixtures(file):
                yield file.name


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _files_of(path: Path, no_suites: Sequence[str]) -> Iterator[Path]:
    """A file itself, or the files below a folder, without folders named by `no_suites`."""
    if path.is_file():
        yield path
        return
    if _matches(path.name, no_suites):
        return  # no test would have been looked for there
    count = 0
    for folder, folders, names in os.walk(path):
        if _is_environment(Path(folder)):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not _matches(name, no_suites)]
        for name in names:
            count += 1
            if count > _MOST_FILES:
                return
            file = Path(folder, name)
            if file.is_file():
                yield file


def _is_environment(folder: Path) -> bool:
    """Whether a folder is an environment of Python, which pytest ignores unasked.

    This package may be installed there, with the suite that it brings.
    """
    marks = ("pyvenv.cfg", "conda-meta/history")
    return any((folder / mark).is_file() for mark in marks)


def _uses_our_fixtures(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return _USES_A_FIXTURE.search(stream.read(_READ_AT_MOST)) is not None
    except OSError:
        return False
