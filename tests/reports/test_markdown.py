"""The Markdown report: its numbers, and names that stay names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.markdown.dialect import code, table, text
from pytest_retrieval_robust.reports.markdown.report import render_markdown

from .nasty_names import NASTY
from .records import nothing, record, renamed, whole_record

DIALECT = MarkdownIt("gfm-like", {"html": True, "linkify": False})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return whole_record(tmp_path_factory.mktemp("whole"))


def kinds(content: str) -> list[str]:
    """What the parts of a Markdown text are, whatever they say."""
    inner = [
        child.type for token in DIALECT.parse(content) for child in token.children or ()
    ]
    return [token.type for token in DIALECT.parse(content)] + [
        kind for kind in inner if kind != "text"
    ]


def test_the_verdict_and_its_reasons_come_first(run: RunRecord) -> None:
    lines = render_markdown(run).splitlines()
    assert lines[0] == "## ✕ Release gate failed: retrieval under occlusion"
    assert lines[2].startswith(f"Because {run.failures[0]}")


def test_changes_come_before_the_tables_and_the_greatest_loss_is_on_top(
    run: RunRecord,
) -> None:
    written = render_markdown(run)
    assert written.index("### Against the baseline") < written.index("### Recall@10")
    assert run.baseline is not None
    cells = [
        one
        for one in run.baseline.cells
        if one.k == 10 and one.direction == "image-to-report"
    ]
    worst = min(cells, key=lambda cell: cell.value)
    first = next(line for line in written.splitlines() if line.startswith("| ▼ lost"))
    assert f"| {100 * worst.value:+.1f} |" in first


def test_the_tables_hold_what_was_measured(run: RunRecord) -> None:
    written = render_markdown(run)
    curve = run.curves[0]
    row = next(
        line
        for line in written.splitlines()
        if line.startswith("| `ours` | ") and "(" in line
    )
    for recall in curve.recall(10).values():
        assert f" {100 * recall:.1f}" in row
    assert "✕" in written


def test_what_passes_says_so(tmp_path: Path) -> None:
    passing = record(tmp_path, gates="[[gate]]\nlevel = 0.2\nrecall = { 10 = 0.1 }\n")
    assert render_markdown(passing).startswith("## ✓ Release gate passed")


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_no_name_changes_what_the_parts_are(run: RunRecord, name: str) -> None:
    assert kinds(render_markdown(renamed(run, {"ours": name}))) == kinds(
        render_markdown(run)
    )


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_stays_text(words: str) -> None:
    assert kinds(f"- {text(f'x{words}')}") == kinds("- x")


@given(st.text(st.characters(exclude_categories=[])))
def test_any_name_in_a_table_is_one_code_and_one_cell(name: str) -> None:
    assert kinds(table(("a", "b"), [(code(name), "1")], 1)) == kinds(
        table(("a", "b"), [("`x`", "1")], 1)
    )


@pytest.mark.parametrize("name", ["a|b", "a||b|", "|", "a`b|c"])
def test_a_bar_in_a_name_is_shown_as_it_is_within_a_table_and_outside(
    name: str,
) -> None:
    for written in (code(name), table(("a",), [(code(name),)], 1)):
        inner = [
            child for token in DIALECT.parse(written) for child in token.children or ()
        ]
        assert [one.content.strip() for one in inner if one.type == "code_inline"] == [
            name
        ]


@pytest.mark.parametrize(
    "words",
    ["ask @someone", "see #12", "https://example.org", "www.example.org", "GH-7"],
)
def test_nobody_is_called_and_nothing_is_linked(words: str) -> None:
    assert "\u200b" in text(words)


def test_an_empty_run_is_readable(run: RunRecord) -> None:
    written = render_markdown(nothing(run))
    assert "Because nothing was measured." in written
    assert "### Recall" not in written
