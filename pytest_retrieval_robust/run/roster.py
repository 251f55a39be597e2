"""Which tests of ours there are, and what became of them: a verdict must know what was
left out, and by whom.

`-k` and the like, plugins and conftests drop tests after they were collected, in
whatever order they please. So what was collected at first is compared with what
finished, whoever took part in between.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..gate.release import counted
from .our_tests import MEASURING, ours

if TYPE_CHECKING:
    from ..core.cases import Json

_ROSTER = pytest.StashKey["Roster"]()
_OURS = re.compile(
    r"def"
    rf" \w+\([^)]*\b({'|'.join(('retrieval_model', 'retrieval_dataset', *MEASURING))})\b"
)
"""A function that takes one of our fixtures."""
_MOST_FILES = 2000
"""Files of ignored folders that are looked into: a folder of data is no suite."""
_SETS = ("planned", "set_aside", "collected", "ignored")
_LOOKS = (
    "collectonly",
    "showfixtures",
    "show_fixtures_per_test",
    "cacheshow",
    "setuponly",
    "setupplan",
)


def only_looks(config: pytest.Config) -> bool:
    """Whether pytest was asked to show something, such as `--collect-only` or
    `--fixtures`, and to run no test.
    """
    return any(getattr(config.option, name, None) for name in _LOOKS)


def roster_of(config: pytest.Config) -> Roster:
    """The roster of this process, made on first use."""
    return config.stash.setdefault(_ROSTER, Roster())


@dataclass(repr=False)
class Roster:
    """The ids of tests of ours. Sets, because every worker of pytest-xdist collects the same."""

    planned: set[str] = field(default_factory=set)
    """All that the collected files hold, before anything was dropped."""
    set_aside: set[str] = field(default_factory=set)
    """Those that this package leaves out itself, because one test says for all that a
    model is not here.
    """
    collected: set[str] = field(default_factory=set)
    """What was left when the collection was over."""
    ignored: set[str] = field(default_factory=set)
    """Names of files that pytest was told to ignore and that speak of our fixtures."""
    policy: str | None = None
    """The path of the `robust.toml` that lies beside the tests."""
    _items: list[pytest.Item] = field(default_factory=list)
    """Of `planned`, until the collection is over: pytest-xdist changes ids on the way."""
    _ignored_paths: list[Path] = field(default_factory=list)

    def note_collected(self, items: Iterable[object]) -> None:
        """Remember the tests of ours among what a module holds."""
        self._items += [
            item for item in items if isinstance(item, pytest.Item) and ours(item)
        ]

    def note_ignored(self, path: Path) -> None:
        self._ignored_paths.append(path)

    def note_set_aside(self, items: Iterable[pytest.Item]) -> None:
        self.set_aside |= {item.nodeid for item in items}

    def close(self, config: pytest.Config, items: Iterable[pytest.Item]) -> None:
        """Take down what the collection left of the tests that it found."""
        self.collected = {item.nodeid for item in items if ours(item)}
        self.planned = {item.nodeid for item in self._items} | self.collected
        self._items.clear()
        if self.planned:
            self.ignored = set(_suites_among(self._ignored_paths, config))
        self._ignored_paths.clear()

    def as_json(self) -> Json:
        return {
            "policy": self.policy,
            **{name: sorted(getattr(self, name)) for name in _SETS},
        }

    @classmethod
    def from_json(cls, data: Json) -> Roster:
        planned, set_aside, collected, ignored = (set(data[name]) for name in _SETS)
        return cls(planned, set_aside, collected, ignored, data["policy"])

    def unfinished(self, finished: set[str]) -> set[str]:
        """Tests that were to be run, and did not come to their end."""
        return self.collected - finished

    def dropped(self, finished: set[str]) -> set[str]:
        """Tests that somebody left out of the collection."""
        return self.planned - self.set_aside - self.collected - finished


@dataclass
class Ended:
    """What pytest itself says of how a run ended, in the process that sees every report."""

    interrupted: bool = False
    """Ctrl-C or `pytest.exit`, whatever exit status that asked for."""
    internal_error: bool = False
    others_failed: set[str] = field(default_factory=set)
    """Tests that are not ours and failed, in whatever phase."""
    uncollected: set[str] = field(default_factory=set)
    """Files that could not be collected."""

    def failures(self, exit_status: int) -> Iterator[str]:
        """What stands against a release, although it is no matter of the tests of ours."""
        if self.internal_error:
            yield "pytest ended with an internal error"
        if self.uncollected:
            yield f"{counted(len(self.uncollected), 'file')} could not be collected"
        if self.others_failed:
            yield f"{counted(len(self.others_failed), 'other test')} failed"
        told = self.internal_error or self.uncollected or self.others_failed
        expected = (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        )
        if (
            not told
            and not self.interrupted
            and exit_status not in (*expected, pytest.ExitCode.INTERRUPTED)
        ):
            yield f"pytest ended with the exit status {int(exit_status)}"


def _suites_among(paths: Iterable[Path], config: pytest.Config) -> Iterator[str]:
    """The names of ignored test files that use our fixtures."""
    patterns: list[str] = config.getini("python_files")
    unwanted: list[str] = [*config.getini("norecursedirs"), "__pycache__"]
    for path in paths:
        for file in _files_of(path, unwanted):
            if any(
                fnmatch(file.name, pattern) for pattern in patterns
            ) and _speaks_of_us(file):
                yield file.name


def _files_of(path: Path, unwanted: list[str]) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if any(fnmatch(path.name, pattern) for pattern in unwanted):
        return  # no test would have been looked for there
    seen = 0
    for folder, folders, files in os.walk(path):
        folders[:] = [
            name
            for name in folders
            if not any(fnmatch(name, pattern) for pattern in unwanted)
        ]
        for name in files:
            seen += 1
            if seen > _MOST_FILES:
                return
            if (file := Path(folder, name)).is_file():
                yield file


def _speaks_of_us(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return _OURS.search(stream.read(2**20)) is not None
    except OSError:
        return False
