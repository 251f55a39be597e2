"""Tables as they lie on disks: CSV and TSV (also .gz), JSON Lines, Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...core.errors import DatasetError
from .._pixels.damage import attempted, guarded
from .delimited import delimited_rows, read_header
from .parquet import parquet_columns, parquet_rows
from .streams import lines_of, open_text
from .table_progress import TableColumns, TableProgress, TableRows, missing_column
from .values import as_text

ITS_TABLE = "its table"
_KINDS = {
    "csv": "csv",
    "tsv": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
    "pq": "parquet",
}
"""Suffix -> kind of table."""
_DELIMITER_OF = {"csv": ",", "tsv": "\t"}


def read_columns(
    file: Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    title: str = ITS_TABLE,
) -> Iterator[tuple[int, list[str]]]:
    """(row number, values as text) of the required, then of the optional columns.

    "" for an optional column that is absent. The first row below the header is 1. Raises
    `DatasetError` as `read_rows` does, and for a value that is a list or an object.
    """
    columns = (*required, *optional)
    for number, values in read_rows(file, required, optional, title=title):
        where = f"row {number} of {title}"
        pairs = zip(columns, values, strict=True)
        yield number, [as_text(value, column, where) for column, value in pairs]


def read_rows(
    file: Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    title: str = ITS_TABLE,
) -> TableRows:
    """(row number, values as the file has them) of the required, then the optional columns.

    None for an optional column that is absent. UTF-8, with or without a byte order mark;
    LF or CRLF; quoting as RFC 4180; commas, or semicolons, tabs or bars if these give the
    columns that are required, or Excel's line `sep=` says so. `title` is what messages
    call the table.

    Raises `DatasetError` with the row for a missing column, a row of another length,
    another encoding or a damaged file.
    """
    columns = TableColumns(required, optional)
    kind = _kind(file, title)
    if kind == "parquet":
        yield from parquet_rows(file, columns, title)
        return
    # Errors come while rows are read: the progress says after which one.
    progress = TableProgress(title)
    if kind == "jsonl":
        rows = _json_rows(file, columns, progress)
    else:
        rows = delimited_rows(file, columns, _DELIMITER_OF[kind], progress)
    yield from guarded(rows, progress.problem)


def columns_of(file: Path, title: str = ITS_TABLE) -> list[str]:
    """The table's columns; of JSON Lines those of its first row."""
    kind = _kind(file, title)
    if kind == "parquet":
        return parquet_columns(file, title)

    def read() -> list[str]:
        with open_text(file) as stream:
            lines = lines_of(stream)
            if kind == "jsonl":
                first = json.loads(next(lines, "{}"))
                return list(first) if isinstance(first, dict) else []
            return read_header(lines, _DELIMITER_OF[kind], required=()).names

    return attempted(read, TableProgress(title).problem)


def first_column(file: Path, title: str) -> Iterator[str]:
    """The values of a table's first column."""
    names = columns_of(file, title)[:1]
    return (values[0] for _, values in read_columns(file, names, title=title))


def _kind(file: Path, title: str) -> str:
    suffix = file.name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix in _KINDS:
        return _KINDS[suffix]
    # A file without a suffix ends with its name, which may be a patient's.
    is_suffix = suffix.isalnum() and len(suffix) <= 5
    got = f".{suffix}" if is_suffix else "another kind of file"
    raise DatasetError(
        f"Expected {title} as .csv, .tsv, .jsonl or .parquet (the first three also"
        f" .gz), got {got}. Convert it, or rename it."
    )


def _json_rows(file: Path, columns: TableColumns, progress: TableProgress) -> TableRows:
    with open_text(file) as stream:
        for line in lines_of(stream):
            if not line.strip():
                continue
            values = json.loads(line)
            progress.row += 1
            if not isinstance(values, dict):
                raise DatasetError(
                    f"Expected an object, got another value in {progress.shown_row}."
                    " Fix it."
                )
            for column in columns.required:
                if column not in values:
                    raise missing_column(column, list(values), progress.shown_row)
            yield progress.row, [values.get(column) for column in columns.all]
