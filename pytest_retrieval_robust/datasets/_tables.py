"""Tables as they lie on disks: CSV and TSV (also .gz), JSON Lines, Parquet. Every row with all its columns, as text."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..catalogue import unknown_name
from ..errors import DatasetError

_MOST_FIELD = 10_000_000
"""Characters of one field: a quote that is never closed would otherwise take the rest of the file into one."""


class Row(NamedTuple):
    """A row and its number; the first one below the header is 1."""

    number: int
    values: Sequence[str]


def read_columns(file: Path, wanted: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, list[str]]]:
    """(row number, values) of the columns `wanted`, then of `optional` ones ("" where the table has not got them).

    UTF-8, with or without a byte order mark; LF or CRLF; quoting as RFC 4180. Raises `DatasetError` naming the file and
    row for a missing column, a row of another length, another encoding or a damaged file.
    """
    kind = _kind(file)
    if kind == "parquet":
        yield from _parquet(file, wanted, optional)
    elif kind == "jsonl":
        yield from _json_lines(file, wanted, optional)
    else:
        yield from _delimited(file, wanted, optional, "\t" if kind == "tsv" else ",")


def columns_of(file: Path) -> list[str]:
    """The table's columns; of JSON Lines those of its first row."""
    kind = _kind(file)
    if kind == "parquet":
        return list(_parquet_file(file).schema_arrow.names)
    with _opened(file) as stream, _damage(file):
        if kind == "jsonl":
            return list(json.loads(next(stream, "{}")))
        return next(csv.reader(stream, delimiter="\t" if kind == "tsv" else ","), [])


def _kind(file: Path) -> str:
    name = file.name.lower().removesuffix(".gz")
    kinds = {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet", "pq": "parquet"}
    found = kinds.get(name.rpartition(".")[2])
    if found is None:
        raise DatasetError(
            f"Expected a table as .csv, .tsv, .jsonl or .parquet (the first three also .gz), got {file.name}. "
            "Convert it, or rename it."
        )
    return found


def _opened(file: Path) -> IO[str]:
    try:
        if file.suffix == ".gz":
            return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
        return file.open("r", encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DatasetError(
            f"Expected a readable table, got {type(error).__name__} for {file.name}. Copy it."
        ) from error


class _damage:
    """What goes wrong while a table is read, as `DatasetError` that names the row and repeats none of its text."""

    def __init__(self, file: Path) -> None:
        self.file, self.row = file, 0

    def __enter__(self) -> _damage:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        after = f"after row {self.row} of {self.file.name}"
        if isinstance(error, UnicodeDecodeError):
            raise DatasetError(f"Expected UTF-8, got another encoding {after}. Convert it (iconv -t UTF-8).") from None
        if isinstance(error, csv.Error | EOFError | gzip.BadGzipFile | json.JSONDecodeError | RecursionError):
            what = "a file that ends too early" if isinstance(error, EOFError) else type(error).__name__
            raise DatasetError(
                f"Expected a whole table, got {what} {after}. Mend that row, or copy it again."
            ) from None


def _delimited(
    file: Path, wanted: Sequence[str], optional: Sequence[str], delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(_MOST_FIELD)
    with _opened(file) as stream, _damage(file) as damage:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        header = next(reader, [])
        places = _places(file, header, wanted, optional)
        for values in reader:
            if not values:
                continue  # a blank line
            damage.row += 1
            if len(values) != len(header):
                raise DatasetError(
                    f"Expected {len(header)} fields, got fields={len(values)} in row {damage.row} of {file.name}. "
                    "Mend its quoting."
                )
            yield damage.row, ["" if place is None else values[place] for place in places]


def _places(file: Path, header: Sequence[str], wanted: Sequence[str], optional: Sequence[str]) -> list[int | None]:
    for column in wanted:
        if column not in header:
            raise DatasetError(str(unknown_name(f"column of {file.name}", column, header)))
    repeated = next((column for column in (*wanted, *optional) if list(header).count(column) > 1), None)
    if repeated is not None:
        raise DatasetError(f"Expected column names once each, got {repeated!r} twice in {file.name}. Rename one.")
    return [header.index(column) if column in header else None for column in (*wanted, *optional)]


def _json_lines(file: Path, wanted: Sequence[str], optional: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    with _opened(file) as stream, _damage(file) as damage:
        for line in stream:
            if not line.strip():
                continue
            values = json.loads(line)
            damage.row += 1
            if not isinstance(values, dict):
                raise DatasetError(
                    f"Expected an object, got another value in row {damage.row} of {file.name}. Mend it."
                )
            _places(file, list(values), wanted, ())
            yield damage.row, [_text(values.get(column)) for column in (*wanted, *optional)]


def _parquet(file: Path, wanted: Sequence[str], optional: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    table = _parquet_file(file)
    names = list(table.schema_arrow.names)
    _places(file, names, wanted, optional)
    columns = [column for column in dict.fromkeys((*wanted, *optional)) if column in names]
    number = 0
    for batch in table.iter_batches(batch_size=4096, columns=columns):
        for values in batch.to_pylist():
            number += 1
            yield number, [_text(values.get(column)) for column in (*wanted, *optional)]


def _parquet_file(file: Path) -> Any:
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DatasetError(
            f"Expected pyarrow to read {file.name}, got no such package. Run `pip install "
            "pytest-retrieval-robust[parquet]`."
        ) from error
    try:
        return ParquetFile(file)
    except (ArrowInvalid, OSError) as error:
        raise DatasetError(f"Expected a whole Parquet file, got {type(error).__name__} for {file.name}.") from error


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, list | tuple):
        return json.dumps(value)
    return str(value).encode("utf-8", "replace").decode()  # JSON may hold halves of surrogate pairs


def require_unique(ids: Iterable[tuple[int, str]], what: str, file: str) -> None:
    """`DatasetError` with the rows of the first id that is there twice."""
    seen: dict[str, int] = {}
    for row, one in ids:
        if one in seen:
            raise DatasetError(
                f"Expected each {what} once, got the one of row {seen[one]} again in row {row} of {file}. "
                "Leave one of them out."
            )
        seen[one] = row


def positive_labels(values: Mapping[str, str]) -> frozenset[str]:
    """The labels that a row marks positive (`1`, `1.0`); uncertain (-1), negative and blank ones are not."""
    return frozenset(name for name, value in values.items() if value in ("1", "1.0"))
