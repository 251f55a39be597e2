"""Open-i / IU X-Ray: the Indiana University chest X-ray collection, from NLM's XML or
from the two-CSV form.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import DatasetError
from .._files.records import Found, ImageRow, Sections, held

if TYPE_CHECKING:
    from .._files.folder_images import FolderImages
    from .report_xml import Report

_IMAGE = "image {} of its reports"
_PROJECTION = "row {} of indiana_projections.csv"
_VIEW_TABLES = ("nlmcxr_dicom_metadata.csv", "nlmcxr_dicom_metadata.csv.gz")


def find(
    *,
    name: str = "open-i",
    reports: str | Path | None = None,
    images: str | Path | None = None,
    views: str | Path | None = None,
) -> Found:
    """What lies on the disk.

    Args:
        name: What the data set is called.
        reports: The folder of NLM's XML files, the archive `NLMCXR_reports.tgz`, or a folder with
            `indiana_reports.csv` and `indiana_projections.csv`.
        images: The folder of PNG or DICOM files, flat or nested; None to go without.
        views: The table of DICOM metadata with `imageid` and `View Position`, which the
        XML lacks; by default the one
            beside the reports or images (`nlmcxr_dicom_metadata.csv[.gz]`), if any.

    A study is its own patient: the publication does not say which studies are of one person.
    """
    from .._files.folder_images import FolderImages
    from .._files.places import require_file, require_root

    holds = "NLM's XML files, their archive, or indiana_reports.csv"
    source = Path(reports).expanduser() if reports is not None else None
    if source is None or not source.is_file():
        source = require_root(reports, "reports", name, holds)
    root = (
        None
        if images is None
        else require_root(images, "images", name, "PNG or DICOM files")
    )
    if source.is_dir() and (source / "indiana_reports.csv").is_file():
        return _of_tables(
            name,
            source,
            None if root is None else FolderImages(root, image_key, named=_PROJECTION),
        )
    opener = None if root is None else FolderImages(root, image_key, named=_IMAGE)
    table = (
        None
        if views is None
        else require_file(views, "views", name, "imageid and View Position")
    )
    beside = [
        folder / file
        for folder in (source.parent, source, root)
        if folder
        for file in _VIEW_TABLES
    ]
    return _of_xml(
        name,
        source,
        opener,
        table or next((file for file in beside if file.is_file()), None),
    )


def _of_xml(
    name: str, source: Path, opener: FolderImages | None, table: Path | None
) -> Found:
    from .._files.values import require_unique
    from .report_xml import read_reports

    found = read_reports(source, name)
    views = {} if table is None else _views(table)
    images = [(report.id, image) for report in found for image in report.images]
    rows = [
        ImageRow(
            image,
            study,
            study,
            views.get(image_key(image), ""),
            image_key(image),
            number,
        )
        for number, (study, image) in enumerate(images, 1)
    ]
    require_unique(((row.row, row.id) for row in rows), "image", _IMAGE)
    return Found(
        name=name,
        split="all",
        images=rows,
        read_reports=held({report.id: report.sections for report in found}),
        locate=opener,
        read_labels=lambda: {report.id: report.labels for report in found},
        counts=_counts(found),
    )


def _counts(reports: list[Report]) -> dict[str, int]:
    findings = [bool(report.sections.findings) for report in reports]
    impression = [bool(report.sections.impression) for report in reports]
    return {
        "reports": len(reports),
        "reports without images": sum(not report.images for report in reports),
        "studies with images": sum(bool(report.images) for report in reports),
        "reports with empty findings": findings.count(False),
        "reports with empty impression": impression.count(False),
        "reports with neither": sum(
            not (one or other) for one, other in zip(findings, impression, strict=True)
        ),
    }


def _views(table: Path) -> dict[str, str]:
    from .._files.tables import read_columns
    from .._files.views import view_of

    read = read_columns(table, ["imageid", "View Position"], shown="the table of views")
    return {image_key(image): view_of(view) for _, (image, view) in read}


def _of_tables(name: str, folder: Path, opener: FolderImages | None) -> Found:
    """The two-CSV form: reports by `uid`, images by `filename` with their projection."""
    from .._files.places import checked_place
    from .._files.tables import read_columns
    from .._files.values import require_unique
    from .._files.views import view_of
    from .report_xml import whole

    projections = folder / "indiana_projections.csv"
    if not projections.is_file():
        raise DatasetError(
            "Expected indiana_projections.csv beside indiana_reports.csv, got none."
            " Copy it into the same folder."
        )
    texts, labels = {}, {}
    columns = ["uid", "findings", "impression"]
    optional = ["comparison", "indication", "Problems"]
    read = list(
        read_columns(
            folder / "indiana_reports.csv",
            columns,
            optional,
            shown="indiana_reports.csv",
        )
    )
    require_unique(
        ((number, values[0]) for number, values in read),
        "uid",
        "row {} of indiana_reports.csv",
    )
    for _, (uid, findings, impression, comparison, indication, problems) in read:
        parts = {
            "COMPARISON": comparison,
            "INDICATION": indication,
            "FINDINGS": findings,
            "IMPRESSION": impression,
        }
        texts[uid] = Sections(findings.strip(), impression.strip(), whole(parts))
        labels[uid] = frozenset(
            part.strip() for part in problems.split(";") if part.strip()
        )
    rows = []
    wanted = ["uid", "filename", "projection"]
    for number, (uid, file, view) in read_columns(
        projections, wanted, shown="indiana_projections.csv"
    ):
        checked_place(file, _PROJECTION.format(number))
        rows.append(ImageRow(file, uid, uid, view_of(view), image_key(file), number))
    require_unique(((row.row, row.id) for row in rows), "filename", _PROJECTION)
    return Found(
        name, "all", rows, held(texts), opener, lambda: labels, {"reports": len(texts)}
    )


def image_key(file: str) -> str:
    """One image's files of several publications: `CXR7_IM-0001-3001.png`,
    `7_IM-0001-3001.dcm[.png]`.

    The XML writes the images of report 1 as `CXR1_1_IM-...`, all others without the second number.
    """
    stem = file.rpartition("/")[2]
    for suffix in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".dcm"):
        stem = stem.removesuffix(suffix)
    return re.sub(r"^(\d+)_\1_", r"\1_", stem.removeprefix("CXR"))
