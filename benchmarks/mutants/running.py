"""Run the tests of an area on each of its mutants, in forks of one warm process."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from time import process_time

from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.runners.harness import PytestRunner
from mutmut.state import state
from mutmut.utils.file_utils import change_cwd, setup_source_paths
from mutmut.utils.format_utils import mangled_name_from_mutant_name
from mutmut.workers.isolation import run_in_fork, run_in_fork_with_result

NO_TESTS = 33
"""The exit code that mutmut gives a mutant that no test calls."""
_SECONDS = 5.0
"""Processor time of a mutant beside ten times that of its tests: beyond, it hangs."""
_WALL_FACTOR = 60
"""How much longer it may take on a clock: the machine may be busy, or the mutant asleep."""


class MutantsError(Exception):
    """The tests do not run here as they must before mutants mean anything."""


def import_tests(files: Sequence[str]) -> None:
    """Import what tests import, once for all forks of this process."""
    setup_source_paths()
    set_mutant_under_test("")
    with change_cwd("mutants"):
        code = _runner().execute_pytest(["--collect-only", "-qqq", *files])
    if code != 0:
        raise MutantsError(
            f"Expected the tests of {files} to be collected, got exit code={code}. Run"
            " them with pytest in the folder mutants."
        )


@dataclass
class AreaTests:
    """The tests of an area: what they take, and what they call."""

    files: Sequence[str]
    seconds: dict[str, float] = field(default_factory=dict)
    """Processor time of each test, by its id."""
    tests_of: dict[str, set[str]] = field(default_factory=dict)
    """The tests that call a function, by its mangled name."""

    def exit_code_on(self, mutant: str, most_seconds: float) -> int:
        """That of pytest on one mutant; negative for a signal."""
        if not self.seconds:
            self._measure()
        tests = self._in_order(mangled_name_from_mutant_name(mutant), most_seconds)
        return self._exit_code(mutant, tests) if tests else NO_TESTS

    def _measure(self) -> None:
        """Run the tests once on the code as it is."""
        measured = run_in_fork_with_result(self._measured)
        self.seconds = measured["seconds"]
        self.tests_of = measured["tests_of"]
        if measured["code"] != 0:
            raise MutantsError(
                f"Expected the tests of {self.files} to pass, got exit"
                f" code={measured['code']}. Run them with pytest in the folder mutants."
            )
        self._require_that_mutants_are_noticed()

    def _measured(self) -> dict[str, object]:
        set_mutant_under_test("stats")
        code = _runner().run_stats(tests=self.files)
        return {
            "code": code,
            "seconds": dict(state().duration_by_test),
            "tests_of": dict(state().tests_by_mangled_function_name),
        }

    def _require_that_mutants_are_noticed(self) -> None:
        """A test that calls mutated code fails where that code raises."""
        called = {test for tests in self.tests_of.values() for test in tests}
        quickest = min(called, key=self._seconds_of)
        if self._exit_code("fail", [quickest]) == 0:
            raise MutantsError(
                f"Expected {quickest} to fail where mutated code raises, but it passed."
                " Delete the folder mutants and try again."
            )

    def _in_order(self, function: str, most_seconds: float) -> list[str]:
        """The tests that call a function, the quickest files and tests first, up to an amount
        of processor time.
        """
        tests = sorted(self.tests_of.get(function, ()), key=self._seconds_of)
        chosen = list(_until(tests, self.seconds, most_seconds))
        totals: dict[str, float] = {}
        for test in chosen:
            file = _file_of(test)
            totals[file] = totals.get(file, 0.0) + self._seconds_of(test)
        # Fixtures that a file's tests share are set up once.
        return sorted(
            chosen,
            key=lambda test: (
                totals[_file_of(test)],
                _file_of(test),
                self._seconds_of(test),
            ),
        )

    def _seconds_of(self, test: str) -> float:
        return self.seconds.get(test, 0.0)

    def _exit_code(self, mutant: str, tests: Sequence[str]) -> int:
        """That of pytest in a fork."""
        allowed = ceil(_SECONDS + 10 * sum(map(self._seconds_of, tests)))

        def in_child() -> int:
            os.setpgid(0, 0)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            limit = allowed + ceil(process_time())
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
            watch = threading.Timer(
                _WALL_FACTOR * allowed, os.kill, (os.getpid(), signal.SIGXCPU)
            )
            watch.daemon = True
            watch.start()
            set_mutant_under_test(mutant)
            return int(_runner().run_tests(mutant_name=mutant, tests=tests))

        sys.stdout.flush()
        return int(run_in_fork(in_child))


def _runner() -> PytestRunner:
    return PytestRunner()


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def _until(
    tests: Sequence[str], seconds: dict[str, float], most: float
) -> Iterator[str]:
    """The first tests that take an amount of time together, and at least one."""
    spent = 0.0
    for test in tests:
        yield test
        spent += seconds.get(test, 0.0)
        if spent > most:
            return
