"""A small project with a suite of three lines, run through pytester on the embedded model and data set."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# pytester forgets the modules that an inner run imported, and torch cannot be imported twice: they are imported here.
import pytest_retrieval_robust.models._transformers
import pytest_retrieval_robust.reports.saved_run
import pytest_retrieval_robust.reports.terminal
import pytest_retrieval_robust.sweep  # noqa: F401

THREE_LINES = """
def test_recall_under_occlusion(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []
"""
SMALL = ("--robust-models=tiny-cxr-clip", "--robust-limit=24", "--robust-levels=0.3", "-p", "no:cacheprovider")
"""A smoke run: 24 pairs, levels 0 and 0.3."""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run_suite(pytester: pytest.Pytester) -> Run:
    """Run pytest on the three-line suite with the options of a smoke run and whatever else is given."""
    pytester.makepyfile(test_mine=THREE_LINES)

    def run(*options: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*SMALL, *options)

    return run
