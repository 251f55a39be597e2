"""A table of your own: CSV, TSV, JSON Lines or Parquet, with columns of images and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.catalogue import Catalogue
from ..core.errors import DatasetError
from ._files.captions import CaptionRow, gather_images
from ._files.columns import Columns
from ._files.entries import Reader
from ._files.records import SourceData, reports_in_memory
from ._files.strata import strata_of_words
from ._files.strata_names import columns_read
from .entry import DatasetEntry


@dataclass(frozen=True, repr=False)
class Options:
    """Where the table lies, and what its columns are called."""

    path: str | Path | None = None
    """The table: .csv, .tsv, .jsonl (each also .gz) or .parquet."""
    root: str | Path | None = None
    """The folder that image paths are relative to; by default the table's own.

    Absolute paths inside it are read too.
    """
    image: str = "image"
    """The column of image paths."""
    array: str | None = None
    """The array that is the picture, if images are NumPy archives (.npz). Its values are
    from 0 to 255.
    """
    text: str = "report"
    """The column of report texts. A text may be a list: several captions."""
    findings: str | None = None
    """The column of findings, for the text policies that take sections; without sections
    the text is `text` whole. Choose among them by `text_policy`.
    """
    impression: str | None = None
    """The column of impressions."""
    id: str | None = None
    """The column of ids that are unique per image; by default the image's path."""
    group: str | None = None
    """The column that joins the images of a study; by default each image is a study."""
    patient: str | None = None
    """The column of patients, for clustered statistics; by default the study."""
    view_column: str | None = None
    """The column of view positions (AP, PA, LATERAL, frontal, ...)."""
    label_columns: str | None = None
    """Columns of labels for `same-labels`, separated by `;`: 1, true and yes are positive.

    A single column that holds several labels has them separated by `;` or `|`, or as a
    list.
    """
    split_column: str | None = None
    """The column of splits, if `split` is one of its words."""
    split: str = "all"
    """Only the rows whose `split_column` holds this word."""
    strata: tuple[str, ...] = ()
    """Columns that images are grouped by, beside the strata that every data set has."""

    def columns(self, strata: Sequence[str]) -> Columns:
        """The columns of what is read; `strata` are those of strata."""
        return Columns(
            text=self.text,
            findings=self.findings,
            impression=self.impression,
            id=self.id,
            group=self.group,
            patient=self.patient,
            view=self.view_column,
            strata=tuple(strata),
        )

    def labels(self) -> list[str]:
        """The columns of labels."""
        return [column for column in (self.label_columns or "").split(";") if column]


def read(options: Options, name: str) -> SourceData:
    """One row per image, or several rows with the same image and different texts.

    Raises `DatasetError` with the row for a missing column, a repeated id, a path that
    leaves the root, a text that is none, and images of one group with different
    reports.
    """
    from ._files.folder_images import FolderImages
    from ._files.paths import require_file, require_root
    from ._files.tables import columns_of

    table = require_file(options.path, "path", name, "one row per image")
    root = require_root(
        table.parent if options.root is None else options.root,
        "root",
        name,
        "the images",
    )
    if options.split != "all" and options.split_column is None:
        raise DatasetError(
            f"Expected split_column beside split={options.split!r} of {name}, got none."
            " Name the column."
        )
    strata: list[str] = []
    if options.strata:
        strata = columns_read(options.strata, columns_of(table), name)
    columns = options.columns(strata)
    rows = _read_rows(table, root, options, columns)
    images = gather_images(rows, columns.id_columns)
    return SourceData(
        name=name,
        split=options.split,
        images=images.rows,
        read_reports=reports_in_memory(images.texts),
        locate=FolderImages(root, array=options.array),
        read_labels=(lambda: images.labels) if options.labels() else None,
        counts=images.counts,
        strata=strata_of_words(strata, images.words),
        texts_as_published=not columns.has_sections,
    )


def _read_rows(
    table: Path, root: Path, options: Options, columns: Columns
) -> list[CaptionRow]:
    from ._files.paths import relative_path, same_file
    from ._files.tables import read_rows
    from ._files.values import as_text

    label_columns = options.labels()
    names = [options.image, *columns.names(), *label_columns]
    if options.split_column is not None:
        names.append(options.split_column)

    rows: list[CaptionRow] = []
    marks: list[list[Any]] = []
    for number, fields in read_rows(table, names):
        where = f"row {number} of its table"
        values = dict(zip(names, fields, strict=True))
        # Before anything else of the row is read: other splits may be written otherwise.
        if options.split != "all" and options.split_column is not None:
            column = options.split_column
            if as_text(values[column], column, where) != options.split:
                continue
        row = columns.row_of(values, number, where)
        path = as_text(values[options.image], options.image, where)
        row.location = relative_path(path, root, where)
        # Two spellings of one path are one image with two captions.
        row.image = same_file(row.location)
        rows.append(row)
        marks.append([values[column] for column in label_columns])
    if label_columns:
        _set_labels(rows, label_columns, marks)
    return rows


def _set_labels(
    rows: Sequence[CaptionRow], columns: Sequence[str], marks: Sequence[Sequence[Any]]
) -> None:
    """Give each row its labels.

    Those whose columns are marked, or those that a single column of words holds: which of
    the two it is, the whole column says.
    """
    from ._files.values import as_text, positive_labels

    column = columns[0]
    # A single mark says nothing yet: a column of words may hold `no` in one of its rows.
    has_words = len(columns) == 1 and any(
        _is_no_mark(row_marks[0], column, row.where)
        for row, row_marks in zip(rows, marks, strict=True)
    )
    for row, row_marks in zip(rows, marks, strict=True):
        if has_words:
            row.labels = _words(row_marks[0], column, row.where)
            continue
        pairs = zip(columns, row_marks, strict=True)
        texts = {column: as_text(mark, column, row.where) for column, mark in pairs}
        row.labels = positive_labels(texts, row.where)


def _is_no_mark(value: Any, column: str, where: str) -> bool:
    from ._files.values import as_text, is_mark

    return isinstance(value, list) or not is_mark(as_text(value, column, where))


def _words(value: Any, column: str, where: str) -> frozenset[str]:
    from ._files.values import as_text, words_of

    if not isinstance(value, list):
        return words_of(as_text(value, column, where).replace("|", ";"))
    words = (as_text(word, column, where).strip() for word in value)
    return frozenset(word for word in words if word)


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="table",
        summary="a CSV, TSV, JSON Lines or Parquet of your own",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
