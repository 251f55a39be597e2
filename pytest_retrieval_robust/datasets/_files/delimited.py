"""CSV and TSV: quoting as RFC 4180, and the delimiters that spreadsheets write."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import DatasetError
from .streams import lines_of, open_text
from .table_progress import MOST_FIELD, TableColumns, TableProgress, TableRows

_DELIMITERS = (",", ";", "\t", "|")
_EXCEL_LINE = re.compile(r'"?sep=(.)"?\s*')
"""The line by which Excel says what the delimiter is."""


@dataclass(frozen=True)
class Header:
    """The columns of a table, and how its fields are divided."""

    names: list[str]
    delimiter: str
    has_spaces: bool
    """Whether a space follows each delimiter, which is then no part of a field."""


def delimited_rows(
    file: Path, columns: TableColumns, delimiter: str, progress: TableProgress
) -> TableRows:
    """The rows of a CSV or TSV file; None for optional columns that are absent."""
    csv.field_size_limit(MOST_FIELD)
    with open_text(file) as stream:
        lines = lines_of(stream)
        header = read_header(lines, delimiter, columns.required)
        positions = columns.positions(header.names, progress.title)
        reader = csv.reader(
            lines,
            delimiter=header.delimiter,
            strict=True,
            skipinitialspace=header.has_spaces,
        )
        for fields in reader:
            if not fields:  # a blank line
                continue
            progress.row += 1
            if len(fields) != len(header.names):
                raise DatasetError(
                    f"Expected {len(header.names)} fields, got fields={len(fields)} in"
                    f" {progress.shown_row}. Fix its quoting."
                )
            values = [
                None if column is None else fields[column] for column in positions
            ]
            yield progress.row, values


def read_header(
    lines: Iterator[str], delimiter: str, required: Sequence[str]
) -> Header:
    """The columns' names, and how fields are divided.

    By `delimiter`, the one of this kind of file, unless the header says otherwise: it is
    the delimiter that gives the columns that are required.
    """
    line = next(lines, "")
    excel = _EXCEL_LINE.fullmatch(line)
    if excel is not None:
        line = next(lines, "")
    while line and not line.strip():
        line = next(lines, "")
    # A name in quotes may go on in the next line.
    while line.count('"') % 2 and (following := next(lines, "")):
        line += following
    if excel is not None:
        return _split(line, excel[1])

    delimiters = dict.fromkeys((delimiter, *_DELIMITERS))
    headers = [_split(line, candidate) for candidate in delimiters]
    usual = headers[0]
    if required:
        fitting = (header for header in headers if set(required) <= set(header.names))
        return next(fitting, usual)
    if len(usual.names) < 2:
        return max(headers, key=lambda header: len(header.names))
    return usual


def _split(line: str, delimiter: str) -> Header:
    lines = line.splitlines(keepends=True)
    plain = next(csv.reader(lines, delimiter=delimiter), [])
    has_spaces = any(name.startswith(" ") for name in plain[1:])
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=has_spaces)
    names = next(reader, [])
    return Header([name.strip() for name in names], delimiter, has_spaces)
