"""How long the default gate takes, and where the time goes.

    python -m benchmarks.gate_phases [--page docs/speed.md] [pytest's own arguments]

Runs what `make gate` runs, with a fresh embedding store, in this process. What a phase
took is counted on the thread that runs the tests: seconds that passed, and seconds that
all threads of the process kept cores busy meanwhile. A phase within another one counts
for itself alone. `--page` writes the table into a page.

Others on the same machine lengthen the first figure, and through threads that wait for
each other also the second.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from .pages import write_into

_PACKAGE = "pytest_retrieval_robust"
_SHOWN = 1.0
"""Seconds of cores from which a phase has a row of its own."""
_START = "imports, collection"
_OTHER = "other"
# What is timed: the phase, and the function that does it, by its module.
_FUNCTIONS = (
    ("loading models and data", "run.session.loading", "Loader.load"),
    ("loading models and data", "run.session.loading", "Loader.dataset"),
    ("identity of models", "measure.embeddings.shards", "model_identity"),
    ("drawing, preparing", "measure.sweep.feed", "Feed._read"),
    ("drawing, preparing", "measure.batches", "_prepared"),
    ("hiding", "occluders.cells", "CellOccluder.occlude"),
    ("hiding", "occluders.guided._probe", "Probe.hidden"),
    ("hiding", "measure.sweep.lane", "hidden_pixels"),
    ("scores of searches", "occluders.guided._probe", "Probe._scores"),
    ("ranks", "retrieval.ranking", "_ranks"),
    ("writing, waiting for it", "measure.sweep.lanes", "Lanes._wait_for"),
    ("writing, waiting for it", "measure.sweep.writer", "Writer.__exit__"),
    ("verdicts, reports", "run.controller", "Controller._conclude"),
    ("verdicts, reports", "run.controller", "Controller._show"),
    ("verdicts, reports", "run.session.judging", "Judging.judge"),
)
# Which part of the suite a test belongs to.
_AREAS = {
    "test_recall.py": "sweeps",
    "test_curve.py": "sweeps",
    "test_breaking.py": "breaking search",
    "test_timing.py": "timing tests",
    "test_properties.py": "property tests",
}


@dataclass
class Spent:
    """Seconds of a phase."""

    passed: float = 0.0
    of_cores: float = 0.0

    def add(self, other: Spent) -> None:
        self.passed += other.passed
        self.of_cores += other.of_cores


@dataclass
class Phases:
    """A pytest plugin that sums up what each phase takes."""

    spent: dict[tuple[str, str], Spent] = field(
        default_factory=lambda: defaultdict(Spent)
    )
    area: str = _START
    _stack: list[str] = field(default_factory=lambda: [_OTHER])
    _passed: float = field(default_factory=time.perf_counter)
    # From the start of the process on.
    _of_cores: float = 0.0

    def lap(self) -> None:
        """Give what has passed since the last call to the phase that is under way."""
        passed = time.perf_counter()
        of_cores = time.process_time()
        spent = Spent(passed - self._passed, of_cores - self._of_cores)
        self.spent[self.area, self._stack[-1]].add(spent)
        self._passed = passed
        self._of_cores = of_cores

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what runs inside for a phase."""
        self.lap()
        self._stack.append(name)
        try:
            yield
        finally:
            self.lap()
            self._stack.pop()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose calls on this thread count for a phase."""

        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return function(*args, **kwargs)
            with self.phase(name):
                return function(*args, **kwargs)

        return counted

    def time_encoders(self) -> None:
        """Count calls of encoders, of images and of reports apart."""
        calling: Any = importlib.import_module(f"{_PACKAGE}.core.calling")
        call = calling._called
        images = self.timed("encoding images", call)
        reports = self.timed("encoding reports", call)

        def counted(encoder: Any, method: str, *args: Any) -> Any:
            of_method = reports if method == "encode_reports" else images
            return of_method(encoder, method, *args)

        calling._called = counted

    # Hooks of pytest

    def pytest_collection_finish(self) -> None:
        for name, owner, function in timed_functions():
            setattr(owner, function, self.timed(name, getattr(owner, function)))
        self.time_encoders()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.lap()
        self.area = _AREAS.get(item.path.name, "other tests")
        try:
            return (yield)
        finally:
            self.lap()
            self.area = "end"


def timed_functions() -> list[tuple[str, Any, str]]:
    """A phase, the module or class that has a function of it, and the function's name."""
    functions: list[tuple[str, Any, str]] = []
    for phase, module, function in _FUNCTIONS:
        owner: Any = importlib.import_module(f"{_PACKAGE}.{module}")
        *classes, last = function.split(".")
        for class_name in classes:
            owner = getattr(owner, class_name)
        functions.append((phase, owner, last))
    return functions


def table(phases: Phases) -> str:
    """Phases as Markdown: a row each, the longest first; the sum of each part, and of all."""
    rows = ["| part | phase | seconds | core seconds |", "| --- | --- | --- | --- |"]
    whole = Spent()
    by_cores = sorted(phases.spent.items(), key=lambda entry: -entry[1].of_cores)
    rest = Spent()
    for (area, name), spent in by_cores:
        whole.add(spent)
        if spent.of_cores < _SHOWN:
            rest.add(spent)
            continue
        rows.append(_row(area, name, spent))
    rows.append(_row("all others", "", rest))
    for area in dict.fromkeys(area for area, _ in phases.spent):
        of_area = Spent()
        for (other, _), spent in phases.spent.items():
            if other == area:
                of_area.add(spent)
        rows.append(_row(f"**{area}**", "", of_area))
    rows.append(_row("**all**", "", whole))
    return "\n".join(rows)


def _row(area: str, name: str, spent: Spent) -> str:
    return f"| {area} | {name} | {spent.passed:.1f} | {spent.of_cores:.1f} |"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--page", type=Path)
    parsed, rest = parser.parse_known_args(arguments)
    phases = Phases()
    with tempfile.TemporaryDirectory() as folder:
        gate = ["suites/", "--models", "all", "--robust-cache-dir", folder]
        status = pytest.main([*gate, *rest], plugins=[phases])
    phases.lap()
    print(table(phases))
    if parsed.page is not None:
        write_into(parsed.page, table(phases))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
