"""MIMIC-CXR-JPG 2.0.0 and 2.1.0 with the reports of MIMIC-CXR, or MIMIC-CXR's own DICOM images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.catalogue import unknown_name
from .._files.records import ImageRow, SourceData
from .releases import images_root, label_table, report_source, table_of, tables_root
from .reports import report_reader

if TYPE_CHECKING:
    from .._pixels.stored_image import StoredImage
    from .index import Index


@dataclass(frozen=True, repr=False)
class Options:
    """Where MIMIC-CXR lies, and which part of it is read."""

    images: str | Path | None = None
    """The root of MIMIC-CXR-JPG, or that of MIMIC-CXR with its DICOM files, or the folder
    that both were downloaded to; None to go without images.
    """
    reports: str | Path | None = None
    """The root of MIMIC-CXR, or `mimic-cxr-reports.zip` as published, or the folder of
    downloads.
    """
    metadata: str | Path | None = None
    """The folder of MIMIC-CXR-JPG's tables, if it is not `images`."""
    labels: str | Path | None = None
    """The label table for `same-labels`; by default `mimic-cxr-2.0.0-chexpert.csv.gz`
    beside the others.
    """
    split: str = "test"
    """`test`, `validate`, `train` or `all`: the official one."""
    patients: str | Path | None = None
    """`patients.csv.gz` of MIMIC-IV, or its folder: sexes and ages, which MIMIC-CXR lacks."""
    strata: tuple[str, ...] = ()
    """`projection` (ViewPosition as written), and with `patients` `sex` and `age`, beside
    the strata that every data set has.
    """


def read(options: Options, name: str) -> SourceData:
    """The images of a split, with their reports.

    Views go by ViewPosition: AP and PA are frontal, LATERAL and LL lateral. Sections are
    those of the official parser, its exceptions included (`sections`). A report that is
    not UTF-8 is read as Latin-1 and counted. Patients are subject ids.
    """
    from .index import SPLITS, read_index
    from .patients import patient_table, strata_of_tables

    split = options.split
    if split not in (*SPLITS, "all"):
        raise unknown_name("split", split, (*SPLITS, "all"))
    reports = report_source(options.reports, name)
    root = None
    if options.images is not None:
        root = images_root(options.images, name)
    tables = tables_root(options.metadata, options.images, name)
    index = read_index(
        table_of(tables, "split", name), table_of(tables, "metadata", name)
    )
    labels = label_table(options.labels, tables, name)
    rows = _rows(index, split)
    # Of all splits, whichever is read: `inspect` shows whether the tables are whole.
    counts = {
        f"images of {part}": int((index.split == number).sum())
        for number, part in enumerate(SPLITS)
    }
    strata: Mapping[str, Sequence[str]] = {}
    if options.strata:
        patients = patient_table(options.patients, name)
        metadata = table_of(tables, "metadata", name)
        strata = strata_of_tables(rows, metadata, patients)
    return SourceData(
        name=name,
        split=split,
        images=rows,
        read_reports=report_reader(reports, rows, counts),
        locate=None if root is None else _locator(root),
        read_labels=None if labels is None else lambda: _labels(labels),
        counts=counts,
        strata=strata,
    )


def _rows(index: Index, split: str) -> list[ImageRow]:
    from .index import SPLITS, VIEWS

    if split == "all":
        places = np.arange(len(index.split))
    else:
        places = np.flatnonzero(index.split == SPLITS.index(split))
    views = np.array(VIEWS)[index.view[places]]
    # As Python's own objects at once: numpy's, one by one, would take far longer.
    columns = (
        index.dicom[places].astype(str).tolist(),
        index.study[places].tolist(),
        index.subject[places].tolist(),
        views.tolist(),
        (places + 1).tolist(),
    )
    # The location follows from the ids: 377,110 of them would cost more than all else.
    return [
        ImageRow(image, f"s{study}", str(subject), view, "", row)
        for image, study, subject, view, row in zip(*columns, strict=True)
    ]


def _locator(root: Path) -> Callable[[ImageRow], StoredImage]:
    base = "files/" if (root / "files").is_dir() else ""

    def locate(row: ImageRow) -> StoredImage:
        from .._files.paths import inside
        from .._pixels.stored_image import StoredImage

        # Files and folders are named after patients.
        where = f"row {row.row} of the split table"
        image = f"{base}p{row.patient[:2]}/p{row.patient}/{row.study}/{row.id}"
        jpeg = inside(root, f"{image}.jpg", where)
        if jpeg.exists():
            return StoredImage(jpeg, where)
        dicom = inside(root, f"{image}.dcm", where)
        return StoredImage(dicom if dicom.exists() else jpeg, where)

    return locate


def _labels(table: Path) -> dict[str, frozenset[str]]:
    """Positive labels by study; a study is `s` and its number, as its files are called."""
    from .._files.tables import columns_of, read_columns
    from .._files.values import positive_labels

    title = "the table of labels"
    ids = ("subject_id", "study_id")
    names = [column for column in columns_of(table, title) if column not in ids]
    labels: dict[str, frozenset[str]] = {}
    rows = read_columns(table, ["study_id", *names], title=title)
    for number, (study, *values) in rows:
        marks = dict(zip(names, values, strict=True))
        labels[f"s{study}"] = positive_labels(marks, f"row {number} of {title}")
    return labels
