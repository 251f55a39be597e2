"""Tables as they lie on disks: CSV and TSV (also .gz), JSON Lines, Parquet. Every row
with all its columns.
"""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError
from ...core.files import NotRegularError, TooLargeError, require_regular
from .damage import attempted, guarded, kind_of
from .streams import MOST_EXPANDED, lines_of, open_text
from .values import as_text

_MOST_FIELD = 10_000_000
"""Characters of one field: a quote that is never closed would otherwise take the rest
of the file into one.
"""
_DELIMITERS = (",", ";", "\t", "|")
_NAME = re.compile(r"[A-Za-z_][\w /-]{0,60}")
"""What may be a column's name: the first row of a table without a header is data, which
is not to be shown.
"""
ITS_TABLE = "its table"

Columns = tuple[int, list[Any]]


def read_columns(
    file: Path,
    wanted: Sequence[str],
    optional: Sequence[str] = (),
    *,
    shown: str = ITS_TABLE,
) -> Iterator[tuple[int, list[str]]]:
    """(row number, values as text) of the columns `wanted`, then of `optional` ones (""
    where there are none).

    The first row below the header is 1. Raises `DatasetError` naming the row, as
    `read_rows` does, and for a value that is a list or an object.
    """
    columns = (*wanted, *optional)
    for number, values in read_rows(file, wanted, optional, shown=shown):
        place = f"row {number} of {shown}"
        yield (
            number,
            [
                as_text(value, column, place)
                for column, value in zip(columns, values, strict=True)
            ],
        )


def read_rows(
    file: Path,
    wanted: Sequence[str],
    optional: Sequence[str] = (),
    *,
    shown: str = ITS_TABLE,
) -> Iterator[Columns]:
    """(row number, values as the file has them) of the columns `wanted`, then of
    `optional` ones (None without them).

    UTF-8, with or without a byte order mark; LF or CRLF; quoting as RFC 4180; commas,
    or semicolons, tabs or bars where these give the columns that are wanted, or Excel's
    line `sep=` says so. `shown` is what messages call the table.

    Raises `DatasetError` for a missing column, a row of another length, another
    encoding or a damaged file.
    """
    kind = _kind(file, shown)
    if kind == "parquet":
        yield from _parquet(file, wanted, optional, shown)
        return
    progress = _Progress(shown)
    if kind == "jsonl":
        columns = _json_lines(file, wanted, optional, progress)
    else:
        separator = "\t" if kind == "tsv" else ","
        columns = _delimited(file, wanted, optional, separator, progress)
    yield from guarded(columns, progress.problem)


def columns_of(file: Path, shown: str = ITS_TABLE) -> list[str]:
    """The table's columns; of JSON Lines those of its first row."""
    kind = _kind(file, shown)
    if kind == "parquet":
        return list(_parquet_file(file, shown).schema_arrow.names)
    progress = _Progress(shown)

    def read() -> list[str]:
        with open_text(file) as stream:
            lines = lines_of(stream)
            if kind == "jsonl":
                first = json.loads(next(lines, "{}"))
                return list(first) if isinstance(first, dict) else []
            return _header(lines, "\t" if kind == "tsv" else ",", ()).names

    return attempted(read, progress.problem)


def first_column(file: Path, shown: str) -> Iterator[str]:
    """The values of a table's first column."""
    names = columns_of(file, shown)[:1]
    return (values[0] for _, values in read_columns(file, names, shown=shown))


def _kind(file: Path, shown: str) -> str:
    name = file.name.lower().removesuffix(".gz")
    kinds = {
        "csv": "csv",
        "tsv": "tsv",
        "jsonl": "jsonl",
        "ndjson": "jsonl",
        "parquet": "parquet",
        "pq": "parquet",
    }
    suffix = name.rpartition(".")[2]
    if suffix not in kinds:
        raise DatasetError(
            f"Expected {shown} as .csv, .tsv, .jsonl or .parquet (the first three also"
            f" .gz), got {_shown_suffix(suffix)}. Convert it, or rename it."
        )
    return kinds[suffix]


