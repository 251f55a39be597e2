"""PadChest: Spanish reports, stemmed and without punctuation.

Its users warn against these reports as supervision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..core.catalogue import Catalogue
from ._files.entries import Reader
from ._files.records import (
    ImageRow,
    Sections,
    SourceData,
    own_study,
    patient_or_study,
    reports_in_memory,
    several_texts,
)
from .entry import DatasetEntry

_TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
_COLUMNS = ("ImageID", "StudyID", "PatientID", "Projection", "Report")
_VIEWS = {"PA": "frontal", "AP": "frontal", "AP_horizontal": "frontal", "L": "lateral"}
"""Projection -> view. COSTAL and EXCLUDE are neither."""
_FACTS = ("PatientSex_DICOM", "PatientBirth", "StudyDate_DICOM")
_YEAR = re.compile(r"(?:19|20)\d\d")
_STRATA = ("PatientSex_DICOM", "age", "Projection")


@dataclass(frozen=True, repr=False)
class Options:
    """Where PadChest lies."""

    path: str | Path | None = None
    """`PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv`, also as .csv.gz."""
    images: str | Path | None = None
    """The folder with `<ImageDir>/<ImageID>` or with all images flat; 16-bit PNG. None to
    go without images.
    """


def read(options: Options, name: str) -> SourceData:
    """The images of the table, with their reports and labels.

    Strata are sex, projection, and age: the year of the study less that of birth.
    """
    from ._files.folder_images import FolderImages
    from ._files.paths import checked_path, require_file, require_root
    from ._files.strata import StrataOfRows
    from ._files.tables import read_columns
    from ._files.values import listed_words, require_unique

    table = require_file(options.path, "path", name, _TABLE)
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    written_labels: dict[str, str] = {}
    studies_with_several: set[str] = set()
    strata = StrataOfRows(_STRATA)
    for number, values in read_columns(table, _COLUMNS, ["Labels", *_FACTS]):
        image, study_id, patient, projection, report, labels, *facts = values
        sex, birth, date = facts
        strata.add(number, (sex, _age(birth, date), projection))
        checked_path(image, f"row {number} of its table")
        # Blank studies are not one study together.
        study = study_id or own_study(number)
        sections = Sections(full=report.strip())
        if texts.setdefault(study, sections) != sections:
            studies_with_several.add(study)
        written_labels.setdefault(study, labels)
        rows.append(
            ImageRow(
                id=image,
                study=study,
                patient=patient_or_study(patient, study),
                view=_VIEWS.get(projection, ""),
                location=image,
                row=number,
            )
        )
    require_unique(((row.row, row.id) for row in rows), "ImageID")

    locate = None
    if options.images is not None:
        holds = "PNG files, in <ImageDir>/ or flat"
        root = require_root(options.images, "images", name, holds)
        locate = FolderImages(root, key=str)
    return SourceData(
        name=name,
        split="all",
        images=rows,
        read_reports=reports_in_memory(texts),
        locate=locate,
        # The lists are parsed only if labels are asked for.
        read_labels=lambda: {
            study: listed_words(labels) for study, labels in written_labels.items()
        },
        counts=several_texts(len(studies_with_several)),
        strata=strata.by_name(),
        texts_as_published=True,
    )


def _age(birth: str, date: str) -> str:
    """Years from the year of birth (`1953` or `1953.0`) to that of a date (`20140915`).

    "" if either is missing. The table has no day of birth.
    """
    born = _YEAR.match(birth.strip())
    examined = _YEAR.match(date.strip())
    if born is None or examined is None:
        return ""
    return str(max(0, int(examined[0]) - int(born[0])))


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="padchest",
        summary="PadChest: 160,868 images with Spanish reports",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
