"""What was lost since the reference, and which attempt it is, in every report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.roles import Role
from pytest_retrieval_robust.gate.attempts import AttemptRecord, TriedRole
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.reference_tables import reference_rows
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from ..saved_runs import Made, make_run
from .records import HOST, renamed

ATTEMPT = AttemptRecord(
    (TriedRole(Role.BASELINE, 4, 0.05, None),), 2, True, "a" * 64, "b" * 64
)


def judged(candidate: Made, baseline: Made | None, reference: Made) -> RunRecord:
    record = judge_run(
        candidate.run,
        Policy(),
        Against(None if baseline is None else baseline.run),
        against_reference=Against(reference.run),
    )
    identity = replace(record.identity, host=HOST)
    return replace(record, identity=identity, attempt=ATTEMPT)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Made, Made]:
    """A candidate, a baseline and a reference, each a little better than the last."""
    folder = tmp_path_factory.mktemp("runs")
    candidate, baseline, reference = (
        make_run(folder / str(shift), 300, shift=shift) for shift in (12, 4, 0)
    )
    return candidate, baseline, reference


@pytest.fixture(scope="module")
def record(runs: tuple[Made, Made, Made]) -> RunRecord:
    return judged(*runs)


def terminal(record: RunRecord, verbosity: int = 0) -> str:
    lines = summary_lines(record, verbosity)
    return "\n".join("".join(span.text for span in line) for line in lines)


def test_every_report_has_both_changes(record: RunRecord) -> None:
    row, *_ = reference_rows(record)
    assert row.change.baseline is not None
    losses = [
        f"{100 * side.value:+.1f}"
        for side in (row.change.candidate, row.change.baseline)
    ]
    for report in (terminal(record), render_markdown(record), render_html(record)):
        assert "ince the reference" in report
        for loss in losses:
            assert loss in report


def test_every_report_says_which_attempt_it_is(record: RunRecord) -> None:
    for report in (terminal(record), render_markdown(record), render_html(record)):
        text = " ".join(report.split())
        assert "Attempt 4 against this baseline" in text
        assert "up to 18.5 %" in text


def test_both_directions_are_shown_on_request(record: RunRecord) -> None:
    assert "patches, report-to-image:\n  reference" not in terminal(record)
    assert "patches, report-to-image:\n  reference" in terminal(record, 1)


def test_why_the_baselines_part_is_empty_is_said(
    runs: tuple[Made, Made, Made],
) -> None:
    candidate, _, reference = runs
    without = render_markdown(judged(candidate, None, reference))
    assert "no baseline that has these cells and fits the reference" in without
    itself = render_markdown(judged(candidate, reference, reference))
    assert "The baseline is the reference itself." in itself


def test_what_cannot_be_compared_is_said_once(
    runs: tuple[Made, Made, Made], tmp_path: Path
) -> None:
    candidate, baseline, _ = runs
    other = make_run(tmp_path / "other", 300, facts={"fingerprint": "e" * 64})
    record = judged(candidate, baseline, other)
    sentence = "in the reference fingerprint="
    assert render_markdown(record).count(sentence) == 1
    assert render_html(record).count(sentence) == 1


def test_names_stay_text(record: RunRecord) -> None:
    hostile = replace(
        record, reference=renamed(record.reference, {"ours": "<b>|`x", "d": "@you"})
    )
    section = (
        render_html(hostile).partition('id="reference"')[2].partition("</section>")
    )
    assert "&lt;b&gt;|`x" in section[0]
    assert "<b>|" not in section[0]
    assert "``<b>\\|`x``" in render_markdown(hostile)


def test_the_command_compare_shows_it_too(
    runs: tuple[Made, Made, Made], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, made in zip(("mine", "theirs", "first"), runs, strict=True):
        made.save(tmp_path / name)
    folders = [str(tmp_path / name) for name in ("theirs", "mine", "first")]
    main(["compare", *folders[:2], "--reference", folders[2]])
    printed = capsys.readouterr().out
    assert "since the reference of " in printed
    assert ", baseline " in printed
