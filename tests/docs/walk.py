"""The pages of the first hour, done in their order in one folder, as a reader does them.

A block whose first line is a comment with a file's name is that file; with `, at the end`
its lines are added. Every command of a console block is run, and the lines below it are
compared with what it prints: `...` stands for lines that are left out, and `# exit 1`
behind a command for its exit status.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import forked_commands
from .pages import FIRST_HOUR, ROOT, Block, blocks_of, read

_NOT_RUN = re.compile(r"(pip|source|python -m venv) ")
"""Commands that make or change an environment: only their words are checked."""
_FILES = ("python", "toml", "ini")
_FILE_NAME = re.compile(r"# (?P<name>[\w./-]+\.\w+)(?P<added>, at the end)?")
_STATUS = re.compile(r"# .*\bexit (\d)")
_MOVING = re.compile(r"[▁▂▃▄▅▆▇█]+|\d*\.?\d+-\d*\.?\d+")
"""Bars and intervals: both follow from numbers beside them."""
_DECIMAL = re.compile(r"(?<![\w.])-?\d*\.(?P<digits>\d+)(?![\w.])")
_GAP = "..."
_CLOSE = {1: 2.1, 2: 0.03, 3: 0.03}
"""By how much decimals may differ, by their digits: percentages have one, shares more.
Another processor's rounding moves a rank of the hundred."""


@dataclass(frozen=True)
class Typed:
    """A command of a page, and what the page shows of its output."""

    block: Block
    line: str
    shown: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line, comments=True)

    @property
    def is_run(self) -> bool:
        return _NOT_RUN.match(self.line) is None

    @property
    def status(self) -> int:
        """The exit status that the page tells of."""
        told = _STATUS.search(self.line)
        return int(told[1]) if told else 0

    @property
    def place(self) -> str:
        return f"{self.block.place} {' '.join(self.words)[:60]}"


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    typed: Typed
    status: int
    printed: str
    written: frozenset[Path] = frozenset()
    """Files that Python opened for writing, and folders that it made."""


@dataclass
class Walk:
    """A folder outside of any clone, and a home of its own."""

    project: Path
    home: Path
    done: list[Done] = field(default_factory=list)

    def take(self, pages: Sequence[str] = FIRST_HOUR) -> None:
        """Do the pages."""
        for page in pages:
            for block in blocks_of(page, read(page)):
                self._do(block)

    def _do(self, block: Block) -> None:
        if block.language in _FILES:
            write_file(block, self.project)
        if block.language != "console":
            return
        for typed in typed_in(block):
            if typed.is_run:
                self.done.append(self._run(typed))

    def _run(self, typed: Typed) -> Done:
        if typed.words[0] in forked_commands.PROGRAMS:
            ended = forked_commands.run(typed.words, self.project, self._environment)
            return Done(typed, ended.status, ended.printed, ended.written)
        done = subprocess.run(
            typed.line,
            shell=True,
            cwd=self.project,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(typed, done.returncode, done.stdout + done.stderr)

    @property
    def _environment(self) -> Mapping[str, str]:
        ours = ("RETRIEVAL_ROBUST_", "PYTEST_", "XDG_", "GITHUB_", "COV_")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(ours)
        }
        return {
            **kept,
            "HOME": str(self.home),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "COLUMNS": "80",
            "PYTHONPATH": str(ROOT),
        }


def write_file(block: Block, folder: Path) -> None:
    """The file that a block shows, or more of its lines."""
    head = _FILE_NAME.fullmatch(block.text.splitlines()[0])
    assert head is not None, f"{block.place} names no file in its first line"
    path = folder / head["name"]
    path.parent.mkdir(parents=True, exist_ok=True)
    before = f"{path.read_text()}\n" if head["added"] else ""
    path.write_text(before + block.text)


def typed_in(block: Block) -> Iterator[Typed]:
    """The commands of a console block, each with the lines below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, *shown = part.splitlines()
        yield Typed(block, line, tuple(shown))


def first_difference(shown: Sequence[str], printed: str) -> str | None:
    """The first line of what was not printed together and in order; None if all was."""
    lines = [line.rstrip() for line in printed.splitlines()]
    position = 0
    for number, together in enumerate(_without_gaps(shown)):
        # Output that is shown from its beginning begins so.
        last = len(lines) if number else position + 1
        for start in range(position, last):
            if _stands_at(together, lines[start : start + len(together)]):
                position = start + len(together)
                break
        else:
            return together[0]
    return None


def _without_gaps(shown: Sequence[str]) -> list[list[str]]:
    """Lines that stand together; empty ones first where a gap is the first line."""
    parts: list[list[str]] = [[]]
    for line in shown:
        if line.strip() == _GAP:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def _stands_at(together: Sequence[str], lines: Sequence[str]) -> bool:
    return len(together) == len(lines) and all(map(_fits, together, lines))


def _fits(shown: str, printed: str) -> bool:
    """The same words and whole numbers, and decimals that are close."""
    if _wordings(shown) != _wordings(printed):
        return False
    pairs = zip(_DECIMAL.finditer(shown), _DECIMAL.finditer(printed), strict=True)
    return all(_are_close(one, other) for one, other in pairs)


def _are_close(one: re.Match[str], other: re.Match[str]) -> bool:
    digits = len(one["digits"])
    if len(other["digits"]) != digits:
        return False
    tolerance = _CLOSE.get(digits, 0.0)
    return abs(float(one[0]) - float(other[0])) <= tolerance


def _wordings(line: str) -> list[str]:
    return _DECIMAL.sub("DECIMAL", _MOVING.sub("", line)).split()


def main() -> None:
    """Print what the commands of the pages print."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        walk = Walk(Path(name, "project"), Path(name, "home"))
        for folder in (walk.project, walk.home):
            folder.mkdir()
        walk.take(sys.argv[1:] or FIRST_HOUR)
        for done in walk.done:
            print(f"## {done.typed.place}\n$ {done.typed.line}\n{done.printed}")
            missing = first_difference(done.typed.shown, done.printed)
            print(f"[{done.status}, page says {done.typed.status}; differs: {missing}]")


if __name__ == "__main__":
    main()
