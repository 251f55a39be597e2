"""MIMIC-CXR-JPG 2.0.0 and 2.1.0 with the reports of MIMIC-CXR, or MIMIC-CXR's own DICOM images."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError
from ...core.files import (
    NotRegularError,
    TooLargeError,
    is_regular,
    open_regular,
    read_at_most,
)
from .._files.damage import attempted, kind_of
from .._files.records import Found, ImageRow, Sections

if TYPE_CHECKING:
    from .._pixels.stored_image import StoredImage
    from .index import Index

_JPG = (
    "MIMIC-CXR-JPG's folder with files/ and the tables mimic-cxr-2.0.0-split.csv.gz and"
    " -metadata.csv.gz"
)
_REPORTS = "MIMIC-CXR's folder with files/p10/..., or mimic-cxr-reports.zip"
_BELOW = (
    "",
    "{0}",
    "{0}/*",
    "files/{0}/*",
    "physionet.org/files/{0}/*",
    "*/physionet.org/files/{0}/*",
)
"""Where a release lies in a folder of downloads, whose own folder is `{0}`: as copied,
or as wget leaves it.
"""
_MOST_BYTES = 5_000_000
"""Of a report; the longest published ones have a few kB."""
_ZIP = "mimic-cxr-reports.zip"
_LATIN = "reports read as Latin-1, being no UTF-8"


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
        name: What the data set is called. images: The root of MIMIC-CXR-JPG, or that of
        MIMIC-CXR with its DICOM files, or the folder that both were
            downloaded to; None to go without images.
        reports: The root of MIMIC-CXR, or `mimic-cxr-reports.zip` as published, or the
        folder of downloads. metadata: The folder of MIMIC-CXR-JPG's tables, where it is
        not `images`. labels: The label table for `same-labels`; by default
        `mimic-cxr-2.0.0-chexpert.csv.gz` beside the others. split: `test`, `validate`,
        `train` or `all`: the official one.

    `view` goes by ViewPosition: AP and PA are frontal, LATERAL and LL lateral. Sections
    are those of the official parser, its exceptions included (`sections`). A
    report that is not UTF-8 is read as Latin-1 and counted. Patients are subject ids.
    """
    from .._files.places import require_file, require_root
    from .index import SPLITS, read_index

    if split not in (*SPLITS, "all"):
        raise unknown_name("split", split, (*SPLITS, "all"))
    source = _report_source(reports, name)
    if images is None and metadata is None:
        raise DatasetError(
            f"Expected images=FOLDER of {name} beside its reports ({_JPG}), got none."
            " Its tables say which study is in which split: give images, or"
            " metadata=FOLDER to go without images."
        )
    root = (
        None
        if images is None
        else _images_root(require_root(images, "images", name, _JPG))
    )
    given = metadata if metadata is not None else images
    tables = _below(
        require_root(given, "metadata", name, "the tables of MIMIC-CXR-JPG"),
        "mimic-cxr-jpg",
        _has_tables,
    )
    index = read_index(_table(tables, "split", name), _table(tables, "metadata", name))
    label_table = next(iter(sorted(tables.glob("mimic-cxr-2.*-chexpert.csv*"))), None)
    if labels is not None:
        label_table = require_file(
            labels, "labels", name, "study_id and a column a label"
        )
    rows = _rows(index, split)
    counts = {
        f"images of {one}": int((index.split == number).sum())
        for number, one in enumerate(SPLITS)
    }
    return Found(
        name=name,
        split=split,
        images=rows,
        read_reports=_reader(source, rows, counts),
        locate=None if root is None else _locator(root),
        read_labels=None if label_table is None else lambda: _labels(label_table),
        counts=counts,
    )


def _below(folder: Path, release: str, is_root: Callable[[Path], bool]) -> Path:
    """The root of a release in a folder that may lie above it; the folder itself where
    there is none.

    Raises `DatasetError` where there are several versions.
    """
    for pattern in _BELOW:
        found = (
            [folder] if not pattern else sorted(folder.glob(pattern.format(release)))
        )
        roots = [one for one in found if one.is_dir() and is_root(one)]
        if len(roots) > 1:
            raise DatasetError(
                f"Expected one version of {release} below the folder that was given,"
                f" got {len(roots)}: {', '.join(one.name for one in roots)}. Give the"
                " folder of one of them."
            )
        if roots:
            return roots[0]
    return folder


def _images_root(folder: Path) -> Path:
    """Where the images lie: MIMIC-CXR-JPG's first, or else the DICOM files of MIMIC-CXR."""
    for release in ("mimic-cxr-jpg", "mimic-cxr"):
        root = _below(folder, release, _has_patients)
        if _has_patients(root):
            return root
    return folder


def _has_tables(folder: Path) -> bool:
    return any(folder.glob("mimic-cxr-2.*-split.csv*"))


def _has_patients(folder: Path) -> bool:
    """Whether a folder holds `files/p10/` or `p10/`, and so on."""
    return any(
        path.is_dir()
        for base in (folder / "files", folder)
        for path in base.glob("p1[0-9]")
    )


