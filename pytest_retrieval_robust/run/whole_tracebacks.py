"""Whole tracebacks, which may quote patients' texts, are printed and kept nowhere.

What a test fails with goes into JUnit XML, pytest-html and other reports of tests. So a
whole traceback is no part of it: it goes beside the test report to the process that
prints, and is taken off before another plugin sees it.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ..core.foreign import holds_texts
from .xdist.processes import is_worker

_ATTRIBUTE = "robust_whole_traceback"
"""Of the exception, then of the report: a text crosses pytest-xdist."""


def failure_of(sentence: str, traceback_text: str) -> BaseException:
    """What a test fails with: a sentence, and the end of a traceback below it.

    A whole traceback does not stand there, but at the end of the run.
    """
    if holds_texts(traceback_text):
        failure = pytest.fail.Exception(sentence, pytrace=False)
        setattr(failure, _ATTRIBUTE, traceback_text)
        return failure
    words = "\n".join(filter(None, [sentence, traceback_text]))
    return pytest.fail.Exception(words, pytrace=False)


class WholeTracebacks:
    """A plugin that prints them at the end of the run, each once."""

    def __init__(self, config: pytest.Config) -> None:
        self._is_worker = is_worker(config)
        self._first_tests: dict[str, str] = {}
        """The test that failed first, by the traceback."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        error = None if call.excinfo is None else call.excinfo.value
        text = getattr(error, _ATTRIBUTE, None)
        if text is not None:
            setattr(report, _ATTRIBUTE, text)
        return report

    # First, because plugins such as pytest-reportlog write every attribute.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._is_worker:
            return
        text = vars(report).pop(_ATTRIBUTE, None)
        if text is not None:
            self._first_tests.setdefault(text, report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        for text, test in self._first_tests.items():
            terminalreporter.section(f"whole traceback of {test}")
            terminalreporter.write_line(text)
