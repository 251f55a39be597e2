"""Tables as they lie on disks, well formed and not."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.datasets._tables import columns_of, read_columns
from pytest_retrieval_robust.errors import DatasetError

ROWS = [("a.png", 'A "large" effusion,\nleft.'), ("b.png", "Größe normal.")]


def write(folder: Path, kind: str) -> Path:
    file = folder / f"table.{kind}"
    if kind.startswith("parquet"):
        columns = {"image": [row[0] for row in ROWS], "report": [row[1] for row in ROWS]}
        pyarrow.parquet.write_table(pyarrow.table(columns), file)
        return file
    text = io.StringIO()
    if kind.startswith("jsonl"):
        text.writelines(json.dumps({"image": image, "report": report}) + "\n" for image, report in ROWS)
    else:
        csv.writer(text, delimiter="\t" if kind.startswith("tsv") else ",").writerows([("image", "report"), *ROWS])
    content = text.getvalue().encode()
    file.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
    return file


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "tsv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_kind_says_the_same(tmp_path: Path, kind: str) -> None:
    file = write(tmp_path, kind)
    expected = [(number, [report, image, ""]) for number, (image, report) in enumerate(ROWS, 1)]
    assert list(read_columns(file, ["report", "image"], ["patient"])) == expected
    assert columns_of(file) == ["image", "report"]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_byte_order_marks_line_ends_and_blank_lines(tmp_path: Path, start: bytes, end: bytes) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(start + end.join([b"image,report", b"a.png,x", b"", b'b.png,"y, z"', b""]))
    assert list(read_columns(file, ["image", "report"])) == [(1, ["a.png", "x"]), (2, ["b.png", "y, z"])]


SECRET = "Mr Smith has a nodule"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"image,text\n", "Expected a column 'report' in its table, got 2 columns without it. Give the name"),
        ("a.csv", b"image,report\na,x\nb\n", "Expected 2 fields, got fields=1 in row 2 of its table"),
        ("a.csv", f"image,report\na,x\nb,{SECRET},c\n".encode(), "got fields=3 in row 2"),
        ("a.csv", f'image,report\na,"{SECRET}\n'.encode(), "after row 0 of its table"),
        ("a.csv", b"image,report\na,gr\xf6sse\n", "Expected UTF-8, got another encoding after row 0 of its table"),
        ("a.csv", b"image,report,report\na,b,c\n", "'report' twice"),
        ("a.csv", b"", "got 0 columns without it"),
        ("a.csv.gz", gzip.compress(b"image,report\na,x\n" * 9, mtime=0)[:-12], "a file that ends too early"),
        ("a.csv.gz", b"image,report\n", "BadGzipFile"),
        ("a.jsonl", f'{{"image": "a", "report": "{SECRET}\n'.encode(), "JSONDecodeError after row 0 of its table"),
        ("a.jsonl", b'{"image": "a", "report": "x"}\n[1]\n', "another value in row 2 of its table"),
        ("a.jsonl", b"[" * 100_000, "RecursionError after row 0 of its table"),
        ("a.jsonl", b'{"image": "a"}\n', "Expected a column 'report' in row 1 of its table"),
        ("a.parquet", b"PAR1", "whole Parquet file"),
        ("a.xlsx", b"", "got .xlsx"),
    ],
)
def test_bad_tables(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=said) as caught:
        list(read_columns(tmp_path / name, ["image", "report"]))
    assert "Smith" not in str(caught.value)


def test_no_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    file = write(tmp_path, "parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DatasetError, match=r"robust\[parquet\]"):
        list(read_columns(file, ["image"]))


_TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=20)


@given(rows=st.lists(st.tuples(_TEXT, _TEXT), max_size=8))
def test_what_was_written_is_read(rows: list[tuple[str, str]], tmp_path_factory: Any) -> None:
    file = tmp_path_factory.mktemp("table") / "a.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("image", "report"), *rows])
    assert [tuple(values) for _, values in read_columns(file, ["image", "report"])] == rows


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"image": "a", "report": "x\\ud800y"}\n')
    assert list(read_columns(tmp_path / "a.jsonl", ["report"])) == [(1, ["x?y"])]
