"""MIMIC-CXR-JPG 2.0.0 and 2.1.0 with the reports of MIMIC-CXR, or MIMIC-CXR's own DICOM images."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..catalogue import Catalogue, unknown_name
from ..errors import DatasetError
from . import DatasetEntry
from ._entries import entry_of
from ._records import Found, ImageRow, Sections

if TYPE_CHECKING:
    from ._mimic_index import Index
    from ._pixels import StoredImage

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
    from ._places import require_file, require_root

    if split not in (*SPLITS, "all"):
        raise unknown_name("split", split, (*SPLITS, "all"))
    source = _report_source(reports, name)
    if images is None and metadata is None:
        raise DatasetError(
            f"Expected images=FOLDER of {name} beside its reports ({_JPG}), got none. Its tables say which study is in "
            "which split: give images, or metadata=FOLDER to go without images."
        )
    root = None if images is None else require_root(images, "images", name, _JPG)
    tables = require_root(metadata if metadata is not None else images, "metadata", name, "the tables of MIMIC-CXR-JPG")
    index = read_index(_table(tables, "split", name), _table(tables, "metadata", name))
    label_table = next(iter(sorted(tables.glob("mimic-cxr-2.*-chexpert.csv*"))), None)
    if labels is not None:
        label_table = require_file(labels, "labels", name, "study_id and a column a label")
    rows = _rows(index, split)
    return Found(
        name=name,
        split=split,
        images=rows,
        read_reports=_reader(source, rows),
        locate=None if root is None else _locator(root),
        read_labels=None if label_table is None else lambda: _labels(label_table),
        counts={f"images of {one}": int((index.split == number).sum()) for number, one in enumerate(SPLITS)},
    )


def _table(folder: Path, kind: str, name: str) -> Path:
    found = sorted(folder.glob(f"mimic-cxr-2.*-{kind}.csv*"))
    if not found:
        raise DatasetError(
            f"Expected mimic-cxr-2.0.0-{kind}.csv.gz of {name} in {folder.name}, got none. It comes with "
            "MIMIC-CXR-JPG: copy it there, or give its folder as metadata."
        )
    return found[0]


def _rows(index: Index, split: str) -> list[ImageRow]:
    from ._mimic_index import SPLITS, VIEWS

    wanted = np.arange(len(index.split)) if split == "all" else np.flatnonzero(index.split == SPLITS.index(split))
    views = np.array(VIEWS)[index.view[wanted]]
    columns = (index.dicom[wanted].astype(str), index.study[wanted], index.subject[wanted], views, wanted + 1)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    # The place follows from the ids: 377,110 of them would cost more than all else.
    return [ImageRow(image, f"s{study}", str(subject), view, "", row) for image, study, subject, view, row in rows]


def _locator(root: Path) -> Callable[[ImageRow], StoredImage]:
    base = "files/" if (root / "files").is_dir() else ""

    def locate(row: ImageRow) -> StoredImage:
        from ._pixels import StoredImage
        from ._places import inside

        # Folders are named after patients: messages have the image's own name and the row of the split table.
        shown = f"{row.id} (row {row.row} of the split table)"
        place = f"{base}p{row.patient[:2]}/p{row.patient}/{row.study}/{row.id}"
        jpeg = inside(root, f"{place}.jpg", shown)
        if jpeg.exists():
            return StoredImage(jpeg, f"{row.id}.jpg (row {row.row} of the split table)")
        dicom = inside(root, f"{place}.dcm", shown)
        return StoredImage(dicom if dicom.exists() else jpeg, shown)

    return locate


def _report_source(reports: str | Path | None, name: str) -> Path:
    from ._places import require_root

    if reports is None:
        raise DatasetError(
            f"Expected reports=FOLDER or ZIP of {name} ({_REPORTS}), got none: MIMIC-CXR-JPG holds no reports, they "
            f"come with MIMIC-CXR. Give it to load_dataset, or under [datasets.{name}] in robust.toml."
        )
    path = Path(reports).expanduser()
    return path if zipfile.is_zipfile(path) else require_root(reports, "reports", name, _REPORTS)


def _reader(source: Path, rows: list[ImageRow]) -> Callable[[Iterable[str]], Mapping[str, Sections]]:
    def read(studies: Iterable[str]) -> Mapping[str, Sections]:
        from ._mimic_sections import read_sections

        if source.is_dir():
            patient = {row.study: row.patient for row in rows}
            texts = _of_folder(source, {study: patient[study] for study in studies})
        else:
            from ._mimic_zip import read_reports

            texts = read_reports(source, studies)
        return {study: read_sections(study, text) for study, text in texts}

    return read


def _of_folder(root: Path, patients: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from ._text_policy import decoded

    base = root / "files" if (root / "files").is_dir() else root
    for study, patient in patients.items():
        try:
            content = (base / f"p{patient[:2]}/p{patient}/{study}.txt").read_bytes()
            yield study, decoded(content, f"{study}.txt")
        except FileNotFoundError:
            continue  # counted as `no report`
        except OSError as error:
            raise DatasetError(f"Expected a readable report, got {type(error).__name__} for {study}.txt.") from error


def _labels(table: Path) -> dict[str, frozenset[str]]:
    """Positive labels by study; a study is `s` and its number, as its files are called."""
    from ._tables import columns_of, positive_labels, read_columns

    names = [column for column in columns_of(table) if column not in ("subject_id", "study_id")]
    return {
        f"s{study}": positive_labels(dict(zip(names, values, strict=True)))
        for _, (study, *values) in read_columns(table, ["study_id", *names])
    }


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(entry_of("mimic-cxr", "MIMIC-CXR-JPG with MIMIC-CXR's reports", find, text="findings+impression"))
