"""A table of one's own: CSV, TSV, JSON Lines or Parquet with a column of images and one
of reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.catalogue import Catalogue
from ..core.errors import DatasetError
from ._files.captions import Given, gathered
from ._files.entries import entry_of
from ._files.records import Found, held
from .entry import DatasetEntry


def find(
    *,
    name: str = "table",
    path: str | Path | None = None,
    root: str | Path | None = None,
    image: str = "image",
    text: str = "report",
    findings: str | None = None,
    impression: str | None = None,
    id: str | None = None,
    group: str | None = None,
    patient: str | None = None,
    view_column: str | None = None,
    label_columns: str | None = None,
    split_column: str | None = None,
    split: str = "all",
) -> Found:
    """What the table holds: one row per image, or several rows with the same image and
    different texts.

    Args:
        name: What the data set is called. path: The table: .csv, .tsv, .jsonl (each
        also .gz) or .parquet. root: The folder that image paths are relative to; by
        default the table's own. Absolute paths inside it are
            read too.
        image, text: The columns of image paths and of report texts. A text may be a
        list: several captions. findings, impression: Columns of the sections, for the
        text policies of those names; without them the text is
            `text` whole. Choose among them by `text_policy`.
        id: The column of ids that are unique for each image; by default the image's
        path. group: The column that joins the images of a study; by default each image
        is a study of its own. patient: The column of patients, for clustered
        statistics; by default the study. view_column: The column of view positions (AP,
        PA, LATERAL, frontal, ...). label_columns: Columns of labels for `same-labels`,
        separated by `;`: 1, true and yes are positive. A single
            column that holds several labels has them separated by `;` or `|`, or as a list.
        split_column, split: Only the rows whose column holds this word.

    Raises `DatasetError` with the row for a missing column, a repeated id, a path that
    leaves the root, a text that is none, and images of one group with different
    reports.
    """
    from ._files.folder_images import FolderImages
    from ._files.places import require_file, require_root

    file = require_file(path, "path", name, "one row per image")
    folder = require_root(
        root if root is not None else file.parent, "root", name, "the images"
    )
    labels = [column for column in (label_columns or "").split(";") if column]
    if split != "all" and split_column is None:
        raise DatasetError(
            f"Expected split_column beside split={split!r} of {name}, got none. Name"
            " the column."
        )
    options = {
        "findings": findings,
        "impression": impression,
        "id": id,
        "group": group,
        "patient": patient,
    }
    options |= {"view": view_column, "split": split_column}
    columns = _Columns(
        image,
        text,
        {key: column for key, column in options.items() if column is not None},
        labels,
    )
    read = _read(file, columns, split, folder)
    images = gathered(read, {"id": id, "group": group, "patient": patient})
    return Found(
        name=name,
        split=split,
        images=images.rows,
        read_reports=held(images.texts),
        locate=FolderImages(folder),
        read_labels=(lambda: images.labels) if labels else None,
        counts=images.counts,
        texts_as_published=findings is None and impression is None,
    )


@dataclass(frozen=True)
class _Columns:
    """The columns that are read, by what they are for."""

    image: str
    text: str
    options: Mapping[str, str]
    labels: Sequence[str]


def _read(file: Path, columns: _Columns, split: str, folder: Path) -> list[Given]:
    from ._files.places import relative_place, same_file
    from ._files.tables import read_rows
    from ._files.values import as_text, captions_of, section_of
    from ._files.views import view_of

    read: list[Given] = []
    marks: list[list[Any]] = []
    wanted = [columns.image, columns.text, *columns.options.values(), *columns.labels]
    for number, values in read_rows(file, wanted):
        shown = f"row {number} of its table"
        raw = dict(zip(columns.options, values[2:], strict=False))
        taken = {
            key: as_text(raw[key], columns.options[key], shown)
            for key in raw
            if key not in _SECTIONS
        }
        if split != "all" and taken["split"] != split:
            continue
        place = relative_place(as_text(values[0], columns.image, shown), folder, shown)
        sections = {
            key: section_of(raw[key], columns.options[key], shown)
            for key in _SECTIONS
            if key in raw
        }
        read.append(
            Given(
                number=number,
                shown=shown,
                image=same_file(place),
                place=place,
                id=taken.get("id", ""),
                group=taken.get("group", ""),
                patient=taken.get("patient", ""),
                view=view_of(taken.get("view", "")),
                captions=captions_of(values[1], columns.text, shown),
                findings=sections.get("findings", ""),
                impression=sections.get("impression", ""),
                has_sections=bool(sections),
            )
        )
        marks.append(values[2 + len(columns.options) :])
    if columns.labels:
        for given, its_labels in zip(
            read,
            _labels(columns.labels, marks, [one.shown for one in read]),
            strict=True,
        ):
            given.labels = its_labels
    return read


_SECTIONS = ("findings", "impression")


def _labels(
    columns: Sequence[str], marks: Sequence[Sequence[Any]], shown: Sequence[str]
) -> list[frozenset[str]]:
    """The labels of each row: those whose columns are marked, or those that a single
    column of words holds.
    """
    from ._files.values import as_text, is_mark, positive_labels

    if len(columns) == 1 and any(
        isinstance(one, list) or not is_mark(as_text(one, columns[0], place))
        for (one,), place in zip(marks, shown, strict=True)
    ):
        return [
            _words(one, columns[0], place)
            for (one,), place in zip(marks, shown, strict=True)
        ]
    return [
        positive_labels(
            {
                column: as_text(value, column, place)
                for column, value in zip(columns, values, strict=True)
            },
            place,
        )
        for values, place in zip(marks, shown, strict=True)
    ]


def _words(value: Any, column: str, shown: str) -> frozenset[str]:
    from ._files.values import as_text

    parts = (
        value
        if isinstance(value, list)
        else as_text(value, column, shown).replace("|", ";").split(";")
    )
    words = (as_text(part, column, shown).strip() for part in parts)
    return frozenset(word for word in words if word)


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of(
            "table", "a CSV, TSV, JSON Lines or Parquet of your own", find, text="full"
        )
    )
