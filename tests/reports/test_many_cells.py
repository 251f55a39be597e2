"""The end of a run takes as many steps per cell whatever the number of its cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from pytest_retrieval_robust.core.verdict import Verdict
from pytest_retrieval_robust.gate.corruption_table import shown_k
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.html.page import page_of
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.saved_run import render_json
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from ..calls import calls_of
from .records import record

COUNTS = (4, 8, 16)
"""Occluders, of three levels each."""
MORE = 1.1
"""As much longer a cell may take at the last step than at the first."""


class Judged:
    """Records of so many occluders, and the steps that each of them took."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.records: list[RunRecord] = []
        self.steps: list[int] = []
        folder = tmp_path_factory.mktemp("runs")
        # What is made once for all sizes is there before anything is counted.
        for count in (1, *COUNTS):
            occluders = tuple(f"patches-{number}" for number in range(count))
            judge = partial(
                record, folder / str(count), 24, beside=True, occluders=occluders
            )
            self.steps.append(calls_of(lambda: self.records.append(judge())))  # noqa: B023
        del self.records[0], self.steps[0]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return Judged(tmp_path_factory)


def is_flat(steps: list[int]) -> bool:
    """Whether a cell more takes as long among many cells as among few."""
    few, some, many = steps
    return (many - some) / 2 <= MORE * (some - few)


def test_judging_takes_as_long_per_cell(judged: Judged) -> None:
    assert is_flat(judged.steps), judged.steps


PARTS: dict[str, Callable[[RunRecord], object]] = {
    "run.json": render_json,
    "the page": page_of,
    "report.md": render_markdown,
    "the summary with -v": lambda run: list(summary_lines(run, 1)),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_report_takes_as_long_per_cell(judged: Judged, part: str) -> None:
    PARTS[part](judged.records[0])  # what is made once is there
    steps = [calls_of(partial(PARTS[part], run)) for run in judged.records]
    assert is_flat(steps), steps


def test_the_k_that_reports_show_is_looked_for_once(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def look(verdicts: Sequence[Verdict], ks: Sequence[int]) -> int:
        looks.append(len(verdicts))
        return shown_k(verdicts, ks)

    monkeypatch.setattr("pytest_retrieval_robust.gate.record.shown_k", look)
    run = replace(judged.records[0])
    for part in PARTS.values():
        part(run)
    assert looks == [len(run.verdicts)]


def test_the_usual_summary_of_many_cells_is_cut(judged: Judged) -> None:
    some, many = (list(summary_lines(run)) for run in judged.records[1:])
    assert len(many) < len(some) + 20 + 5 * (COUNTS[2] - COUNTS[1])
    text = "\n".join("".join(span.text for span in line) for line in many)
    assert "... and 4 more tables (`-v` shows them all" in text
