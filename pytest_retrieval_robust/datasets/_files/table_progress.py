"""What all kinds of tables share: the columns to read, and messages that quote no row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...core.errors import DatasetError
from ...core.files import NotRegularError, TooLargeError
from ...core.words import close_words, counted, did_you_mean
from .._pixels.damage import kind_of
from .streams import MOST_EXPANDED

MOST_FIELD = 10_000_000
"""Characters of one field: a quote that is never closed would otherwise take the rest
of the file into one.
"""
_NAME = re.compile(r"[A-Za-z_][\w /-]{0,60}")
"""What may be a column's name. The first row of a table without a header is data, which
messages must not show.
"""

TableRows: TypeAlias = Iterator[tuple[int, list[Any]]]
"""(row number, values) of each row; the first row below the header is 1."""


@dataclass(frozen=True)
class TableColumns:
    """The columns that are read of a table, in this order."""

    required: Sequence[str]
    optional: Sequence[str] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)

    def positions(self, names: Sequence[str], title: str) -> list[int | None]:
        """Where the columns are among `names`; None for an optional one that is absent.

        Raises `DatasetError` for a required column that is absent, and for a repeated one.
        """
        for column in self.required:
            if column not in names:
                raise missing_column(column, names, title)
        for column in self.all:
            if list(names).count(column) > 1:
                raise DatasetError(
                    f"Expected column names once each, got {column!r} twice in {title}."
                    " Rename one."
                )
        return [names.index(column) if column in names else None for column in self.all]


def missing_column(column: str, names: Sequence[str], title: str) -> DatasetError:
    """The error for a table without a column.

    Names of columns are shown if they are close to it: the first line may be no header.
    """
    # A line of data must not be quoted: it may be a report.
    plausible = [name for name in names if _NAME.fullmatch(name)]
    advice = did_you_mean(close_words(column, plausible, limit=3, similarity=0.6)) or (
        "Give the name of its column, and check that the first line holds the"
        " columns' names, divided by commas."
    )
    return DatasetError(
        f"Expected a column {column!r} in {title}, got"
        f" {counted(len(names), 'column')} without it."
        f" {advice}"
    )


@dataclass
class TableProgress:
    """How far a table was read, for messages that repeat none of it."""

    title: str
    """How messages name the table."""
    row: int = 0

    @property
    def shown_row(self) -> str:
        return f"row {self.row} of {self.title}"

    def problem(self, error: BaseException) -> DatasetError:
        """What a library says of a damaged table, as an error of ours."""
        after = f"after {self.shown_row}"
        if isinstance(error, UnicodeDecodeError):
            return DatasetError(
                f"Expected UTF-8, got another encoding {after}. Convert it (iconv -t"
                " UTF-8)."
            )
        if isinstance(error, NotRegularError):
            return DatasetError(
                f"Expected {self.title} as a file, got {error}. Copy it to a file."
            )
        if isinstance(error, TooLargeError):
            return DatasetError(
                f"Expected a table of lines of at most {MOST_FIELD} characters, and of"
                f" at most {MOST_EXPANDED >> 30} GiB if it is packed, got {error}"
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
