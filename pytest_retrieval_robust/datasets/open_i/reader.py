"""Open-i, the chest X-ray collection of Indiana University: NLM's XML, or the two-CSV form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import DatasetError
from .._files.records import ImageRow, Sections, SourceData, reports_in_memory

if TYPE_CHECKING:
    from .._files.folder_images import FolderImages
    from .report_xml import Report

_IMAGE = "image {} of its reports"
_PROJECTION = "row {} of indiana_projections.csv"
_REPORT = "row {} of indiana_reports.csv"
_VIEW_TABLES = ("nlmcxr_dicom_metadata.csv", "nlmcxr_dicom_metadata.csv.gz")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".dcm")


@dataclass(frozen=True, repr=False)
class Options:
    """Where Open-i lies."""

    reports: str | Path | None = None
    """The folder of NLM's XML files, the archive `NLMCXR_reports.tgz`, or a folder with
    `indiana_reports.csv` and `indiana_projections.csv`.
    """
    images: str | Path | None = None
    """The folder of PNG or DICOM files, flat or nested; None to go without."""
    views: str | Path | None = None
    """The table of DICOM metadata with `imageid` and `View Position`, which the XML lacks;
    by default the one beside the reports or images (`nlmcxr_dicom_metadata.csv[.gz]`), if
    any.
    """


def read(options: Options, name: str) -> SourceData:
    """The images of the reports, in either form.

    A study is its own patient: the publication does not say which studies are of one
    person.
    """
    from .._files.folder_images import FolderImages
    from .._files.paths import require_file, require_root

    source = _report_source(options.reports, name)
    root = None
    if options.images is not None:
        root = require_root(options.images, "images", name, "PNG or DICOM files")
    # The two-CSV form is recognised by the name of its table.
    has_tables = source.is_dir() and (source / "indiana_reports.csv").is_file()
    locate = None
    if root is not None:
        row_name = _PROJECTION if has_tables else _IMAGE
        locate = FolderImages(root, image_key, row_name=row_name)
    if has_tables:
        return _from_tables(name, source, locate)

    if options.views is not None:
        holds = "imageid and View Position"
        views: Path | None = require_file(options.views, "views", name, holds)
    else:
        views = _view_table_beside(source, root)
    return _from_xml(name, source, locate, views)


def _report_source(reports: str | Path | None, name: str) -> Path:
    from .._files.paths import require_root

    if reports is not None:
        archive = Path(reports).expanduser()
        if archive.is_file():
            return archive
    holds = "NLM's XML files, their archive, or indiana_reports.csv"
    return require_root(reports, "reports", name, holds)


def _view_table_beside(source: Path, root: Path | None) -> Path | None:
    """The table of views beside the reports, among them, or among the images."""
    for folder in (source.parent, source, root):
        if folder is None:
            continue
        for file in _VIEW_TABLES:
            if (folder / file).is_file():
                return folder / file
    return None


def _from_xml(
    name: str, source: Path, locate: FolderImages | None, view_table: Path | None
) -> SourceData:
    from .._files.values import require_unique
    from .._files.views import view_of
    from .report_xml import read_reports

    reports = read_reports(source, name)
    positions = {} if view_table is None else _positions(view_table)
    projections = [""]
    images = [(report.id, image) for report in reports for image in report.images]
    rows: list[ImageRow] = []
    for number, (study, image) in enumerate(images, 1):
        # Views and files are found by what all spellings of an image share.
        key = image_key(image)
        projections.append(positions.get(key, ""))
        rows.append(
            ImageRow(
                id=image,
                study=study,
                patient=study,
                view=view_of(projections[number]),
                location=key,
                row=number,
            )
        )
    require_unique(((row.row, row.id) for row in rows), "image", _IMAGE)
    return SourceData(
        name=name,
        split="all",
        images=rows,
        read_reports=reports_in_memory(
            {report.id: report.sections for report in reports}
        ),
        locate=locate,
        read_labels=lambda: {report.id: report.labels for report in reports},
        counts=_counts(reports),
        strata={} if view_table is None else {"projection": projections},
    )


def _counts(reports: Sequence[Report]) -> dict[str, int]:
    sections = [report.sections for report in reports]
    with_images = sum(bool(report.images) for report in reports)
    return {
        "reports": len(reports),
        "reports without images": len(reports) - with_images,
        "studies with images": with_images,
        "reports with empty findings": sum(not part.findings for part in sections),
        "reports with empty impression": sum(not part.impression for part in sections),
        "reports with neither": sum(
            not part.findings and not part.impression for part in sections
        ),
    }


def _positions(table: Path) -> dict[str, str]:
    """Image key -> view position as written."""
    from .._files.tables import read_columns

    columns = ["imageid", "View Position"]
    rows = read_columns(table, columns, title="the table of views")
    return {image_key(image): position for _, (image, position) in rows}


def _from_tables(name: str, folder: Path, locate: FolderImages | None) -> SourceData:
    """The two-CSV form: reports by `uid`, images by `filename` with their projection."""
    from .._files.paths import checked_path
    from .._files.tables import read_columns
    from .._files.values import require_unique
    from .._files.views import view_of

    projections = folder / "indiana_projections.csv"
    if not projections.is_file():
        raise DatasetError(
            "Expected indiana_projections.csv beside indiana_reports.csv, got none."
            " Copy it into the same folder."
        )
    texts, labels = _table_reports(folder / "indiana_reports.csv")
    rows: list[ImageRow] = []
    columns = ["uid", "filename", "projection"]
    images = read_columns(projections, columns, title=projections.name)
    for number, (uid, file, projection) in images:
        checked_path(file, _PROJECTION.format(number))
        rows.append(
            ImageRow(
                id=file,
                study=uid,
                patient=uid,
                view=view_of(projection),
                location=image_key(file),
                row=number,
            )
        )
    require_unique(((row.row, row.id) for row in rows), "filename", _PROJECTION)
    return SourceData(
        name=name,
        split="all",
        images=rows,
        read_reports=reports_in_memory(texts),
        locate=locate,
        read_labels=lambda: labels,
        counts={"reports": len(texts)},
    )


def _table_reports(
    table: Path,
) -> tuple[dict[str, Sections], dict[str, frozenset[str]]]:
    """Reports and labels by `uid`."""
    from .._files.tables import read_columns
    from .._files.values import require_unique, words_of
    from .report_xml import whole_report

    columns = ["uid", "findings", "impression"]
    optional = ["comparison", "indication", "Problems"]
    # The whole table first: its columns are checked before the ids.
    rows = list(read_columns(table, columns, optional, title=table.name))
    require_unique(((number, values[0]) for number, values in rows), "uid", _REPORT)
    texts: dict[str, Sections] = {}
    labels: dict[str, frozenset[str]] = {}
    for _, (uid, findings, impression, comparison, indication, problems) in rows:
        full = whole_report(
            {
                "COMPARISON": comparison,
                "INDICATION": indication,
                "FINDINGS": findings,
                "IMPRESSION": impression,
            }
        )
        texts[uid] = Sections(findings.strip(), impression.strip(), full)
        labels[uid] = words_of(problems)
    return texts, labels


def image_key(file: str) -> str:
    """What the names of an image have in common in several publications.

    They are `CXR7_IM-0001-3001.png` and `7_IM-0001-3001.dcm[.png]`. The XML writes the
    images of report 1 as `CXR1_1_IM-...`, all others without the second number.
    """
    stem = file.rpartition("/")[2]
    # One after the other: a converted file may be called `.dcm.png`.
    for suffix in _SUFFIXES:
        stem = stem.removesuffix(suffix)
    return re.sub(r"^(\d+)_\1_", r"\1_", stem.removeprefix("CXR"))
