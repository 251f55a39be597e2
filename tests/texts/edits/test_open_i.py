"""The rules on the real reports of Open-i, which torchxrayvision brings along."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from pytest_retrieval_robust.datasets.open_i.report_xml import read_reports
from pytest_retrieval_robust.texts.edits.document import read_document
from pytest_retrieval_robust.texts.edits.rules import RuleEdits, edited_by_rules

PAGE = Path(__file__).parents[3] / "docs" / "counterfactuals-rules.md"


@pytest.fixture(scope="module")
def reports() -> list[str]:
    """Findings and impression of all reports, as the data set has them."""
    library = importlib.util.find_spec("torchxrayvision")
    if library is None or library.origin is None:
        pytest.skip("torchxrayvision, which holds the reports, is not installed")
    archive = Path(library.origin).parent / "data" / "NLMCXR_reports.tgz"
    if not archive.is_file():
        pytest.skip("this torchxrayvision holds no reports")
    sections = [report.sections for report in read_reports(archive, "open-i")]
    return [
        " ".join(part for part in (each.findings, each.impression) if part)
        for each in sections
    ]


@pytest.fixture(scope="module")
def edited(reports: list[str]) -> RuleEdits:
    return edited_by_rules(reports)


def rows_of_the_page() -> dict[str, tuple[int, ...]]:
    """First cell -> numbers, of the tables of the page that hold whole numbers alone."""
    rows = re.findall(r"^\| ([a-z ]+) \|((?: [\d,]+ \|)+)$", PAGE.read_text(), re.M)
    return {
        name: tuple(int(cell.replace(",", "")) for cell in cells.strip(" |").split("|"))
        for name, cells in rows
    }


def test_the_page_has_the_coverage_that_is_measured(edited: RuleEdits) -> None:
    coverage = edited.coverage
    measured: dict[str, tuple[int, ...]] = {
        kind: (coverage.edited_by_kind[kind], count)
        for kind, count in coverage.edits.items()
    }
    measured["any"] = (coverage.edited, len(edited.edits))
    measured |= {reason: (count,) for reason, count in coverage.left_alone.items()}
    assert rows_of_the_page() == measured


def test_the_page_has_the_counts_of_actions(edited: RuleEdits) -> None:
    def count(action: str, kind: str) -> str:
        edits = [e for e in edited.edits if (e.action, e.kind) == (action, kind)]
        return f"{len(edits):,}"

    without = {e.report for e in edited.edits if e.action != "inserted"}
    sentence = (
        f"{count('removed', 'negation')} of the negations are removed and"
        f" {count('added', 'negation')} added; {count('inserted', 'device')} devices are"
        f" inserted, {count('removed', 'device')} removed and {count('moved', 'device')}"
        f" moved. Without the inserted devices {len(without):,} reports are edited."
    )
    assert sentence in " ".join(PAGE.read_text().split())


def test_every_report_is_edited_or_counted(edited: RuleEdits) -> None:
    coverage = edited.coverage
    counted = coverage.edited + sum(coverage.left_alone.values())
    assert counted == coverage.reports == 3955


def test_an_edit_changes_few_sentences(reports: list[str], edited: RuleEdits) -> None:
    """The finding may stand in findings and impression, beside general statements."""
    for edit in edited.edits[::21]:
        before = {s.text for s in read_document(reports[edit.report]).sentences}
        after = {s.text for s in read_document(edit.text).sentences}
        assert len(before - after) <= 5
        assert after - before


def test_an_asserted_finding_is_denied_nowhere_else(edited: RuleEdits) -> None:
    for edit in edited.edits:
        text = edit.text.lower()
        if "there is a pneumothorax" in text and edit.action == "removed":
            assert not re.search(r"no (?:\w+ ){0,2}pneumothora", text)


def test_a_swapped_side_leaves_no_word_of_the_old_side(
    reports: list[str], edited: RuleEdits
) -> None:
    def sides_of(text: str) -> set[str]:
        return {*re.findall(r"\b(?:left|right)\b", text.lower())}

    swapped = [edit for edit in edited.edits if edit.kind == "side"]
    assert swapped
    for edit in swapped:
        before, after = sides_of(reports[edit.report]), sides_of(edit.text)
        assert len(before) == len(after) == 1
        assert before != after
