"""A run of pytest in a process of its own, and what one run may have otherwise than another."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from .locales import make_locale

ROOT = Path(__file__).resolve().parents[2]
SUITE_FOLDER = "gate"
_SHARDS_BEFORE_THE_KILL = 3
_LOOK_SECONDS = 0.02
_MOST_SECONDS = 900.0
"""What a run may take. The machine may be busy."""
# What other tools set for runs of their own.
_NOT_INHERITED = (
    "CI",
    "GITHUB_ACTIONS",
    "GITHUB_STEP_SUMMARY",
    "PYTEST_ADDOPTS",
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
)
_SURROUNDINGS = {
    "HF_HUB_OFFLINE": "1",
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "TZ": "UTC",
}
"""What the reference run has, and every other run where its cell says nothing else."""


class RunError(Exception):
    """A run that did not save its ranks, or was not killed where it should have been."""


class Store(Enum):
    """What is in the embedding store when a run begins."""

    EMPTY = "empty"
    FILLED = "filled"
    """By the reference run."""
    KILLED = "killed"
    """What a run left that was killed by SIGKILL in its sweep."""


@dataclass(frozen=True)
class Suite:
    """Tests, and the options that they are run with."""

    files: Mapping[str, str]
    """Contents by name, in the folder of the tests."""
    options: tuple[str, ...]

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Change:
    """What a run has otherwise than the reference run."""

    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """`{scratch}` in a value is a new folder of the run."""
    python: Path = Path(sys.executable)
    umask: int = 0o022
    project: str = "project"
    """The name of the folder that the suite lies in."""
    is_started_elsewhere: bool = False
    """Whether the suite is named by its path, from a folder that is not the project."""
    store: Store = Store.EMPTY
    locale: str = ""
    """A locale that has to be made, if the run has one."""


@dataclass(frozen=True)
class Ground:
    """Where the runs of one suite lie."""

    folder: Path
    suite: Suite

    @property
    def filled_store(self) -> Path:
        """The store of the reference run."""
        return self.folder / "reference" / "store"

    def run(self, name: str, change: Change) -> Path:
        """Run the suite in a new folder; the folder of the saved run.

        Raises `RunError` where no run was saved, and `NotToBeHadError` where this machine
        lacks the locale.
        """
        if change.locale:
            locales = self.folder / "locales"
            make_locale(change.locale, locales)
            variables = {**change.environment, "LOCPATH": str(locales)}
            change = replace(change, environment=variables)
        process = _Process(self.folder / name, self.suite, change)
        if change.store is Store.FILLED:
            shutil.copytree(self.filled_store, process.store)
        if change.store is Store.KILLED:
            process.kill_in_the_sweep()
        process.run_to_the_end()
        return process.results


class _Process:
    """One run: its folders, its command, its environment."""

    def __init__(self, scratch: Path, suite: Suite, change: Change) -> None:
        self.store = scratch / "store"
        self.results = scratch / "results"
        self._log = scratch / "printed.txt"
        self._change = change
        project = scratch / change.project
        suite.write(project / SUITE_FOLDER)
        self._folder = project
        place = SUITE_FOLDER
        if change.is_started_elsewhere:
            self._folder = scratch / "elsewhere"
            self._folder.mkdir()
            place = str(project / SUITE_FOLDER)
        self._command = (
            *(str(change.python), "-m", "pytest", place),
            *("-p", "pytest_retrieval_robust.run.plugin", "-p", "no:cacheprovider"),
            f"--robust-results={self.results}",
            f"--robust-cache-dir={self.store}",
            *suite.options,
            *change.options,
        )
        self._environment = _environment(scratch, change)

    def run_to_the_end(self) -> None:
        """Raises `RunError` where nothing was saved."""
        process = self._start()
        try:
            status = process.wait(_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        # Gates may fail: ranks are compared, not verdicts.
        if status not in (0, 1) or not (self.results / "run.json").is_file():
            raise RunError(
                f"Expected a run that is saved, got exit={status}: {self._end()}"
            )

    def kill_in_the_sweep(self) -> None:
        """Start a run, and end it by SIGKILL once a few shards are in its store.

        Raises `RunError` where it ended before.
        """
        process = self._start()
        while self._shards() < _SHARDS_BEFORE_THE_KILL and process.poll() is None:
            time.sleep(_LOOK_SECONDS)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        if process.wait() != -signal.SIGKILL or self.results.exists():
            raise RunError(
                f"Expected a run that is killed in its sweep, got one that ended with"
                f" exit={process.returncode}: {self._end()}"
            )

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as stream:
            return subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                umask=self._change.umask,
                # Workers of pytest-xdist end with it.
                start_new_session=True,
            )

    def _shards(self) -> int:
        return sum(1 for _ in self.store.rglob("*.npz"))

    def _end(self) -> str:
        """The end of what a run printed."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines()]
        return " / ".join(line for line in lines if line)[-400:]


def _environment(scratch: Path, change: Change) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if name not in _NOT_INHERITED
    }
    # The sources that this benchmark lies in come first, also for another Python.
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    changed = {
        name: value.replace("{scratch}", str(scratch))
        for name, value in change.environment.items()
    }
    return {
        **inherited,
        **_SURROUNDINGS,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        **changed,
    }
