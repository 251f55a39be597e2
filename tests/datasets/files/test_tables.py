"""Tables as they lie on disks, well formed and not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.core.files import TooLargeError
from pytest_retrieval_robust.datasets._files.streams import open_text
from pytest_retrieval_robust.datasets._files.tables import columns_of, read_columns

ROWS = [("a.png", 'A "large" effusion,\nleft.'), ("b.png", "Größe normal.")]


def write(folder: Path, kind: str) -> Path:
    file = folder / f"table.{kind}"
    if kind.startswith("parquet"):
        columns = {
            "image": [row[0] for row in ROWS],
            "report": [row[1] for row in ROWS],
        }
        pyarrow.parquet.write_table(pyarrow.table(columns), file)
        return file
    text = io.StringIO()
    if kind.startswith("jsonl"):
        text.writelines(
            json.dumps({"image": image, "report": report}) + "\n"
            for image, report in ROWS
        )
    else:
        csv.writer(text, delimiter="\t" if kind.startswith("tsv") else ",").writerows(
            [("image", "report"), *ROWS]
        )
    content = text.getvalue().encode()
    file.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
    return file


@pytest.mark.parametrize(
    "kind", ["csv", "tsv", "csv.gz", "tsv.gz", "jsonl", "jsonl.gz", "parquet"]
)
def test_every_kind_says_the_same(tmp_path: Path, kind: str) -> None:
    file = write(tmp_path, kind)
    expected = [
        (number, [report, image, ""]) for number, (image, report) in enumerate(ROWS, 1)
    ]
    assert list(read_columns(file, ["report", "image"], ["patient"])) == expected
    assert columns_of(file) == ["image", "report"]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_byte_order_marks_line_ends_and_blank_lines(
    tmp_path: Path, start: bytes, end: bytes
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(
        start + end.join([b"image,report", b"a.png,x", b"", b'b.png,"y, z"', b""])
    )
    assert list(read_columns(file, ["image", "report"])) == [
        (1, ["a.png", "x"]),
        (2, ["b.png", "y, z"]),
    ]


SECRET = "Mr Smith has a nodule"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.csv",
            b"image,text\n",
            (
                "Expected a column 'report' in its table, got 2 columns without it."
                " Give the name"
            ),
        ),
        (
            "a.csv",
            b"image,report\na,x\nb\n",
            "Expected 2 fields, got fields=1 in row 2 of its table",
        ),
        (
            "a.csv",
            f"image,report\na,x\nb,{SECRET},c\n".encode(),
            "got fields=3 in row 2",
        ),
        ("a.csv", f'image,report\na,"{SECRET}\n'.encode(), "after row 0 of its table"),
        (
            "a.csv",
            b"image,report\na,gr\xf6sse\n",
            "Expected UTF-8, got another encoding after row 0 of its table",
        ),
        ("a.csv", b"image,report,report\na,b,c\n", "'report' twice"),
        ("a.csv", b"", "got 0 columns without it"),
        (
            "a.csv.gz",
            gzip.compress(b"image,report\na,x\n" * 9, mtime=0)[:-12],
            "a file that ends too early",
        ),
        ("a.csv.gz", b"image,report\n", "BadGzipFile"),
        (
            "a.jsonl",
            f'{{"image": "a", "report": "{SECRET}\n'.encode(),
            "JSONDecodeError after row 0 of its table",
        ),
        (
            "a.jsonl",
            b'{"image": "a", "report": "x"}\n[1]\n',
            "another value in row 2 of its table",
        ),
        ("a.jsonl", b"[" * 100_000, "RecursionError after row 0 of its table"),
        (
            "a.jsonl",
            b'{"image": "a"}\n',
            "Expected a column 'report' in row 1 of its table",
        ),
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


_TEXT = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=20
)


@given(rows=st.lists(st.tuples(_TEXT, _TEXT), max_size=8))
def test_what_was_written_is_read(
    rows: list[tuple[str, str]], tmp_path_factory: Any
) -> None:
    file = tmp_path_factory.mktemp("table") / "a.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("image", "report"), *rows])
    assert [
        tuple(values) for _, values in read_columns(file, ["image", "report"])
    ] == rows


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"image": "a", "report": "x\\ud800y"}\n')
    assert list(read_columns(tmp_path / "a.jsonl", ["report"])) == [(1, ["x?y"])]


@pytest.mark.parametrize(
    "content",
    [
        "image;report\na.png;Clear, normal.\nb.png;x\n",
        "image\treport\na.png\tClear, normal.\nb.png\tx\n",
        "image|report\na.png|Clear, normal.\nb.png|x\n",
        'image, report\na.png, "Clear, normal."\nb.png, x\n',
        'sep=;\nimage;report\na.png;"Clear, normal."\nb.png;x\n',
        'sep=,\r\nimage,report\r\na.png,"Clear, normal."\r\nb.png,x\r\n',
        '"sep=;"\nimage;report\na.png;Clear, normal.\nb.png;x\n',
        '\n image ,report \na.png,"Clear, normal."\nb.png,x\n',
    ],
    ids=[
        "semicolons",
        "tabs",
        "bars",
        "spaces",
        "sep-semicolon",
        "sep-comma",
        "sep-quoted",
        "spaced-header",
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content.encode())
    assert list(read_columns(file, ["image", "report"])) == [
        (1, ["a.png", "Clear, normal."]),
        (2, ["b.png", "x"]),
    ]
    assert columns_of(file) == ["image", "report"]


def test_a_header_over_several_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b'image,"the\nreport"\na.png,x\n')
    assert list(read_columns(file, ["the\nreport"])) == [(1, ["x"])]


def test_a_table_without_a_header_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("images/doe.png,Mr Doe report\nimages/b.png,x\n")
    with pytest.raises(DatasetError, match="got 2 columns without it") as caught:
        list(read_columns(tmp_path / "a.csv", ["image", "report"]))
    assert "oe" not in str(caught.value).replace("does", "")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.parquet"])
def test_a_fifo_in_place_of_a_table(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(
        DatasetError, match="as a file, got a FIFO where a file is expected"
    ):
        list(read_columns(tmp_path / name, ["image"]))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_device_in_place_of_a_table(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match="got a device where a file is expected"):
        list(read_columns(tmp_path / name, ["image"]))


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("a.csv.gz", b"image,report\na.png,", b"\n"),
        ("a.csv.gz", b"image,report\n" + b"a.png,x\n", b""),
        ("a.jsonl.gz", b'{"image": "a", "report": "', b'"}\n'),
    ],
)
def test_a_packed_table_that_expands_without_end(
    tmp_path: Path, name: str, start: bytes, end: bytes
) -> None:
    """40 MB of blanks in 40 kB: one line, or the last one."""
    (tmp_path / name).write_bytes(gzip.compress(start + b" " * 40_000_000 + end, 1))
    with pytest.raises(DatasetError, match="a line that goes on after its limit"):
        list(read_columns(tmp_path / name, ["image", "report"]))


def test_a_packed_table_of_many_lines_ends_at_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(b"image,report\n" + b"a.png,x\n" * 100_000))
    with open_text(file, limit=100_000) as stream, pytest.raises(TooLargeError):
        for _ in stream:
            pass
    with open_text(file, limit=1_000_000) as stream:
        assert sum(1 for _ in stream) == 100_001


def test_a_number_of_5000_digits(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"image": "a", "report": "x"}\n{"image": ' + "9" * 5000 + "}\n"
    )
    with pytest.raises(
        DatasetError,
        match="Expected a whole table, got ValueError after row 1 of its table",
    ):
        list(read_columns(tmp_path / "a.jsonl", ["image"]))


KINDS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")


@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_damaged_tables_are_read_or_refused(
    data: st.DataObject, kind: str, tmp_path_factory: Any
) -> None:
    file = write(tmp_path_factory.mktemp("damaged"), kind)
    content = bytearray(file.read_bytes())
    cut = data.draw(st.integers(0, len(content)))
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[position] = data.draw(st.integers(0, 255))
    file.write_bytes(bytes(content[:cut]))
    problem = None
    try:
        list(read_columns(file, ["image", "report"]))
    except DatasetError as error:
        problem = error
    if problem is not None:
        assert problem.__cause__ is None
        assert problem.__context__ is None
        assert "effusion" not in str(problem)
