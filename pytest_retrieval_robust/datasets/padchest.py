"""PadChest: Spanish reports, stemmed and without punctuation; users warn against them
as supervision.
"""

from __future__ import annotations

import ast
from pathlib import Path

from ..core.catalogue import Catalogue
from ._files.entries import entry_of
from ._files.records import Found, ImageRow, Sections, alone, held, patient_or_study
from .entry import DatasetEntry

_VIEWS = {"PA": "frontal", "AP": "frontal", "AP_horizontal": "frontal", "L": "lateral"}

_NONE: frozenset[str] = frozenset()


def find(
    *,
    name: str = "padchest",
    path: str | Path | None = None,
    images: str | Path | None = None,
) -> Found:
    """What lies on the disk.

    Args:
        name: What the data set is called. path:
        `PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv`, also as .csv.gz. images:
        The folder with `<ImageDir>/<ImageID>` or with all images flat; 16-bit PNG. None
        to go without.

    Views go by Projection: PA, AP and AP_horizontal are frontal, L lateral; COSTAL and
    EXCLUDE neither.
    """
    from ._files.folder_images import FolderImages
    from ._files.places import checked_place, require_file, require_root
    from ._files.tables import read_columns
    from ._files.values import require_unique

    file = require_file(
        path, "path", name, "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
    )
    columns = ["ImageID", "StudyID", "PatientID", "Projection", "Report"]
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    written: dict[str, str] = {}
    several: set[str] = set()
    for number, (image, study_id, patient, view, report, labels) in read_columns(
        file, columns, ["Labels"]
    ):
        checked_place(image, f"row {number} of its table")
        study = study_id or alone(number)
        rows.append(
            ImageRow(
                image,
                study,
                patient_or_study(patient, study),
                _VIEWS.get(view, ""),
                image,
                number,
            )
        )
        sections = Sections("", "", report.strip())
        if texts.setdefault(study, sections) != sections:
            several.add(study)
        written.setdefault(study, labels)
    require_unique(((row.row, row.id) for row in rows), "ImageID")
    root = (
        None
        if images is None
        else require_root(images, "images", name, "PNG files, in <ImageDir>/ or flat")
    )
    return Found(
        name=name,
        split="all",
        images=rows,
        read_reports=held(texts),
        locate=None if root is None else FolderImages(root, str),
        read_labels=lambda: {study: _labels(text) for study, text in written.items()},
        counts=(
            {"studies with several texts, of which the first is taken": len(several)}
            if several
            else {}
        ),
        texts_as_published=True,
    )


def _labels(text: str) -> frozenset[str]:
    """`['normal', ' unchanged']` as the table writes it; nothing for what is no such list."""
    try:
        found = ast.literal_eval(text) if text.strip() else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _NONE
    return (
        frozenset(str(label).strip() for label in found if str(label).strip())
        if isinstance(found, list)
        else _NONE
    )


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of(
            "padchest",
            "PadChest: 160,868 images with Spanish reports",
            find,
            text="full",
        )
    )
