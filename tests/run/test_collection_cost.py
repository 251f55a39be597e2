"""What thousands of cases must not pay for twice, counted; `benchmarks/collection.py`
has the times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.gate import evidence
from pytest_retrieval_robust.gate.curve_statistics import estimate_of

from ..conftest import SMALL, THREE_LINES

OUTCOMES_AGAIN = (
    THREE_LINES
    + "\ndef test_curve(robustness_curve): pass\ndef test_curves(robustness_curves):"
    " pass\n"
)


class Reports:
    """A plugin that keeps what reports carry."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.kept = 0
        """Reports that still carry something once all plugins have seen them."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Iterator[None]:
        if hasattr(report, "robust"):
            self.records.append(report.robust)
        yield
        self.kept += hasattr(report, "robust")

    def cases(self) -> Counter[Case]:
        return Counter(
            Case.from_json(outcome["case"])
            for record in self.records
            for outcome in record["outcomes"]
        )


def test_an_outcome_a_card_and_a_data_set_are_reported_once(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=OUTCOMES_AGAIN)
    reports = Reports()
    pytester.inline_run(*SMALL, "--robust-seeds=0,1", plugins=[reports])
    assert len(reports.records) == 7
    assert sorted(reports.cases().values()) == [1, 1, 1, 1]
    assert reports.kept == 0
    assert sum(record["card"] is not None for record in reports.records) == 1
    assert sum(record["dataset"] is not None for record in reports.records) == 1


def test_what_a_failed_test_reports_is_reported_again(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_mine="def test_one(outcome): assert False\ndef test_two(outcome): pass\n"
    )
    reports = Reports()
    pytester.inline_run(*SMALL, "-p", "no:randomly", plugins=[reports])
    assert sorted(reports.cases().values()) == [2, 2]


def test_whether_a_model_is_here_is_asked_once_a_run(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        import pytest
        from pytest_retrieval_robust.models import ModelEntry

        def missing(request):
            print("ASKED")
            return "its weights are elsewhere"

        @pytest.hookimpl(optionalhook=True)
        def pytest_robust_register(catalogues):
            entry = ModelEntry("elsewhere", "not here", lambda request: None, missing)
            catalogues.models.add(entry)
        """)
    pytester.makepyfile(test_mine=THREE_LINES)
    options = (
        "--robust-models=else*",
        "--robust-seeds=0,1,2,3",
        "--collect-only",
        "-s",
        "-q",
    )
    result = pytester.runpytest_inprocess(*SMALL, *options)
    assert result.outlines.count("ASKED") == 1


def test_what_a_test_was_judged_by_is_not_estimated_again_at_the_end(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimated: list[float] = []

    def counting(value: float, *others: Any) -> Any:
        estimated.append(value)
        return estimate_of(value, *others)

    monkeypatch.setattr(evidence, "estimate_of", counting)
    pytester.makefile(".toml", robust="[[gate]]\nretention = { 10 = 0.01 }\n")
    pytester.makepyfile(
        test_mine=(
            "def test_one(outcome, clean_outcome, gate):\n"
            "    gate.violations(outcome, clean_outcome)\n"
        )
    )
    result = pytester.inline_run(*SMALL, "--robust-seeds=0,1,2")
    judged = sum(
        "level0.00" not in report.nodeid for report in result.listoutcomes()[0]
    )
    assert judged >= 3
    assert len(estimated) == judged
