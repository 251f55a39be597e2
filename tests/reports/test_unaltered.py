"""Every report says which share of the images or reports was changed."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from pytest_retrieval_robust.core.outcomes import Outcome
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.run_series import series_of
from pytest_retrieval_robust.reports.saved.convert import _outcome, _outcome_form
from pytest_retrieval_robust.reports.saved.read import SCHEMA_FILE
from pytest_retrieval_robust.reports.saved_run import run_as_json

from .html.elements import data_of, parsed, rows_of, section_of, words
from .records import record
from .test_families import terminal

ALTERED = {0.2: 0.0, 0.6: 0.055, 1.0: 1.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """A corruption and a noise that change nothing at 0.2."""
    folder = tmp_path_factory.mktemp("run")
    judged = record(folder, gates="", corruptions=("jpeg",), text_noise=("typing",))

    def told(outcome: Outcome) -> Outcome:
        if outcome.case.family == "occlusion":
            return outcome
        return replace(outcome, altered=ALTERED.get(outcome.case.level))

    return replace(judged, outcomes=tuple(map(told, judged.outcomes)))


def test_the_summary_marks_severities_at_which_nothing_was_changed(
    run: RunRecord,
) -> None:
    lines = terminal(run)
    for name in ("jpeg", "typing"):
        (place,) = [n for n, line in enumerate(lines) if line.startswith(f"  {name} ")]
        assert lines[place + 1] == "    nothing changed at severity 0.2"
    assert sum("nothing changed" in line for line in lines) == 2


def test_the_long_summary_has_each_share(run: RunRecord) -> None:
    text = "\n".join(terminal(run, 1))
    for share in ("0", "5.5", "100"):
        assert text.count(f"  {share} % of 200 images changed, ") == 1
        assert text.count(f"  {share} % of 200 reports changed, ") == 1


def test_the_page_and_its_downloads_have_the_share(run: RunRecord) -> None:
    page = parsed(render_html(run))
    assert "none at 0.2" in words(section_of(page, "corruption"))
    for row in rows_of(data_of(page)["curves"]):
        share = None if row["family"] == "occlusion" else ALTERED.get(row["level"])
        assert row["changed share"] == share


def test_markdown_marks_them(run: RunRecord) -> None:
    text = render_markdown(run)
    assert "`jpeg` (nothing changed at severity 0.2)" in text


def test_several_seeds_have_the_least_share_of_them(run: RunRecord) -> None:
    others = [
        replace(
            outcome,
            case=replace(outcome.case, seed=1),
            altered=None if outcome.altered is None else 1.0,
        )
        for outcome in run.outcomes
    ]
    both = replace(run, outcomes=(*run.outcomes, *others))
    lines = [line for line in series_of(both) if line.family == "corruption"]
    assert {line.altered for line in lines} == {(None, 0.0, 0.055, 1.0)}


def test_run_json_has_the_share_where_it_was_counted(run: RunRecord) -> None:
    data = run_as_json(run)
    jsonschema.validate(
        json.loads(json.dumps(data)), json.loads(SCHEMA_FILE.read_text())
    )
    for outcome in data["outcomes"]:
        case = outcome["case"]
        is_counted = case.get("family") is not None and case["level"] > 0
        assert ("altered" in outcome) == is_counted
        if is_counted:
            assert outcome["altered"] == ALTERED[case["level"]]


def test_a_saved_share_is_read_back(run: RunRecord) -> None:
    for outcome in run.outcomes:
        assert _outcome(_outcome_form(outcome)).altered == outcome.altered
