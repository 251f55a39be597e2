"""Build the oldest and the newest set of libraries, test both, and compare their numbers.

    python -m benchmarks.versions [--only oldest] [--short] [--python-oldest PYTHON]

Environments are `.compat/oldest` (`constraints-oldest.txt`) and `.compat/newest`; a
folder that is there is used as it is. In each runs the suite that `init` copies, the
tests against the authors' code, and those of the plugin; then rows and ranks of the two
are compared. The table is written to `.compat/versions.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PARITY = ("tests/models",)
_PLUGIN = ("tests/core", "tests/gate", "tests/run", "tests/suite", "tests/retrieval")
# Tests that start clusters or many processes say little of versions, and take long.
_LEFT_OUT = ("tests/run/ray", "tests/run/encode", "tests/retrieval/test_memory.py")
_SHORT = ("tests/models/test_tiny.py", "tests/run/test_plugin.py", "tests/core")
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


@dataclass(frozen=True)
class Tested:
    """What became of tests."""

    passed: int
    failed: int
    skipped: int
    minutes: float

    def __str__(self) -> str:
        return f"{self.passed} / {self.failed} / {self.skipped}"


@dataclass(frozen=True)
class Environment:
    """A folder with a Python of its own, and what it was made of."""

    name: str
    base_python: str
    constraints: Path | None
    home: Path

    @property
    def folder(self) -> Path:
        return self.home / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def build(self) -> None:
        """Install the package and the tools of its tests, and the package again."""
        if not self.python.exists():
            subprocess.run([self.base_python, "-m", "venv", self.folder], check=True)
            constraints: list[str | Path] = []
            if self.constraints is not None:
                constraints = ["--constraint", self.constraints]
            self._install("--upgrade", *constraints, f"{_ROOT}[compat]")
        self._install("--no-deps", "--force-reinstall", _ROOT)

    def _install(self, *arguments: str | Path) -> None:
        pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([self.python, *pip, *arguments], check=True)

    def run(self, *arguments: str | Path, folder: Path = _ROOT) -> str:
        """What the environment's Python prints."""
        variables = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        variables.pop("PYTHONPATH", None)
        ended = subprocess.run(
            [self.python, *arguments],
            cwd=folder,
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        return ended.stdout

    def test(self, log: str, *arguments: str | Path, folder: Path = _ROOT) -> Tested:
        """Run pytest; what it prints goes to a file of that name."""
        begin = time.monotonic()
        printed = self.run(
            "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, folder=folder
        )
        minutes = (time.monotonic() - begin) / 60
        (self.home / f"{self.name}-{log}.log").write_text(printed, encoding="utf-8")
        lines = [line for line in printed.splitlines() if _COUNT.search(line)]
        counts = dict.fromkeys(("passed", "failed", "skipped", "error", "errors"), 0)
        for number, word in _COUNT.findall(lines[-1] if lines else ""):
            counts[word] += int(number)
        failed = counts["failed"] + counts["error"] + counts["errors"]
        # An end without any counts is a failure too.
        return Tested(
            counts["passed"],
            failed if lines else 1,
            counts["skipped"],
            minutes,
        )

    @property
    def rows(self) -> Path:
        return self.home / f"{self.name}-rows.npz"

    @property
    def results(self) -> Path:
        return self.home / f"{self.name}-results"

    def suite(self) -> Tested:
        """The copied suite in a new folder, as a user runs it."""
        number = 0
        while (copied := self.home / f"{self.name}-suite-{number}").exists():
            number += 1
        self.run("-m", "pytest_retrieval_robust", "init", copied, folder=self.home)
        return self.test(
            "suite",
            "--robust-models=all",
            "--robust-no-cache",
            f"--robust-results={self.results}",
            folder=copied,
        )


@dataclass(frozen=True)
class Column:
    """One environment in the table."""

    versions: dict[str, str]
    suite: Tested
    parity: Tested | None
    """None in the short form."""
    plugin: Tested


def _column(environment: Environment, *, short: bool) -> Column:
    environment.build()
    suite = environment.suite()
    printed = environment.run("-m", "benchmarks.versions.rows", environment.rows)
    versions = json.loads(printed.splitlines()[-1])
    left_out = [f"--ignore={path}" for path in _LEFT_OUT]
    if short:
        plugin = environment.test("plugin", *_SHORT)
        return Column(versions, suite, None, plugin)
    parity = environment.test("parity", *_PARITY)
    plugin = environment.test("plugin", *left_out, *_PLUGIN)
    return Column(versions, suite, parity, plugin)


def _table(columns: dict[str, Column]) -> str:
    """Rows of versions and of tests, a column for each environment."""
    names = list(columns)
    lines = [f"| | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    for library in columns[names[0]].versions:
        cells = " | ".join(columns[name].versions[library] for name in names)
        lines.append(f"| {library} | {cells} |")
    for title, attribute in (
        ("the copied suite", "suite"),
        ("`tests/models`", "parity"),
        ("tests of the plugin", "plugin"),
    ):
        tested = [getattr(columns[name], attribute) for name in names]
        lines.append(f"| {title}: passed / failed / skipped | {_cells(tested)} |")
    return "\n".join(lines) + "\n"


def _cells(tested: Sequence[Tested | None]) -> str:
    return " | ".join(
        "not run" if each is None else f"{each} in {each.minutes:.1f} min"
        for each in tested
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["oldest", "newest"])
    parser.add_argument("--short", action="store_true", help="fewer tests")
    parser.add_argument("--python-oldest", default=sys.executable)
    parser.add_argument("--python-newest", default=sys.executable)
    parser.add_argument("--home", type=Path, default=_ROOT / ".compat")
    options = parser.parse_args()
    home = options.home.resolve()
    home.mkdir(exist_ok=True)
    oldest = _ROOT / "constraints-oldest.txt"
    environments = [
        Environment("oldest", options.python_oldest, oldest, home),
        Environment("newest", options.python_newest, None, home),
    ]
    chosen = [each for each in environments if options.only in (None, each.name)]
    columns = {
        environment.name: _column(environment, short=options.short)
        for environment in chosen
    }
    text = _table(columns)
    if all(each.rows.exists() and each.results.exists() for each in environments):
        text += f"\n{_differences(environments)}\n"
    (home / "versions.md").write_text(text, encoding="utf-8")
    print(text)
    tested = [
        result
        for column in columns.values()
        for result in (column.suite, column.parity, column.plugin)
    ]
    return int(any(result is not None and result.failed for result in tested))


def _differences(environments: Sequence[Environment]) -> str:
    # Needs numpy, which the environments have and this Python may not.
    script = (
        "import sys; from pathlib import Path;"
        " from benchmarks.versions.compared import compared;"
        " a, b, c, d = map(Path, sys.argv[1:]); print(compared((a, b), (c, d)))"
    )
    rows = [each.rows for each in environments]
    ranks = [each.results / "ranks.npz" for each in environments]
    return environments[-1].run("-c", script, *rows, *ranks).strip()


if __name__ == "__main__":
    sys.exit(main())
