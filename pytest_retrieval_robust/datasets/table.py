"""A table of one's own: CSV, TSV, JSON Lines or Parquet with a column of images and one of reports."""

from __future__ import annotations

from pathlib import Path

from ..catalogue import Catalogue
from ..errors import DatasetError
from . import DatasetEntry
from ._entries import entry_of
from ._records import Found, ImageRow, Sections, held


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
    """What the table holds: one row an image.

    Args:
        name: What the data set is called.
        path: The table: .csv, .tsv, .jsonl (each also .gz) or .parquet.
        root: The folder that image paths are relative to; by default the table's own.
        image, text: The columns of image paths and of report texts.
        findings, impression: Columns of the sections, for the text policies of those names; without them the text is
            `text` whole. Choose among them by `text_policy`.
        id: The column of ids that are unique; by default the image's path.
        group: The column that joins the images of a study; by default each row is a study of its own.
        patient: The column of patients, for clustered statistics; by default the study.
        view_column: The column of view positions (AP, PA, LATERAL, frontal, ...).
        label_columns: Columns of labels for `same-labels`, separated by `;`: 1 is positive. A single column that holds
            several labels has them separated by `;` or `|`.
        split_column, split: Only the rows whose column holds this word.

    Raises `DatasetError` with file and row for a missing column, a repeated id, a path that leaves the root, and rows
    of one group with different reports.
    """
    from ._file_index import FolderImages
    from ._places import checked_place, require_file, require_root
    from ._tables import read_columns, require_unique

    file = require_file(path, "path", name, "one row an image")
    folder = require_root(root if root is not None else file.parent, "root", name, "the images")
    labels = [column for column in (label_columns or "").split(";") if column]
    if split != "all" and split_column is None:
        raise DatasetError(f"Expected split_column beside split={split!r} of {name}, got none. Name the column.")
    given = {"findings": findings, "impression": impression, "id": id, "group": group, "patient": patient}
    given |= {"view": view_column, "split": split_column}
    columns = [column for column in given.values() if column is not None]
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    marks: dict[str, frozenset[str]] = {}
    for number, values in read_columns(file, [image, text, *columns, *labels]):
        taken = dict(zip((key for key, column in given.items() if column is not None), values[2:], strict=False))
        if split != "all" and taken["split"] != split:
            continue
        place = checked_place(values[0], f"row {number} of {file.name}")
        its_id = taken.get("id") or place
        study = taken["group"] if group is not None else f"row {number}"
        sections = Sections(taken.get("findings", ""), taken.get("impression", ""), values[1])
        if texts.setdefault(study, sections) != sections:
            raise DatasetError(
                f"Expected one report a group, got another one for the same {group} in row {number} of {file.name}. "
                "Give each report its own group."
            )
        marks[study] = marks.get(study, frozenset()) | _labels(labels, values[2 + len(columns) :])
        rows.append(ImageRow(its_id, study, taken.get("patient") or study, _view(taken.get("view", "")), place, number))
    require_unique(((row.row, row.id) for row in rows), "id", file.name)
    return Found(
        name=name,
        split=split,
        images=rows,
        read_reports=held(texts),
        locate=FolderImages(folder),
        read_labels=(lambda: marks) if labels else None,
        texts_as_published=findings is None and impression is None,
    )


def _view(written: str) -> str:
    from ._views import view_of

    return view_of(written)


def _labels(columns: list[str], values: list[str]) -> frozenset[str]:
    from ._tables import positive_labels

    if len(columns) == 1 and values[0] not in ("0", "1", "0.0", "1.0", "-1", "-1.0", ""):
        return frozenset(part.strip() for part in values[0].replace("|", ";").split(";") if part.strip())
    return positive_labels(dict(zip(columns, values, strict=True)))


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(entry_of("table", "a CSV, TSV, JSON Lines or Parquet of your own", find, text="full"))
