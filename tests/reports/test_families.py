"""Every report has corruptions and text noise beside occlusions, by family."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from pytest_retrieval_robust.core.cases import FAMILIES, Family
from pytest_retrieval_robust.core.verdict import Verdict
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.card import model_card
from pytest_retrieval_robust.reports.family_sentences import sentences, spoken
from pytest_retrieval_robust.reports.family_summary import family_row, family_tables
from pytest_retrieval_robust.reports.figure import _draw, _Sheet
from pytest_retrieval_robust.reports.github import error_commands
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.paper_table import long_csv, paper_csv
from pytest_retrieval_robust.reports.run_series import series_of
from pytest_retrieval_robust.reports.series import Point, Series
from pytest_retrieval_robust.reports.terminal.summary import summary_lines
from pytest_retrieval_robust.reports.tracking import metrics_of

from .html.elements import data_of, find, parsed, rows_of, section_of, words
from .nasty_names import NASTY
from .records import record, renamed
from .test_markdown import kinds

GATES = """
[[gate]]
recall = { 10 = 0.2 }

[[gate]]
corruption = "*"
recall = { 10 = 0.3 }

[[gate]]
text_noise = "typing"
direction = "report-to-image"
recall = { 10 = 0.5 }
auc = { 10 = 0.1 }
"""
SEVERITIES = (0.0, 0.2, 0.6, 1.0)
PLOT = "{http://www.w3.org/2000/svg}svg[@class='plot']"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """Three families, one name of which is in two of them."""
    return record(
        tmp_path_factory.mktemp("run"),
        gates=GATES,
        shift=30,
        beside=True,
        corruptions=("jpeg", "patches"),
        text_noise=("typing",),
    )


@pytest.fixture(scope="module")
def page(run: RunRecord) -> Element:
    return parsed(render_html(run))


def terminal(run: RunRecord, verbosity: int = 0) -> list[str]:
    lines = summary_lines(run, verbosity)
    return ["".join(span.text for span in line) for line in lines]


def recalls_of(run: RunRecord, family: Family, name: str) -> dict[float, float]:
    """Recall@10 by severity, as the outcomes have it."""
    return {
        outcome.case.level: outcome.recall(10)
        for outcome in run.outcomes
        if (outcome.case.family, outcome.case.occluder) == (family, name)
    }


# Series and their summary


def test_names_of_two_families_are_two_series(run: RunRecord) -> None:
    series = [line for line in series_of(run) if line.occluder == "patches"]
    by_family = {line.family: line for line in series if line.k == 10}
    assert set(by_family) == {"occlusion", "corruption"}
    levels = {
        family: tuple(point.level for point in line.recall)
        for family, line in by_family.items()
    }
    assert levels == {"occlusion": (0.0, 0.2, 0.4), "corruption": SEVERITIES}


def test_series_stand_family_by_family(run: RunRecord) -> None:
    names = dict.fromkeys((line.family, line.occluder) for line in series_of(run))
    assert list(names) == [
        ("occlusion", "patches"),
        ("corruption", "jpeg"),
        ("corruption", "patches"),
        ("text-noise", "typing"),
    ]


def test_the_mean_and_the_worst_are_those_of_severities_above_0(run: RunRecord) -> None:
    tables = list(family_tables(series_of(run)))
    assert [(table.family, len(table.rows)) for table in tables] == [
        ("corruption", 2),
        ("text-noise", 1),
    ]
    row = tables[0].rows[0]
    recalls = recalls_of(run, "corruption", "jpeg")
    above = {level: recall for level, recall in recalls.items() if level > 0}
    assert row.clean == recalls[0.0]
    assert row.mean == pytest.approx(fmean(above.values()))
    assert row.worst is not None
    assert row.worst.value == min(above.values())
    assert row.kept == pytest.approx(fmean(above.values()) / recalls[0.0])
    assert row.fails_from == min(level for level in above if above[level] < 0.3)


shares = st.one_of(st.none(), st.floats(0, 1))


@given(st.lists(shares, min_size=1, max_size=6), st.booleans())
def test_a_summary_says_nothing_of_what_was_not_measured(
    values: Sequence[float | None], has_clean: bool
) -> None:
    first = 0 if has_clean else 1
    points = [Point((first + place) / 10, value) for place, value in enumerate(values)]
    row = family_row(line_of(points))
    above = [point.value for point in points if point.level > 0]
    known = [value for value in above if value is not None]
    assert (row.mean is None) == (len(known) < len(above) or not above)
    assert (row.worst is None) == (row.mean is None)
    assert (row.without is None) == (len(known) == len(above))
    if row.worst is not None:
        assert row.worst.value == min(known)
    if row.mean is not None:
        assert min(known) - 1e-12 <= row.mean <= max(known) + 1e-12
    assert (row.clean is None) == (not has_clean or values[0] is None)


def without(run: RunRecord, name: str, *levels: float) -> RunRecord:
    """The run without what was measured of a perturbation at these severities."""
    outcomes = [
        outcome
        for outcome in run.outcomes
        if outcome.case.occluder != name or outcome.case.level not in levels
    ]
    return replace(run, outcomes=tuple(outcomes))


def test_a_severity_that_failed_is_said_in_place_of_a_mean(run: RunRecord) -> None:
    broken = without(run, "typing", 1.0)
    (row,) = list(family_tables(series_of(broken)))[1].rows
    assert row.holes == (1.0,)
    assert (row.mean, row.worst, row.kept) == (None, None, None)
    clean = f"{100 * recalls_of(run, 'text-noise', 'typing')[0.0]:.1f}"

    (line,) = [line for line in terminal(broken) if line.startswith("  typing ")]
    assert line.split()[1:6] == [clean, *["not", "measured", "at", "1"]]
    (line,) = [
        line
        for line in render_markdown(broken).splitlines()
        if line.startswith("| `ours` | `typing` |")
    ]
    assert line.startswith(f"| `ours` | `typing` | {clean} | – | not measured at 1")
    assert line.endswith("| – | – |  |")
    page = parsed(render_html(broken))
    assert "not measured at 1" in words(section_of(page, "text-noise"))
    for text in (*terminal(run), render_markdown(run), render_html(run)):
        assert "not measured at" not in text


def test_a_line_with_many_holes_has_room(run: RunRecord) -> None:
    for levels, said in (
        ((0.2, 1.0), "not measured at 0.2, 1"),
        ((0.2, 0.6, 1.0), "not measured at 3 severities"),
    ):
        shown = terminal(without(run, "jpeg", *levels))
        (line,) = [line for line in shown if line.startswith("  jpeg ")]
        assert said in line
        assert len(line) <= 80


def test_severities_that_were_left_out_are_no_holes(run: RunRecord) -> None:
    names = ("jpeg", "patches", "typing")
    part = run
    for name in names:
        part = without(part, name, 0.2, 1.0)
    part = replace(part, scope=replace(part.scope, partial="-k"))
    for table in family_tables(series_of(part)):
        for row in table.rows:
            assert row.holes == ()
            assert row.mean == row.series.recall[-1].value


def line_of(points: Sequence[Point]) -> Series:
    return Series(
        "ours",
        "d",
        "jpeg",
        "image-to-report",
        10,
        (0,),
        tuple(points),
        (),
        tuple(point.level for point in points),
        tuple("ungated" for _ in points),
        100,
        100,
        0.1,
        None,
        None,
        None,
        None,
        None,
        is_at_chance=False,
        family="corruption",
    )


# Sentences


def test_a_gate_that_fails_at_several_severities_has_one_sentence(
    run: RunRecord,
) -> None:
    failed = [
        verdict
        for verdict in run.verdicts
        if verdict.verdict == "fail" and verdict.case.occluder == "jpeg"
    ]
    assert len(failed) > 1
    (sentence,) = sentences(failed)
    assert failed[0].sentence in sentence
    others = ", ".join(f"{verdict.case.level:g}" for verdict in failed[1:])
    assert sentence.endswith(f" Also at severity {others}.")


def test_no_verdict_is_left_out_of_the_sentences(run: RunRecord) -> None:
    said: list[Verdict] = []
    for each in spoken(run.verdicts):
        said.extend(each.verdicts)
    assert sorted(map(str, said)) == sorted(map(str, run.verdicts))


def test_verdicts_on_occlusions_have_a_sentence_each(run: RunRecord) -> None:
    verdicts = [each for each in run.verdicts if each.case.family == "occlusion"]
    assert sentences(verdicts) == [verdict.sentence for verdict in verdicts]


# The terminal


def test_many_corruptions_have_a_line_each(tmp_path: Path) -> None:
    names = tuple(f"noise-{number}" for number in range(20))
    many = record(tmp_path, 40, gates="", corruptions=names)
    shown = terminal(many)
    for name in names:
        assert sum(line.startswith(f"  {name} ") for line in shown) == 1
    alone = terminal(record(tmp_path / "alone", 40, gates=""))
    assert len(shown) <= len(alone) + len(names) + 10
    assert max(map(len, shown)) <= 80


def test_the_line_of_a_corruption_holds_its_numbers(run: RunRecord) -> None:
    (line,) = [line for line in terminal(run) if line.startswith("  jpeg ")]
    recalls = recalls_of(run, "corruption", "jpeg")
    above = {level: recall for level, recall in recalls.items() if level > 0}
    worst = min(above.values())
    cells = line.split()
    assert cells[1:5] == [
        f"{100 * recalls[0.0]:.1f}",
        f"{100 * fmean(above.values()):.1f}",
        f"{100 * worst:.1f}!",
        f"{min(level for level in above if above[level] == worst):g}",
    ]
    assert line.endswith("at 0.6")


def test_verbose_shows_every_severity(run: RunRecord) -> None:
    shown = terminal(run, 1)
    assert "d, jpeg: report-to-image Recall@1 in %" in shown
    assert "d, typing: image-to-report Recall@10 in %" in shown
    assert not any("of the image hidden" in line for line in after(shown, "d, jpeg at"))


def after(lines: Sequence[str], words_of_line: str) -> list[str]:
    """The three lines below each that holds these words."""
    places = [place for place, line in enumerate(lines) if words_of_line in line]
    assert places
    return [line for place in places for line in lines[place + 1 : place + 4]]


def test_a_run_of_occlusions_alone_says_nothing_of_families(tmp_path: Path) -> None:
    alone = record(tmp_path, 40, gates="")
    text = "\n".join(terminal(alone, 1)) + render_markdown(alone)
    page = render_html(alone)
    assert "severit" not in text.lower()
    assert "Retrieval under occlusion" in page
    for family in ("corruption", "text-noise"):
        assert f'id="{family}"' not in page


# The page


@pytest.mark.parametrize(
    ("family", "name"), [("corruption", "jpeg"), ("text-noise", "typing")]
)
def test_the_page_has_a_section_per_family(
    page: Element, family: Family, name: str
) -> None:
    section = section_of(page, family)
    text = words(section)
    subject = family.replace("-", " ")
    assert f"severity of the {subject}, 0 to 1" in text
    assert name in text
    assert "share of the image hidden" not in text
    plots = find(section, PLOT)
    assert {plot.get("data-levels") for plot in plots} == {"0,0.2,0.6,1"}
    assert {plot.get("data-scale") for plot in plots} == {"fraction"}
    assert words(find(page, "title")[0]).startswith("Failed: retrieval robustness")


def test_the_section_of_occlusions_is_about_them_alone(page: Element) -> None:
    text = words(section_of(page, "curves"))
    assert "jpeg" not in text
    assert "severity" not in text
    plots = find(section_of(page, "curves"), PLOT)
    assert {plot.get("data-levels") for plot in plots} == {"0,0.2,0.4"}


def test_ids_of_the_page_are_unique_with_every_family(page: Element) -> None:
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_rows_of_the_downloads_say_their_family(page: Element) -> None:
    tables = data_of(page)
    for name in ("curves", "gates", "baseline"):
        assert {row["family"] for row in rows_of(tables[name])} == set(FAMILIES)
    for row in rows_of(tables["curves"]):
        assert (row["hidden share"] is None) == (row["family"] != "occlusion")


def test_a_page_without_occlusions_has_its_switches(tmp_path: Path) -> None:
    alone = record(tmp_path, 40, gates="", occluders=(), corruptions=("jpeg",))
    page = parsed(render_html(alone))
    assert find(page, "form[@class='controls']")
    assert "Nothing was measured" not in words(page)
    assert not find(page, "section[@id='curves']")
    assert any("  jpeg " in line for line in terminal(alone))


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_a_name_of_a_corruption_is_escaped_everywhere(
    run: RunRecord, page: Element, name: str
) -> None:
    nasty = renamed(run, {"jpeg": name, "typing": name})
    tags = [element.tag for element in parsed(render_html(nasty)).iter()]
    assert tags == [element.tag for element in page.iter()]
    text = render_markdown(nasty)
    assert kinds(text) == kinds(render_markdown(run))
    for written in (text, long_csv(series_of(nasty))):
        assert "\x1b" not in written
        assert "\u202e" not in written
        written.encode()


# Markdown, cards, tables, figures, servers


def test_markdown_has_a_row_per_corruption_and_folds_every_severity(
    run: RunRecord,
) -> None:
    text = render_markdown(run)
    open_part, _, folded = text.partition("<details><summary>Corruptions, Recall@10")
    assert "### Corruptions: Recall@10, image to report, in %" in open_part
    assert "### Text noise: Recall@10, image to report, in %" in open_part
    assert "| model | 0 | 0.2 | 0.6 | 1 | kept | half gone at |" in folded
    assert "| model | 0 % | 20 % | 40 % | kept | half gone at |" in open_part


def test_annotations_name_each_corruption_before_its_second_severity(
    run: RunRecord,
) -> None:
    lines = list(error_commands(run, None, {"GITHUB_ACTIONS": "true"}))
    assert sum("jpeg at severity" in line for line in lines) == 1
    assert any("Also at severity" in line for line in lines)


def test_a_card_has_a_part_per_family(run: RunRecord) -> None:
    card = model_card(run, "ours")
    for title in ("occlusion", "corruptions", "text noise"):
        assert f"## Retrieval under {title}\n" in card
    assert "severity 0.6" in card
    assert "60 % hidden" not in card


def test_a_table_for_a_paper_keeps_levels_and_severities_apart(run: RunRecord) -> None:
    rows = list(csv.DictReader(io.StringIO(paper_csv(series_of(run)))))
    assert len(rows) == 8  # four perturbations in both directions
    for row in rows:
        assert bool(row["R@10 at 40 %"]) != bool(row["R@10 at severity 0.6"])
    long = list(csv.DictReader(io.StringIO(long_csv(series_of(run)))))
    assert {row["family"] for row in long} == set(FAMILIES)


def test_a_figure_has_a_column_per_perturbation_with_its_own_axis(
    run: RunRecord,
) -> None:
    drawn = [line for line in series_of(run) if line.direction == "image-to-report"]
    figure = Figure()
    _draw(figure, _Sheet.of(drawn, [10]))
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels == ["image area hidden (%)", *3 * ["severity (0 to 1)"]]
    assert [np.max(axes.lines[0].get_xdata()) for axes in figure.axes] == [40, 1, 1, 1]


def test_metrics_of_a_server_tell_families_apart(run: RunRecord) -> None:
    names = {name for name, _, _ in metrics_of(series_of(run))}
    assert "ours/d/patches/image-to-report/recall_at_10" in names
    assert "ours/d/corruption patches/image-to-report/recall_at_10" in names
    assert "ours/d/text-noise typing/report-to-image/auc_at_10" in names


def test_metrics_stand_beside_levels_and_severities_of_their_own(
    run: RunRecord,
) -> None:
    def with_metric(scores: Any) -> Any:
        return replace(scores, metrics={"hit-rate(k=3)": 0.5})

    outcomes = tuple(
        replace(
            outcome,
            image_to_report=with_metric(outcome.image_to_report),
            report_to_image=with_metric(outcome.report_to_image),
        )
        for outcome in run.outcomes
    )
    measured = replace(run, outcomes=outcomes)
    text = render_markdown(measured)
    assert text.count("### Metrics") == 1
    assert "| metric | model | data set | corruption | direction | 0 | 0.2 |" in text
    assert "metrics at severities 0, 0.2, 0.6, 1" in terminal(measured)
    assert "metrics at levels 0, 0.2, 0.4" in terminal(measured)
    assert json.dumps(words(section_of(parsed(render_html(measured)), "metrics")))
