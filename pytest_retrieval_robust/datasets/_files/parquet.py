"""Parquet tables, by pyarrow: a batch of rows in memory at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError
from ...core.files import NotRegularError, TooLargeError, require_regular
from .._pixels.damage import attempted, guarded, kind_of
from .table_progress import MOST_FIELD, TableColumns, TableProgress, TableRows

_BATCH_ROWS = 1024


def parquet_rows(file: Path, columns: TableColumns, title: str) -> TableRows:
    """The rows of a Parquet file; None for optional columns that are absent."""
    table = _opened(file, title)
    names = list(table.schema_arrow.names)
    # The names of this file are surely names, unlike the first line of a CSV: show them.
    for column in columns.required:
        if column not in names:
            raise DatasetError(str(unknown_name(f"column of {title}", column, names)))
    columns.positions(names, title)
    progress = TableProgress(title)

    def read() -> TableRows:
        present = [name for name in dict.fromkeys(columns.all) if name in names]
        for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=present):
            if batch.nbytes > _BATCH_ROWS * MOST_FIELD:
                raise TooLargeError("rows that go on after their limit")
            for values in batch.to_pylist():
                progress.row += 1
                yield progress.row, [values.get(column) for column in columns.all]

    yield from guarded(read(), progress.problem)


def parquet_columns(file: Path, title: str) -> list[str]:
    return list(_opened(file, title).schema_arrow.names)


def _opened(file: Path, title: str) -> Any:
    def opened() -> Any:
        import pyarrow  # noqa: F401 - says whether it is there at all
        from pyarrow.parquet import ParquetFile

        require_regular(file)
        return ParquetFile(file)

    def problem(error: BaseException) -> DatasetError:
        if isinstance(error, ImportError):
            return DatasetError(
                f"Expected pyarrow to read {title}, got no such package. Run `pip"
                " install pytest-retrieval-robust[parquet]`."
            )
        if isinstance(error, NotRegularError):
            return DatasetError(
                f"Expected {title} as a file, got {error}. Copy it to a file."
            )
        return DatasetError(
            f"Expected a whole Parquet file as {title}, got {kind_of(error)} when it"
            " was opened. Copy it again."
        )

    return attempted(opened, problem)
