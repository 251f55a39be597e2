"""What a number of a report speaks of: which cell a gate marks, what a level hides,
over which levels and layouts.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust.core.outcomes import Outcome
from pytest_retrieval_robust.gate.curve_statistics import statistic
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports._text import short
from pytest_retrieval_robust.reports.card import model_card
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.html.svg import Axes, Trace, panel
from pytest_retrieval_robust.reports.markdown.dialect import text
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.run_series import series_of
from pytest_retrieval_robust.reports.terminal.marks import cell_verdict
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from ..records import record, renamed, searched, timed
from .elements import data_of, find, parsed, rows_of, section_of, words


def hiding(run: RunRecord, occluder: str, factor: float) -> RunRecord:
    """The run with an occluder that hides another share of the image than its level says."""

    def hide_more(outcome: Outcome) -> Outcome:
        if outcome.case.occluder != occluder:
            return outcome
        return replace(outcome, achieved_level=factor * outcome.case.level)

    return replace(run, outcomes=tuple(map(hide_more, run.outcomes)))


def curves(run: RunRecord) -> list[dict[str, Any]]:
    return list(rows_of(data_of(parsed(render_html(run)))["curves"]))


def section(run: RunRecord, name: str) -> str:
    return words(section_of(parsed(render_html(run)), name))


# Which cells a gate marks


def beside(folder: Path, over: str) -> RunRecord:
    gates = (
        f'[[gate]]\nnot_worse_than_baseline = {{ k = 10, margin = 0.01, over = "{over}"'
        " }\n"
    )
    return record(folder, 400, gates=gates, shift=300, beside=True)


def test_a_gate_on_cells_beside_the_baseline_marks_those_cells(tmp_path: Path) -> None:
    run = beside(tmp_path, "cells")
    verdicts = {
        verdict.case.level: verdict.verdict
        for verdict in run.verdicts
        if str(verdict.gate).endswith("cell image-to-report")
    }
    assert "fail" in verdicts.values()
    for row in curves(run):
        if (row["k"], row["direction"]) == (10, "image-to-report"):
            assert row["gate"] == verdicts.get(row["level"], "ungated")
        else:
            assert row["gate"] == "ungated"
    assert {case.level: cell_verdict(run, case) for case in run.by_case} == {
        0.0: "ungated",
        **verdicts,
    }


def test_a_gate_on_all_levels_together_marks_none(tmp_path: Path) -> None:
    run = beside(tmp_path, "levels")
    assert "fail" in {verdict.verdict for verdict in run.verdicts}
    assert {row["gate"] for row in curves(run)} == {"ungated"}
    assert "d, patches, all levels and seeds" in section(run, "gates")
    gates = data_of(parsed(render_html(run)))["gates"]
    assert {(row["level"], row["seed"]) for row in rows_of(gates)} == {(None, None)}


def test_a_gate_on_a_curve_says_over_which_levels(tmp_path: Path) -> None:
    run = record(
        tmp_path, gates="[[gate]]\nauc = { 10 = 0.4 }\nrecall = { 10 = 0.1 }\n"
    )
    shown = section(run, "gates")
    assert "d, patches, levels 0 to 0.4, seed 0" in shown
    assert "d, patches, level 0.2, seed 0" in shown


# What a level hides


def test_severities_are_not_called_shares(tmp_path: Path) -> None:
    run = hiding(record(tmp_path, gates=""), "patches", 0.05)
    card = model_card(run, "ours")
    page = render_html(run)
    written = render_markdown(run)
    assert "severity 40 % (2.0 % hidden)" in card
    assert "40 % hidden" not in card
    assert "At its highest severity patches hides 2.0 % of the image." in written
    assert 'data-unit="severity"' in page
    assert 'data-unit="hidden"' not in page
    assert "of the image; severities of patches" in section(run, "verdict")


def test_shares_of_large_cells_are_named_as_they_are(tmp_path: Path) -> None:
    run = hiding(
        renamed(record(tmp_path, gates=""), {"patches": "patches(grid=4)"}),
        "patches(grid=4)",
        1.1,
    )
    assert "44.0 % hidden (requested: 40 %)" in model_card(run, "ours")
    sentence = "The cells of patches(grid=4) are large: it hides 0.0, 22.0, 44.0 %."
    assert sentence in render_markdown(run)
    assert sentence in section(run, "curves")


def test_shares_and_severities_in_one_figure_are_told_apart(tmp_path: Path) -> None:
    run = hiding(record(tmp_path, gates="", occluders=("patches", "ecg")), "ecg", 0.05)
    shown = section(run, "occluders")
    assert "At its highest severity ecg hides 2.0 % of the image." in shown
    assert "patches hides" not in shown
    assert 'data-unit="level"' in render_html(run)


def test_the_worst_case_stands_beside_what_hides_as_much_at_random(
    tmp_path: Path,
) -> None:
    run = record(
        tmp_path,
        gates="",
        occluders=("pacemaker", "border", "box", "patches(fill=mean)", "worst"),
    )
    rows = section(hiding(run, "pacemaker", 0.05), "occluders")
    assert "oursworstpatches(fill=mean)" in rows
    assert "oursworstbox" not in rows
    for name in ("patches(fill=mean)", "box"):
        run = hiding(run, name, 0.5)
    assert "How far Recall falls beyond" not in section(run, "occluders")


# Over which levels and layouts


def lacking(run: RunRecord, **fields: Any) -> RunRecord:
    """The run without the outcomes of cases that have all these values."""
    remaining = [
        outcome
        for outcome in run.outcomes
        if any(getattr(outcome.case, name) != value for name, value in fields.items())
    ]
    assert 0 < len(remaining) < len(run.outcomes)
    return replace(run, outcomes=tuple(remaining))


def test_numbers_of_a_curve_that_ends_early_say_so(tmp_path: Path) -> None:
    run = lacking(
        record(tmp_path, gates="", models=("ours", "theirs")), model="theirs", level=0.4
    )
    table = section_of(parsed(render_html(run)), "table")
    for row in find(table, "tbody/tr"):
        area, kept, _ = (words(cell) for cell in list(row)[-3:])
        early = "theirs" in words(row)
        assert area.endswith("only to 20 %") == early
        assert kept.endswith("only to 20 %") == early
        assert (list(row)[-3].get("data-order") == "") == early
    # Lines of curves end with the half level; those of changed answers have a data set.
    lines = [
        line
        for line in render_markdown(run).splitlines()
        if line.startswith("| `") and "| `d` |" not in line
    ]
    assert len(lines) == 2 * 4
    assert all(
        ("(to 20 %)" in line) == line.startswith("| `theirs` |") for line in lines
    )


def test_means_are_over_the_layouts_that_every_level_has(tmp_path: Path) -> None:
    run = record(tmp_path, gates="", seeds=(0, 1, 2))
    without_a_cell, *_ = series_of(lacking(run, seed=1, level=0.4))
    assert without_a_cell.seeds == (0, 2)
    assert without_a_cell.retention
    without_common_seeds = replace(
        run,
        outcomes=tuple(
            o for o in run.outcomes if (o.case.seed == 0) == (o.case.level == 0.4)
        ),
    )
    line, *_ = series_of(without_common_seeds)
    assert line.retention == ()
    assert line.auc is None
    assert not line.is_at_chance


# Bounds that are not known


def test_what_is_kept_has_no_upper_bound_where_a_sample_has_nothing_to_lose() -> None:
    samples = np.array([[0.0, 0.0], [0.0, 0.1], [0.2, 0.1]])
    assert statistic("retention", (0.0, 0.3), samples).tolist() == [np.inf, np.inf, 0.5]


@pytest.mark.parametrize("value", [1e9, 317.0, 3.2, 1.0, 1e-9])
def test_an_axis_has_a_few_numbers_whatever_there_is_to_draw(value: float) -> None:
    drawn = panel(
        [Trace(0, [(0.0, value, 0.0, 4e9)])],
        Axes(levels=[0.0], x_label="x", y_label="y"),
        "l",
    )
    assert 1 <= drawn.split('<g class="y">')[1].split("</g>")[0].count("<text") <= 8


def test_a_model_that_finds_hardly_anything_has_a_page_and_a_summary(
    tmp_path: Path,
) -> None:
    run = record(tmp_path, 500, gates="", floor=2, ks=(1, 2, 10))
    assert max(one.recall(1) for one in run.outcomes) == 0
    assert len(render_html(run)) < 500_000
    assert (
        max(len("".join(span.text for span in line)) for line in summary_lines(run, 1))
        <= 120
    )


def test_a_bound_that_is_not_known_is_no_number_of_a_gate(tmp_path: Path) -> None:
    run = record(tmp_path, gates="[[gate]]\nlevel = 0.2\nretention = { 10 = 0.5 }\n")
    verdicts = tuple(
        replace(verdict, bounds=(0.25, float("inf"))) for verdict in run.verdicts
    )
    assert "0.250 or more" in section(replace(run, verdicts=verdicts), "gates")


def test_a_sentence_that_many_verdicts_share_is_said_once(tmp_path: Path) -> None:
    run = record(tmp_path)
    one, *_ = (verdict for verdict in run.verdicts if verdict.verdict == "fail")
    run = replace(run, verdicts=(one, one, one))
    assert section(run, "verdict").count(one.sentence) == 1
    assert render_markdown(run).count(text(one.sentence)) == 1
    assert (
        sum("failed:" in span.text for line in summary_lines(run) for span in line) == 1
    )


# What was measured without a recall


def test_a_run_without_outcomes_says_what_it_measured(tmp_path: Path) -> None:
    run = record(tmp_path, gates="")
    aside = replace(
        run,
        outcomes=(),
        intervals={},
        verdicts=(),
        breaking=(searched("ours"),),
        costs=timed(run),
    )
    page = words(parsed(render_html(aside)))
    written = render_markdown(aside)
    assert "No recall was measured" in page
    assert "Nothing was measured" not in page
    assert "### Smallest hidden area that pushes the report out of the top k" in written
    assert "<summary>Time per image</summary>" in written


# Names


def test_long_names_that_differ_in_the_middle_stay_apart(tmp_path: Path) -> None:
    names = [f"local-dir:{'a' * 60}{sign}{'b' * 60}" for sign in "xy"]
    assert len({short(name) for name in names}) == 2
    assert len(short(names[0])) <= 96
    run = renamed(
        record(tmp_path, gates="", models=("ours", "theirs")),
        dict(zip(("ours", "theirs"), names, strict=True)),
    )
    assert len({row["model"] for row in curves(run)}) == 2


def test_what_is_missing_beside_the_baseline_is_folded_and_said_once(
    tmp_path: Path,
) -> None:
    run = record(tmp_path, beside=True)
    assert run.baseline is not None
    gone = tuple(f"cell {place} is gone" for place in range(300))
    run = replace(
        run,
        baseline=replace(run.baseline, vanished=gone),
        warnings=(*run.warnings, *gone),
    )
    page = render_html(run)
    written = render_markdown(run)
    for place in (0, 299):
        assert (
            page.count(f"cell {place} is gone")
            == written.count(f"cell {place} is gone")
            == 1
        )
    assert "292 more" in page
    assert "290 more" in written