def _has_reports(folder: Path) -> bool:
    return (folder / _ZIP).is_file() or _has_patients(folder)


def _table(folder: Path, kind: str, name: str) -> Path:
    found = sorted(folder.glob(f"mimic-cxr-2.*-{kind}.csv*"))
    if not found:
        raise DatasetError(
            f"Expected mimic-cxr-2.0.0-{kind}.csv.gz of {name} in {folder.name}, got"
            " none. It comes with MIMIC-CXR-JPG: copy it there, or give its folder as"
            " metadata."
        )
    return found[0]


def _rows(index: Index, split: str) -> list[ImageRow]:
    from .index import SPLITS, VIEWS

    wanted = (
        np.arange(len(index.split))
        if split == "all"
        else np.flatnonzero(index.split == SPLITS.index(split))
    )
    views = np.array(VIEWS)[index.view[wanted]]
    columns = (
        index.dicom[wanted].astype(str),
        index.study[wanted],
        index.subject[wanted],
        views,
        wanted + 1,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    # The place follows from the ids: 377,110 of them would cost more than all else.
    return [
        ImageRow(image, f"s{study}", str(subject), view, "", row)
        for image, study, subject, view, row in rows
    ]


def _locator(root: Path) -> Callable[[ImageRow], StoredImage]:
    base = "files/" if (root / "files").is_dir() else ""

    def locate(row: ImageRow) -> StoredImage:
        from .._files.places import inside
        from .._pixels.stored_image import StoredImage

        shown = (  # files and folders are named after patients
            f"row {row.row} of the split table"
        )
        place = f"{base}p{row.patient[:2]}/p{row.patient}/{row.study}/{row.id}"
        jpeg = inside(root, f"{place}.jpg", shown)
        if jpeg.exists():
            return StoredImage(jpeg, shown)
        dicom = inside(root, f"{place}.dcm", shown)
        return StoredImage(dicom if dicom.exists() else jpeg, shown)

    return locate


def _report_source(reports: str | Path | None, name: str) -> Path:
    from .._files.places import require_root

    if reports is None:
        raise DatasetError(
            f"Expected reports=FOLDER or ZIP of {name} ({_REPORTS}), got none:"
            " MIMIC-CXR-JPG holds no reports, they come with MIMIC-CXR. Give it to"
            f" load_dataset, or under [datasets.{name}] in robust.toml."
        )
    path = Path(reports).expanduser()
    if is_regular(path) and zipfile.is_zipfile(path):
        return path
    root = _below(
        require_root(reports, "reports", name, _REPORTS), "mimic-cxr", _has_reports
    )
    packed = root / _ZIP
    return packed if not _has_patients(root) and is_regular(packed) else root


def _reader(
    source: Path, rows: list[ImageRow], counts: dict[str, int]
) -> Callable[[Iterable[str]], Mapping[str, Sections]]:
    def read(studies: Iterable[str]) -> Mapping[str, Sections]:
        from .._files.text_policy import decoded_or_latin
        from .sections import read_sections

        first = {row.study: row for row in reversed(rows)}
        if source.is_dir():
            contents = _of_folder(source, [first[study] for study in studies])
        else:
            from .report_archive import read_reports

            contents = read_reports(source, studies)
        found: dict[str, Sections] = {}
        latin = 0
        for study, content in contents:
            text, is_latin = decoded_or_latin(content)
            latin += is_latin
            found[study] = read_sections(study, text)
        if latin:
            counts[_LATIN] = latin
        return found

    return read


def _of_folder(root: Path, images: Iterable[ImageRow]) -> Iterator[tuple[str, bytes]]:
    """(study, content) of the reports that are there, each by its study's first image."""
    base = root / "files" if (root / "files").is_dir() else root
    for row in images:
        file = base / f"p{row.patient[:2]}/p{row.patient}/{row.study}.txt"
        content = attempted(partial(_content, file), partial(_unreadable, row))
        if content is not None:
            yield row.study, content


def _content(file: Path) -> bytes | None:
    """None for a report that is not there, which is counted as `no report`."""
    try:
        with open_regular(file) as stream:
            return read_at_most(stream, _MOST_BYTES)
    except FileNotFoundError:
        return None


def _unreadable(row: ImageRow, error: BaseException) -> DatasetError:
    got = (
        str(error)
        if isinstance(error, NotRegularError | TooLargeError)
        else kind_of(error)
    )
    return DatasetError(
        f"Expected a report of at most {_MOST_BYTES} bytes, got {got} for row {row.row}"
        " of the split table. Copy it again."
    )


def _labels(table: Path) -> dict[str, frozenset[str]]:
    """Positive labels by study; a study is `s` and its number, as its files are called."""
    from .._files.tables import columns_of, read_columns
    from .._files.values import positive_labels

    shown = "the table of labels"
    names = [
        column
        for column in columns_of(table, shown)
        if column not in ("subject_id", "study_id")
    ]
    return {
        f"s{study}": positive_labels(
            dict(zip(names, values, strict=True)), f"row {number} of {shown}"
        )
        for number, (study, *values) in read_columns(
            table, ["study_id", *names], shown=shown
        )
    }
