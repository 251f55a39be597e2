"""Changed answers and corruption errors in the page, in Markdown, on a terminal and in run.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.outcomes import Answers
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.answer_tables import answer_rows
from pytest_retrieval_robust.reports.error_tables import error_rows
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.saved.read import load_run
from pytest_retrieval_robust.reports.saved_run import run_as_json
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from ..saved_runs import make_run
from .records import record

ANSWERS = Answers(
    100, 0.125, 0.0625, {1: 0.5, 10: 0.75}, {1: (0.4, 0.6), 10: (0.7, 0.8)}
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    made = record(
        tmp_path_factory.mktemp("run"),
        100,
        shift=30,
        beside=True,
        corruptions=("blur",),
        severities=(0.0, 0.4),
    )
    outcomes = [
        replace(one, image_to_report=replace(one.image_to_report, answers=ANSWERS))
        for one in made.outcomes
    ]
    return replace(made, outcomes=tuple(outcomes))


def lines(run: RunRecord, verbosity: int) -> str:
    return "\n".join(
        "".join(span.text for span in line) for line in summary_lines(run, verbosity)
    )


def test_a_row_has_the_numbers_of_its_cell(run: RunRecord) -> None:
    rows = answer_rows(run, "image-to-report")
    # With nothing done, two levels of the occluder, and one severity.
    assert [row.case.level for row in rows] == [0.0, 0.2, 0.4, 0.4]
    assert rows[0].texts[:4] == ["–"] * 4
    for row in rows:
        assert row.texts[4:] == ["75.0", "0.125", "0.062"]
    assert rows[1].changed is not None
    assert rows[1].texts[0] == f"{100 * rows[1].changed.lost:.1f}"


def test_means_come_first(run: RunRecord) -> None:
    names = [row.name for row in error_rows(run, both=False)]
    assert names == [
        "all occluders",
        "all corruptions",
        "everything",
        "patches",
        "blur",
    ]


def test_every_form_shows_them(run: RunRecord) -> None:
    page = render_html(run)
    markdown = render_markdown(run)
    for words in ("query by query", "orruption error", "AURC", "all corruptions"):
        assert words in page
        assert words in markdown
    quiet = lines(run, 0)
    loud = lines(run, 1)
    assert "corruption error beside the baseline's (CE, k=10)" in quiet
    assert "AURC" not in quiet
    assert "75.0 of the first 10 as before, AURC 0.125 (0.062 above the least)" in loud
    assert "blur, report-to-image:" in loud


def test_run_json_has_them(run: RunRecord) -> None:
    data = json.loads(json.dumps(run_as_json(run)))
    scores = data["outcomes"][0]["image-to-report"]
    assert scores["answers"]["overlap"] == {"1": 0.5, "10": 0.75}
    assert "answers" not in data["outcomes"][0]["report-to-image"]
    assert len(data["changed"]) == len(run.changed) > 0
    assert {one["family"] for one in data["corruption_errors"]} == {
        "occlusion",
        "corruption",
        "all",
    }


def test_answers_come_back_from_a_saved_run(tmp_path: Path) -> None:
    made = make_run(tmp_path / "made", 40)
    outcomes = [
        replace(one, image_to_report=replace(one.image_to_report, answers=ANSWERS))
        for one in made.run.measured.outcomes
    ]
    folder = made.measured(outcomes=tuple(outcomes)).save(tmp_path / "saved")
    for outcome in load_run(folder).measured.outcomes:
        assert outcome.image_to_report.answers == ANSWERS
        assert outcome.report_to_image.answers is None


def test_a_run_without_gates_is_shown_at_its_smallest_k(tmp_path: Path) -> None:
    made = record(tmp_path, 60, gates="", beside=True, shift=30)
    assert {row.k for row in answer_rows(made)} == {1}
    assert {row.errors.k for row in error_rows(made)} == {1}


def test_a_dash_is_explained_everywhere(tmp_path: Path) -> None:
    # At k = 60 every answer is right.
    gates = "[[gate]]\nrecall = { 60 = 0.5 }\n"
    made = record(
        tmp_path,
        60,
        gates=gates,
        beside=True,
        ks=(60,),
        corruptions=("blur",),
        severities=(0.0, 0.4),
    )
    reason = "–: the baseline makes no error under a perturbation"
    assert reason in lines(made, 0)
    assert reason in render_markdown(made)
    assert reason in render_html(made)


def test_numbers_without_dashes_have_no_explanation(run: RunRecord) -> None:
    assert "nothing to divide by" not in lines(run, 1)
    assert "nothing to divide by" not in render_html(run)
