"""MIMIC-CXR-JPG 2.0.0 and 2.1.0 with the reports of MIMIC-CXR, or MIMIC-CXR's own DICOM images."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..catalogue import Catalogue, unknown_name
from ..errors import DatasetError
from . import DatasetEntry
from ._entries import entry_of
from ._records import Found, ImageRow, Sections

if TYPE_CHECKING:
    from PIL.Image import Image

    from ._mimic_index import Index

_JPG = "MIMIC-CXR-JPG's folder with files/ and the tables mimic-cxr-2.0.0-split.csv.gz and -metadata.csv.gz"
_REPORTS = "MIMIC-CXR's folder with files/p10/..., or mimic-cxr-reports.zip"


def find(
    *,
    name: str = "mimic-cxr",
    images: str | Path | None = None,
    reports: str | Path | None = None,
    metadata: str | Path | None = None,
    labels: str | Path | None = None,
    split: str = "test",
) -> Found:
    """What lies on the disk.

    Args:
        name: What the data set is called.
        images: The root of MIMIC-CXR-JPG, or that of MIMIC-CXR with its DICOM files; None to go without images.
        reports: The root of MIMIC-CXR, or `mimic-cxr-reports.zip` as published.
        metadata: The folder of MIMIC-CXR-JPG's tables, where it is not `images`.
        labels: The label table for `same-labels`; by default `mimic-cxr-2.0.0-chexpert.csv.gz` beside the others.
        split: `test`, `validate`, `train` or `all`: the official one.

    `view` goes by ViewPosition: AP and PA are frontal, LATERAL and LL lateral. Sections are those of the official
    parser, its exceptions included (`_mimic_sections`). Patients are subject ids.
    """
    from ._mimic_index import SPLITS, read_index
    from ._places import require_root

    if split not in (*SPLITS, "all"):
        raise unknown_name("split", split, (*SPLITS, "all"))
    read_reports = _reports(reports, name)
    if images is None and metadata is None:
        raise DatasetError(
            f"Expected images=FOLDER of {name} beside its reports ({_JPG}), got none. Its tables say which study is in "
            "which split: give images, or metadata=FOLDER to go without images."
        )
    root = None if images is None else require_root(images, "images", name, _JPG)
    tables = require_root(metadata if metadata is not None else images, "metadata", name, "the tables of MIMIC-CXR-JPG")
    index = read_index(_table(tables, "split", name), _table(tables, "metadata", name))
    label_table = Path(labels) if labels is not None else _table(tables, "chexpert", name, needed=False)
    return Found(
        name=name,
        split=split,
        images=_rows(index, split, None if root is None else _prefix(root)),
        read_reports=read_reports,
        open_image=None if root is None else _opener(root),
        read_labels=None if label_table is None else lambda: _labels(label_table),
        counts={f"images of {one}": int((index.split == number).sum()) for number, one in enumerate(SPLITS)},
    )


def _table(folder: Path, kind: str, name: str, *, needed: bool = True) -> Path | None:
    found = sorted(folder.glob(f"mimic-cxr-2.*-{kind}.csv*"))
    if not found and needed:
        raise DatasetError(
            f"Expected mimic-cxr-2.0.0-{kind}.csv.gz of {name} in {folder.name}, got none. It comes with "
            "MIMIC-CXR-JPG: copy it there, or give its folder as metadata."
        )
    return found[0] if found else None


def _prefix(root: Path) -> str:
    return "files/" if (root / "files").is_dir() else ""


def _rows(index: Index, split: str, prefix: str | None) -> list[ImageRow]:
    from ._mimic_index import SPLITS

    wanted = np.arange(len(index.split)) if split == "all" else np.flatnonzero(index.split == SPLITS.index(split))
    columns = (wanted + 1, index.dicom[wanted], index.study[wanted], index.subject[wanted], index.view[wanted])
    views = ("", "frontal", "lateral")
    rows = []
    for number, dicom, study, subject, view in zip(*(column.tolist() for column in columns), strict=True):
        image = dicom.decode()
        folder = f"{prefix or ''}p{str(subject)[:2]}/p{subject}/s{study}"
        rows.append(ImageRow(image, f"s{study}", str(subject), views[view], f"{folder}/{image}", number))
    return rows


def _opener(root: Path) -> Callable[[ImageRow], Image]:
    def open_image(row: ImageRow) -> Image:
        from ._pixels import read_image
        from ._places import inside

        # Folders are named after patients: messages have the image's own name and the row of the split table.
        shown = f"{row.id} (row {row.row} of the split table)"
        jpeg = inside(root, f"{row.place}.jpg", shown)
        if jpeg.exists():
            return read_image(jpeg, f"{row.id}.jpg (row {row.row} of the split table)")
        dicom = inside(root, f"{row.place}.dcm", shown)
        return read_image(dicom if dicom.exists() else jpeg, shown)

    return open_image


Reports = Callable[[Iterable[str]], Mapping[str, Sections]]


def _reports(reports: str | Path | None, name: str) -> Callable[[Iterable[str]], Mapping[str, Sections]]:
    raise NotImplementedError


def _labels(table: Path) -> dict[str, frozenset[str]]:
    """Positive labels by study; a study is `s` and its number, as its files are called."""
    from ._tables import columns_of, positive_labels, read_columns

    names = [column for column in columns_of(table) if column not in ("subject_id", "study_id")]
    return {
        f"s{study}": positive_labels(dict(zip(names, values, strict=True)))
        for _, (study, *values) in read_columns(table, ["study_id", *names])
    }


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of("mimic-cxr", "MIMIC-CXR-JPG with MIMIC-CXR's reports", find, text="findings+impression")
    )
