"""What was measured with edited reports, in every report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust.core.cases import Json
from pytest_retrieval_robust.core.counterfactual_outcomes import CounterfactualOutcome
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.edit_tables import CSV_COLUMNS, edit_csv
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.saved.counterfactual_checks import (
    counterfactual_contradictions,
)
from pytest_retrieval_robust.reports.terminal.edits import edit_lines
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from .records import compared, compared_in, record


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    plain = record(tmp_path, 80, gates="", levels=(0.0, 0.2))
    return replace(plain, counterfactuals=compared_in(plain))


def _text(run: RunRecord, verbosity: int) -> str:
    lines = edit_lines(run.counterfactuals, verbosity)
    return "\n".join("".join(span.text for span in line) for line in lines)


def test_the_summary_shows_clean_images_and_with_v_every_cell(run: RunRecord) -> None:
    quiet = _text(run, 0)
    assert "90.0" in quiet
    assert "60.0" not in quiet
    assert "1 more cell" in quiet
    assert "60.0" in _text(run, 1)
    assert max(map(len, _text(run, 1).splitlines())) <= 80


def test_a_quiet_summary_keeps_the_win_shares_of_clean_images(run: RunRecord) -> None:
    lines = [span.text for line in summary_lines(run, -1) for span in line]
    kept = "\n".join(lines)
    assert "90.0" in kept
    assert "60.0" not in kept
    assert "a tie is lost" not in kept


def test_cells_without_the_clean_images_are_shown(run: RunRecord) -> None:
    hidden = tuple(one for one in run.counterfactuals if one.case.level > 0)
    for verbosity in (-1, 0, 1):
        assert "60.0" in _text(replace(run, counterfactuals=hidden), verbosity)


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_pages_show_every_cell(
    run: RunRecord, render: Callable[[RunRecord], str]
) -> None:
    page = render(run)
    for text in ("90.0", "60.0", "negation", "patches at level 0.2"):
        assert text in page


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_a_kind_of_a_users_table_is_escaped(
    run: RunRecord, render: Callable[[RunRecord], str]
) -> None:
    case = run.counterfactuals[0].case
    nasty = compared(case, 80, {"<img src=x>|`@user": 0.9})
    page = render(replace(run, counterfactuals=(nasty,)))
    assert "<img" not in page


def test_the_csv_has_every_number(run: RunRecord) -> None:
    rows = edit_csv(run.counterfactuals)
    assert {len(row) for row in rows} == {len(CSV_COLUMNS)}
    # Two cells: all kinds together and each kind, and every k.
    ks = len(run.plan.ks)
    assert len(rows) == (3 + ks) + (2 + ks)


DATASET: Json = {"images": 80, "reports": 80}
CHANGES: dict[str, dict[str, Any]] = {
    "edited": {"edited": 81},
    "unseen": {"unseen": 999},
    "reports": {"reports": 81},
    "edits": {"edits": 1},
    "no kinds": {"kinds": ()},
}


def _contradictions(outcome: CounterfactualOutcome) -> list[tuple[str, str]]:
    ks = tuple(outcome.with_distractors.without_edits)
    return list(counterfactual_contradictions(outcome, DATASET, ks))


def test_what_was_measured_contradicts_nothing(run: RunRecord) -> None:
    assert [_contradictions(one) for one in run.counterfactuals] == [[], []]


@pytest.mark.parametrize("name", CHANGES)
def test_an_edited_number_is_noticed(run: RunRecord, name: str) -> None:
    assert _contradictions(replace(run.counterfactuals[0], **CHANGES[name]))


def test_an_edited_share_is_noticed_by_its_interval(run: RunRecord) -> None:
    outcome = run.counterfactuals[0]
    first = replace(outcome.kinds[0], share=0.99)
    assert _contradictions(replace(outcome, kinds=(first, *outcome.kinds[1:])))
    recall = outcome.with_distractors
    raised = replace(recall, recall={**recall.recall, 1: 1.0})
    assert _contradictions(replace(outcome, with_distractors=raised))