def _shown_suffix(suffix: str) -> str:
    return (
        f".{suffix}"
        if suffix.isalnum() and len(suffix) <= 5
        else "another kind of file"
    )


@dataclass
class _Progress:
    """How far a table was read, for messages that repeat none of it."""

    shown: str
    row: int = 0

    def problem(self, error: BaseException) -> DatasetError:
        after = f"after row {self.row} of {self.shown}"
        if isinstance(error, UnicodeDecodeError):
            return DatasetError(
                f"Expected UTF-8, got another encoding {after}. Convert it (iconv -t"
                " UTF-8)."
            )
        if isinstance(error, NotRegularError):
            return DatasetError(
                f"Expected {self.shown} as a file, got {error}. Copy it to a file."
            )
        if isinstance(error, TooLargeError):
            return DatasetError(
                f"Expected a table of lines of at most {_MOST_FIELD} characters, and at"
                f" most {MOST_EXPANDED >> 30} GiB where it is packed, got {error}"
                f" {after}. Split it."
            )
        if isinstance(error, csv.Error):
            return DatasetError(
                f"Expected a table quoted as RFC 4180 says, got other quoting {after}."
                " Write a quote inside a quoted field twice, close every quote, and"
                " keep fields below 10 million characters."
            )
        if isinstance(error, EOFError):
            return DatasetError(
                f"Expected a whole table, got a file that ends too early {after}. Copy"
                " it again."
            )
        return DatasetError(
            f"Expected a whole table, got {kind_of(error)} {after}. Fix that row, or"
            " copy it again."
        )


@dataclass(frozen=True)
class _Header:
    names: list[str]
    delimiter: str
    has_spaces: bool
    """Whether a space follows each delimiter, which is then no part of a field."""


def _header(lines: Iterator[str], delimiter: str, wanted: Sequence[str]) -> _Header:
    """The columns' names, and how fields are delimited: as the kind of file says,
    unless the header says otherwise.
    """
    line = next(lines, "")
    said = re.fullmatch(r'"?sep=(.)"?\s*', line)  # Excel's own line
    if said is not None:
        delimiter = said[1]
        line = next(lines, "")
    while line and not line.strip():
        line = next(lines, "")
    # A name in quotes may go on in the next line.
    while line.count('"') % 2 and (following := next(lines, "")):
        line += following
    candidates = (
        [delimiter]
        if said is not None
        else [delimiter, *(other for other in _DELIMITERS if other != delimiter)]
    )
    headers = [_split(line, candidate) for candidate in candidates]
    if not wanted and len(headers[0].names) < 2:
        return max(headers, key=lambda header: len(header.names))
    return next(
        (header for header in headers if wanted and set(wanted) <= set(header.names)),
        headers[0],
    )


def _split(line: str, delimiter: str) -> _Header:
    lines = line.splitlines(keepends=True)
    plain = next(csv.reader(lines, delimiter=delimiter), [])
    has_spaces = any(name.startswith(" ") for name in plain[1:])
    names = next(
        csv.reader(lines, delimiter=delimiter, skipinitialspace=has_spaces), []
    )
    return _Header([name.strip() for name in names], delimiter, has_spaces)


def _delimited(
    file: Path,
    wanted: Sequence[str],
    optional: Sequence[str],
    delimiter: str,
    progress: _Progress,
) -> Iterator[Columns]:
    csv.field_size_limit(_MOST_FIELD)
    with open_text(file) as stream:
        lines = lines_of(stream)
        header = _header(lines, delimiter, wanted)
        places = _places(header.names, wanted, optional, progress.shown)
        reader = csv.reader(
            lines,
            delimiter=header.delimiter,
            strict=True,
            skipinitialspace=header.has_spaces,
        )
        for values in reader:
            if not values:
                continue  # a blank line
            progress.row += 1
            if len(values) != len(header.names):
                raise DatasetError(
                    f"Expected {len(header.names)} fields, got fields={len(values)} in"
                    f" row {progress.row} of {progress.shown}. Fix its quoting."
                )
            yield (
                progress.row,
                [None if place is None else values[place] for place in places],
            )


