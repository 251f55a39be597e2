"""Tables of pairs as they lie on disks: CSV and TSV, JSON Lines, CXR-Align's JSON."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from ...core.errors import DatasetError
from ...core.files import TooLargeError, open_regular, read_at_most
from ...core.foreign import attempted

_MOST_BYTES = 2 << 30
"""Of a table when it is unpacked; ReXErr-v1 has less than half of it."""
_MOST_FIELD = 10_000_000
_KINDS = {
    "csv": ",",
    "tsv": "\t",
    "jsonl": "lines",
    "ndjson": "lines",
    "json": "whole",
}
"""Suffix -> delimiter, or how the JSON is laid out."""

Row = Mapping[str, Any]


def rows_of(path: Path) -> Iterator[tuple[int, Row]]:
    """(row number from 1, values by column) of a table, in UTF-8, also packed by gzip.

    Raises:
        DatasetError: The file is missing, damaged, of another kind or encoding, or one of its
            rows has another number of fields. The message has the row's number and no value.
    """
    kind = _kind(path)
    content = attempted(lambda: _content(path), _unreadable)
    stream = io.StringIO(content, newline="")
    if kind == "whole":
        yield from _cxr_align(attempted(lambda: json.loads(content), _unreadable))
        return
    read = _json_rows(stream) if kind == "lines" else _delimited(stream, kind)
    following = partial(_first_of, read)
    number = 0
    while True:
        part = attempted(following, partial(_bad_row, number=number + 1))
        if not part:
            return
        number += 1
        yield number, part[0]


def _first_of(rows: Iterator[Row]) -> list[Row]:
    """The next row, in a list that is empty at the end."""
    return list(islice(rows, 1))


def _kind(path: Path) -> str:
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix not in _KINDS:
        raise DatasetError(
            "Expected a table of edits as .csv, .tsv, .jsonl or CXR-Align's .json (also"
            " .gz), got another kind of file. Convert it, or rename it."
        )
    return _KINDS[suffix]


def _content(path: Path) -> str:
    stream: BinaryIO = open_regular(path)
    with stream:
        if path.name.lower().endswith(".gz"):
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=stream))
        return read_at_most(stream, _MOST_BYTES).decode("utf-8-sig")


def _delimited(stream: io.StringIO, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_MOST_FIELD)
    rows = csv.reader(stream, delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(rows, [])]
    for fields in rows:
        if not fields:  # a blank line
            continue
        if len(fields) != len(header):
            raise ValueError(f"{len(fields)} fields under {len(header)} columns")
        yield dict(zip(header, fields, strict=True))


def _json_rows(stream: io.StringIO) -> Iterator[Row]:
    for line in stream:
        if not line.strip():
            continue
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError("no object")
        yield values


def _cxr_align(content: Any) -> Iterator[tuple[int, Row]]:
    """The entries of all parts: `{"mimic": {id: {"report", "negation", "omitted", ...}}}`."""
    parts = list(content.values()) if isinstance(content, dict) else []
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise DatasetError(
            "Expected the .json of CXR-Align, an object of objects by id, got another"
            " layout. Write your own pairs as .csv or .jsonl."
        )
    number = 0
    for part in parts:
        for name, entry in part.items():
            number += 1
            if not isinstance(entry, dict):
                raise DatasetError(
                    "Expected an object per entry of CXR-Align, got another value in"
                    f" row {number}. Fix it."
                )
            yield number, {"id": name, **entry}


def _unreadable(error: BaseException) -> DatasetError:
    return DatasetError(
        f"Expected a table of edits that can be read, in UTF-8, got {_said(error)}."
        " Look at the path, the rights and the encoding."
    )


def _bad_row(error: BaseException, number: int) -> DatasetError:
    return DatasetError(
        f"Expected a table of edits in its format, got {_said(error)} in row {number}."
        " Fix its quoting or leave it out."
    )


def _said(error: BaseException) -> str:
    """What may be said of a foreign error: its class, or a sentence of ours."""
    if isinstance(error, TooLargeError):
        return f"more than {_MOST_BYTES} bytes"
    is_ours = type(error) is ValueError
    return str(error) if is_ours else f"a {type(error).__name__}"
