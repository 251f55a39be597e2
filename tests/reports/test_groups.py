"""Groups in the summary, the page, Markdown and `compare`."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.group_tables import (
    GROUP_COLUMNS,
    group_csv,
    group_sentences,
    shown_cells,
)
from pytest_retrieval_robust.reports.html.page import page_of, render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.terminal.summary import summary_lines
from pytest_retrieval_robust.run.commands.compare import compare

from ..saved_runs import make_run
from .records import record

VIEWS = ["AP", "<b>PA</b>", "lateral|x"] * 80
SEXES = ["F"] * 130 + ["M"] * 103 + ["rare"] * 7
STRATA = {"view": VIEWS, "sex": SEXES}
GATES = '[[gate]]\nworst_group = { strata = "view", k = 10, min = 0.01 }\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("record")
    return record(folder, 240, gates=GATES, shift=20, beside=True, strata=STRATA)


def text_of(run: RunRecord, verbosity: int = 0) -> str:
    lines = [
        "".join(span.text for span in line) for line in summary_lines(run, verbosity)
    ]
    return "\n".join(lines)


def test_the_summary_has_one_sentence_per_model_with_its_worst_group(
    run: RunRecord,
) -> None:
    [sentence] = group_sentences(run)
    clean = [cell for cell in shown_cells(run) if cell.case.level == 0]
    worst = min(
        (group for cell in clean for group in cell.judged),
        key=lambda group: group.recall or 0,
    )
    assert worst.recall is not None
    assert sentence.startswith(
        "ours on d, image-to-report Recall@10: the worst group with nothing hidden is"
        f" {worst.name} of "
    )
    assert f"{100 * worst.recall:.1f} %" in sentence
    widest = max(
        (cell for cell in shown_cells(run) if cell.case.level > 0),
        key=lambda cell: cell.gap or 0,
    )
    assert f"under patches at level {widest.case.level:g} is " in sentence
    assert f"{100 * (widest.gap or 0):.1f} points below the best" in sentence
    assert sentence.endswith("too small to be judged: rare of sex")
    summary = " ".join(text_of(run).split())
    assert summary.count("groups: ") == 1
    assert f"groups: {sentence}" in summary
    # With -v every group of every cell and direction.
    assert text_of(run, 1).count("(80 queries") == 0
    assert text_of(run, 1).count("80 queries, 80 patients") == 3 * 3 * 2


def test_a_run_without_strata_shows_none(tmp_path: Path) -> None:
    plain = record(tmp_path, 60)
    assert "groups:" not in text_of(plain, 1)
    assert "By group" not in render_markdown(plain)
    assert page_of(plain).groups is None
    assert 'id="groups"' not in render_html(plain)


def test_the_page_draws_each_group_over_the_levels(run: RunRecord) -> None:
    part = page_of(run).groups
    assert part is not None
    # Two directions and two strata of one model and occluder.
    assert len(part.figures) == 4
    view = next(figure for figure in part.figures if "by view" in figure.title)
    assert [words.name for words in view.words] == ["<b>PA</b>", "AP", "lateral|x"]
    assert view.panels[0].count('class="trace') == 3
    assert view.panels[0].count('class="band"') == 3
    small = next(figure for figure in part.figures if "by sex" in figure.title)
    assert [words.name for words in small.words] == ["F", "M"]
    assert "Too small to be judged: rare 7." in small.note
    # 3 levels, 2 directions, 3 groups of 2 strata.
    assert len(part.rows) == 3 * 2 * 6


def test_names_of_groups_are_escaped(run: RunRecord) -> None:
    page = render_html(run)
    assert "<b>PA</b>" not in page
    assert "&lt;b&gt;PA&lt;/b&gt;" in page
    markdown = render_markdown(run)
    assert "<b>PA" not in markdown
    [section] = re.findall(r"### By group\n(.*?)\n### ", markdown, re.DOTALL)
    rows = [line for line in section.splitlines() if line.startswith("| `ours`")]
    assert len(rows) == 3 * 6
    # A bar in a name makes no further cell.
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {14}


def test_the_table_for_files_has_every_number(run: RunRecord) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([GROUP_COLUMNS, *group_csv(run.groups)])
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert len(rows) == sum(len(cell.groups) for cell in run.groups)
    first = run.groups[0].groups[0]
    assert float(rows[0]["recall"]) == first.recall
    assert float(rows[0]["difference"]) == first.difference
    rare = [row for row in rows if row["group"] == "rare"]
    assert {row["recall"] for row in rare} == {""}
    assert {row["queries"] for row in rare} == {"7"}


def test_compare_shows_what_each_group_lost(tmp_path: Path) -> None:
    for name, shift in (("a", 0), ("b", 30)):
        made = make_run(tmp_path / f"{name}-store", 240, shift=shift, strata=STRATA)
        made.save(tmp_path / name)
    _, lines = compare(tmp_path / "a", tmp_path / "b", None, verbose=True)
    start = next(number for number, line in enumerate(lines) if "by group" in line)
    named = [line for line in lines[start + 1 :] if " of view (" in line]
    # 3 levels, 2 directions, 3 groups.
    assert len(named) == 3 * 2 * 3
    changes = [
        float(line.split()[1]) for line in lines[start + 1 :] if line.startswith("    ")
    ]
    assert changes == sorted(changes)
    assert changes[0] < -10
    _, short = compare(tmp_path / "a", tmp_path / "b", None, verbose=False)
    assert any("more groups (`-v` shows them all)" in line for line in short) == (
        len(changes) // 2 > 20
    )