def _places(
    names: Sequence[str], wanted: Sequence[str], optional: Sequence[str], shown: str
) -> list[int | None]:
    missing = next((column for column in wanted if column not in names), None)
    if missing is not None:
        raise _missing_column(missing, names, shown)
    repeated = next(
        (column for column in (*wanted, *optional) if list(names).count(column) > 1),
        None,
    )
    if repeated is not None:
        raise DatasetError(
            f"Expected column names once each, got {repeated!r} twice in {shown}."
            " Rename one."
        )
    return [
        names.index(column) if column in names else None
        for column in (*wanted, *optional)
    ]


def _missing_column(column: str, names: Sequence[str], shown: str) -> DatasetError:
    """Names of columns are shown where they are close to what was asked for: the first
    line may be no header.
    """
    close = difflib.get_close_matches(
        column, [name for name in names if _NAME.fullmatch(name)], n=3, cutoff=0.6
    )
    if close:
        hint = f"Did you mean {' or '.join(map(repr, close))}?"
    else:
        hint = (
            "Give the name of its column, and check that the first line holds the"
            " columns' names, divided by commas."
        )
    return DatasetError(
        f"Expected a column {column!r} in {shown}, got {len(names)} columns without it."
        f" {hint}"
    )


def _json_lines(
    file: Path, wanted: Sequence[str], optional: Sequence[str], progress: _Progress
) -> Iterator[Columns]:
    with open_text(file) as stream:
        for line in lines_of(stream):
            if not line.strip():
                continue
            values = json.loads(line)
            progress.row += 1
            if not isinstance(values, dict):
                raise DatasetError(
                    f"Expected an object, got another value in row {progress.row} of"
                    f" {progress.shown}. Fix it."
                )
            absent = next((column for column in wanted if column not in values), None)
            if absent is not None:
                raise _missing_column(
                    absent, list(values), f"row {progress.row} of {progress.shown}"
                )
            yield progress.row, [values.get(column) for column in (*wanted, *optional)]


def _parquet(
    file: Path, wanted: Sequence[str], optional: Sequence[str], shown: str
) -> Iterator[Columns]:
    table = _parquet_file(file, shown)
    names = list(table.schema_arrow.names)
    for column in wanted:
        if column not in names:
            raise DatasetError(str(unknown_name(f"column of {shown}", column, names)))
    _places(names, wanted, optional, shown)
    columns = [
        column for column in dict.fromkeys((*wanted, *optional)) if column in names
    ]
    progress = _Progress(shown)

    def read() -> Iterator[Columns]:
        for batch in table.iter_batches(batch_size=1024, columns=columns):
            if batch.nbytes > 1024 * _MOST_FIELD:
                raise TooLargeError("rows that go on after their limit")
            for values in batch.to_pylist():
                progress.row += 1
                yield (
                    progress.row,
                    [values.get(column) for column in (*wanted, *optional)],
                )

    yield from guarded(read(), progress.problem)


def _parquet_file(file: Path, shown: str) -> Any:
    def opened() -> Any:
        import pyarrow  # noqa: F401 - says whether it is there at all
        from pyarrow.parquet import ParquetFile

        require_regular(file)
        return ParquetFile(file)

    def problem(error: BaseException) -> DatasetError:
        if isinstance(error, ImportError):
            return DatasetError(
                f"Expected pyarrow to read {shown}, got no such package. Run `pip"
                " install pytest-retrieval-robust[parquet]`."
            )
        if isinstance(error, NotRegularError):
            return DatasetError(
                f"Expected {shown} as a file, got {error}. Copy it to a file."
            )
        return DatasetError(
            f"Expected a whole Parquet file as {shown}, got {kind_of(error)} when it"
            " was opened. Copy it again."
        )

    return attempted(opened, problem)
