"""A user's own table of pairs: its layouts, what matches, and messages that quote nothing."""

from __future__ import annotations

import csv
import gzip
import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import ArgumentError, DatasetError
from pytest_retrieval_robust.texts.edits.table import edits_of_table

REPORTS = (
    "FINDINGS: No pneumothorax. IMPRESSION: Mild edema.",
    "There is a small\nleft effusion.",
    "There is a small left effusion.",
    "Clear lungs.",
)
SECRET = "CANARY"


def written(
    path: Path, rows: Sequence[Mapping[str, Any]], delimiter: str = ","
) -> Path:
    """A table with a header, as its suffix says."""
    if ".jsonl" in path.name:
        text = "\n".join(json.dumps(row) for row in rows)
    else:
        lines: list[str] = []
        writer = csv.DictWriter(_Lines(lines), list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        text = "".join(lines)
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


class _Lines:
    """What `csv` writes to."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line)


PAIRS = [
    {"original": "Clear lungs.", "edited": "Right pneumonia.", "kind": "Finding"},
    {
        "original": "There is a  small left effusion.",
        "edited": "There is a small right effusion.",
        "kind": "side",
    },
    {"original": "Not there.", "edited": "Anything.", "kind": "side"},
    {"original": "Clear lungs.", "edited": "Clear  lungs.", "kind": "side"},
    {"original": "Clear lungs.", "edited": "Right  pneumonia.", "kind": "finding"},
]


@pytest.mark.parametrize(
    "name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz", "a.tsv"]
)
def test_pairs_belong_to_every_report_of_that_text(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, PAIRS, "\t" if "tsv" in name else ",")
    edited = edits_of_table(path, REPORTS)
    assert [(e.report, e.kind, e.action, e.text) for e in edited.edits] == [
        (1, "side", "changed", "There is a small right effusion."),
        (2, "side", "changed", "There is a small right effusion."),
        (3, "finding", "changed", "Right pneumonia."),
    ]
    assert (edited.source, edited.reports, edited.edited) == ("table", 4, 3)
    matching = edited.matching
    assert (matching.rows, matching.matched, matching.not_matched) == (5, 2, 1)
    assert (matching.unchanged, matching.repeated, matching.ambiguous) == (1, 1, 0)
    assert "pneumonia" not in repr(edited)


def test_a_section_is_replaced_within_the_report_of_its_id(tmp_path: Path) -> None:
    rows = [{"id": "s7", "original": "Mild edema.", "edited": "No edema."}]
    path = written(tmp_path / "pairs.csv", rows)
    ids = ("s7", "s8", "s9", "s10")
    (edit,) = edits_of_table(path, REPORTS, ids).edits
    assert edit.report == 0
    assert edit.kind == "edit"
    assert edit.text == "FINDINGS: No pneumothorax. IMPRESSION: No edema."
    with pytest.raises(DatasetError, match="not matched: 1"):
        edits_of_table(path, REPORTS)


def test_ids_of_studies_match_with_and_without_their_letter(tmp_path: Path) -> None:
    rows = [{"study_id": 50414267, "original": "Mild edema.", "edited": "No edema."}]
    path = written(tmp_path / "pairs.jsonl", rows)
    ids = ("s50414267", "s1", "s2", "s3")
    assert [edit.report for edit in edits_of_table(path, REPORTS, ids).edits] == [0]


def test_reports_of_rexerr_are_read(tmp_path: Path) -> None:
    row = {
        "dicom_id": "d",
        "study_id": "50",
        "subject_id": "10",
        "original_report": REPORTS[3],
        "error_report": "Opaque lungs.",
        "errors_sampled": "['Change Severity', 'Add Typo', 'False Negation']",
    }
    edited = edits_of_table(written(tmp_path / "r.csv", [row]), REPORTS)
    assert [(e.report, e.kind) for e in edited.edits] == [(3, "several-errors")]
    assert edited.matching.layout == "ReXErr-v1, reports"


def test_sentences_of_rexerr_are_put_into_their_reports(tmp_path: Path) -> None:
    def row(original: str, error: str, present: str, kind: str) -> dict[str, str]:
        return {
            "study_id": "50",
            "original_sentence": original,
            "error_sentence": error,
            "error_present": present,
            "error_type": kind,
        }

    rows = [
        row("No pneumothorax.", "Pneumothorax.", "1", "False Prediction"),
        row("Mild edema.", "Severe edema.", "1.0", "Change Severity"),
        row("IMPRESSION", "IMPRESSIONS", "2", ""),
        row("Mild edema.", "Mild edemas.", "0", ""),
    ]
    path = written(tmp_path / "s.csv", rows)
    edited = edits_of_table(path, REPORTS, ("50", "51", "52", "53"))
    assert [(e.kind, e.text) for e in edited.edits] == [
        ("false-prediction", "FINDINGS: Pneumothorax. IMPRESSION: Mild edema."),
        ("change-severity", "FINDINGS: No pneumothorax. IMPRESSION: Severe edema."),
    ]
    assert edited.matching.unchanged == 2


def test_a_sentence_that_stands_twice_is_ambiguous(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "original": "No edema.", "edited": "Edema.", "kind": "negation"}
    ]
    rows += [{"id": "b", "original": "Clear.", "edited": "Opaque.", "kind": "finding"}]
    path = written(tmp_path / "twice.csv", rows)
    edited = edits_of_table(path, ["No edema. No edema.", "Clear."], ["a", "b"])
    assert edited.matching.ambiguous == 1
    assert [edit.report for edit in edited.edits] == [1]


def test_cxr_align_is_read(tmp_path: Path) -> None:
    entry = {
        "report": REPORTS[3],
        "chosen": "opacity",
        "negation": "No opacity.",
        "omitted": "",
    }
    path = tmp_path / "cxr-align.json"
    path.write_text(json.dumps({"mimic": {"image-1": entry}}))
    edited = edits_of_table(path, REPORTS)
    assert [(e.report, e.kind, e.text) for e in edited.edits] == [
        (3, "negation", "No opacity.")
    ]
    assert edited.matching.layout == "CXR-Align"


def test_accents_are_compared_as_they_look(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Épanchement.")
    assert decomposed != "Épanchement."
    rows = [{"original": decomposed, "edited": "Rien."}]
    path = written(tmp_path / "nfd.jsonl", rows)
    assert len(edits_of_table(path, ["Épanchement."]).edits) == 1


BAD_TABLES = [
    ("a.csv", f"original,edited\n{SECRET},b\n{SECRET},\n", "an empty text in row 2"),
    ("a.csv", f"original,edited\n{SECRET},b\n{SECRET}\n", "1 fields .* in row 2"),
    ("a.csv", f'original,edited\n{SECRET},b\n"{SECRET},c', "in row 2"),
    ("a.csv", f"{SECRET},edited\na,b\n", "columns=2 without such a pair in row 1"),
    ("a.csv", f"original,edited,kind\n{SECRET},b, All\n", "kind='all' in row 1"),
    ("a.csv", "original,edited\n", "rows=0"),
    ("a.csv", "", "rows=0"),
    ("a.csv", f"original,edited\n{SECRET},b\n", "among rows=1 .not matched: 1"),
    ("a.jsonl", f'{{"original": "{SECRET}", "edited": 3}}', "a int in row 1"),
    ("a.jsonl", f'{{"original": "{SECRET}"', "JSONDecodeError in row 1"),
    ("a.jsonl", f'["{SECRET}"]', "no object in row 1"),
    ("a.json", f'["{SECRET}"]', "another layout"),
    ("a.json", f'{{"mimic": {{"{SECRET}": 3}}}}', "another value in row 1"),
    ("a.json", f'{{"{SECRET}', "JSONDecodeError"),
    ("a.xlsx", SECRET, "another kind of file"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_TABLES)
def test_a_bad_table_is_an_error_that_quotes_nothing(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    folder = tmp_path / SECRET
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(DatasetError, match=message) as raised:
        edits_of_table(folder / name, REPORTS)
    assert SECRET not in str(raised.value)
    assert raised.value.__context__ is None


def test_a_missing_or_latin_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="FileNotFoundError"):
        edits_of_table(tmp_path / "none.csv", REPORTS)
    (tmp_path / "latin.csv").write_bytes("original,edited\né,b".encode("latin-1"))
    with pytest.raises(DatasetError, match="UnicodeDecodeError"):
        edits_of_table(tmp_path / "latin.csv", REPORTS)
    (tmp_path / "damaged.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(DatasetError, match="BadGzipFile"):
        edits_of_table(tmp_path / "damaged.csv.gz", REPORTS)


def test_ids_are_as_many_as_reports(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="report_ids=1 for reports=4"):
        edits_of_table(tmp_path / "any.csv", REPORTS, ["a"])


words = st.text("abc ,\"'\n|", min_size=1).filter(str.strip)


@given(st.lists(words, min_size=1, unique_by=lambda text: " ".join(text.split())))
def test_every_pair_of_a_written_table_comes_back(
    tmp_path_factory: pytest.TempPathFactory, reports: list[str]
) -> None:
    rows = [{"original": text, "edited": f"{text}!", "kind": "x"} for text in reports]
    path = written(tmp_path_factory.mktemp("pairs") / "pairs.csv", rows)
    edited = edits_of_table(path, reports)
    assert [edit.report for edit in edited.edits] == list(range(len(reports)))
    assert [edit.text for edit in edited.edits] == [f"{t}!".strip() for t in reports]
