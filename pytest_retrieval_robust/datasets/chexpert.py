"""CheXpert 5x200 (the CSVs of GLoRIA and of MedCLIP) and CheXpert Plus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..core.catalogue import Catalogue
from ..core.errors import DatasetError
from ._files.damage import kind_of
from ._files.entries import entry_of
from ._files.records import Found, ImageRow, Sections, held, patient_or_study
from .entry import DatasetEntry

if TYPE_CHECKING:
    from ._files.folder_images import FolderImages

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
"""The five classes of the 5x200 set, of which each image shows exactly one."""


def find_5x200(
    *,
    name: str = "chexpert-5x200",
    path: str | Path | None = None,
    images: str | Path | None = None,
    reports: str | Path | None = None,
) -> Found:
    """What lies on the disk.

    Args:
        name: What the data set is called. path: The table: CheXpert's own columns with
        `Path` and `Report Impression` (GLoRIA's), or `imgpath` (MedCLIP's,
            which has lateral images too, and no reports).
        images: The folder that holds `CheXpert-v1.0[-small]/`; None to go without images.
        reports: A table of `Path` and `Report Impression`, where `path` has no reports.

    Labels are the five classes; the publication drew its images without a seed, so that
    no two copies need agree.
    """
    from ._files.places import checked_place, require_file
    from ._files.tables import columns_of, read_columns
    from ._files.values import positive_labels, require_unique

    file = require_file(path, "path", name, "Path or imgpath, and the labels")
    columns = columns_of(file)
    column = "Path" if "Path" in columns else "imgpath"
    has_reports = "Report Impression" in columns
    if not has_reports and reports is None:
        raise DatasetError(
            f"Expected reports=FILE of {name} (Path and Report Impression), because its"
            " table has no reports, got none. Give the table that has them."
        )
    other: dict[str, str] = {}
    counts: dict[str, int] = {}
    if reports is not None:
        other, counts = _reports(
            require_file(reports, "reports", name, "Path and Report Impression")
        )
    rows, texts, labels = [], {}, {}
    optional = ["Report Impression", "Frontal/Lateral", *FIVE]
    for number, (written, text, view, *marks) in read_columns(file, [column], optional):
        shown = f"row {number} of its table"
        image = checked_place(written, shown)
        said = other.get(_key(image), "") if not has_reports else text
        texts[image] = Sections("", said, said)
        labels[image] = positive_labels(dict(zip(FIVE, marks, strict=True)), shown)
        rows.append(
            ImageRow(image, image, patient_of(image), _view(view), image, number)
        )
    require_unique(((row.row, row.id) for row in rows), column)
    return Found(
        name, "all", rows, held(texts), opener(images, name), lambda: labels, counts
    )


def _reports(table: Path) -> tuple[dict[str, str], dict[str, int]]:
    """The reports by image, the first one of each, and how many images have several that differ."""
    from ._files.tables import read_columns

    texts: dict[str, str] = {}
    several: set[str] = set()
    for _, (image, text) in read_columns(
        table, ["Path", "Report Impression"], shown="the table of reports"
    ):
        if texts.setdefault(_key(image), text) != text:
            several.add(_key(image))
    return texts, _several(len(several), "images")


def _several(count: int, of: str) -> dict[str, int]:
    return (
        {f"{of} with several texts, of which the first is taken": count}
        if count
        else {}
    )


def _key(image: str) -> str:
    """An image in the full and the small edition: from its patient's folder on."""
    parts = PurePosixPath(image).parts
    start = next((n for n, part in enumerate(parts) if part.startswith("patient")), 0)
    return "/".join(parts[start:]).rpartition(".")[0]


def find_plus(
    *,
    name: str = "chexpert-plus",
    path: str | Path | None = None,
    images: str | Path | None = None,
    labels: str | Path | None = None,
    split: str = "valid",
) -> Found:
    """What lies on the disk.

    Args:
        name: What the data set is called. path: `df_chexpert_plus_240401.csv`. images:
        The folder that `path_to_image` is relative to (the tree that holds `train/` and
        `valid/`, such as
            `PNG/PNG`); .png or .dcm is taken where the table says .jpg and there is
            none. None to go without images.
        labels: CheXbert's labels as published, `impression_fixed.json` or
        `findings_fixed.json` (JSON Lines). split: `valid` (what most users test on),
        `train` or `all`.

    Its makers anonymised some reports once for each image, so that a study may have
    several texts: the first one is taken, and `inspect` counts such studies.
    """
    from ._files.places import checked_place, require_file
    from ._files.tables import read_columns
    from ._files.values import require_unique

    file = require_file(path, "path", name, "df_chexpert_plus_240401.csv")
    columns = [
        "path_to_image",
        "deid_patient_id",
        "split",
        "section_findings",
        "section_impression",
        "report",
    ]
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    several: set[str] = set()
    for number, (
        written,
        patient,
        part,
        findings,
        impression,
        full,
        view,
    ) in read_columns(file, columns, ["frontal_lateral"]):
        if split not in ("all", part):
            continue
        image = checked_place(written, f"row {number} of its table")
        study = str(PurePosixPath(image).parent)
        sections = Sections(findings.strip(), impression.strip(), full.strip())
        if texts.setdefault(study, sections) != sections:
            several.add(study)
        rows.append(
            ImageRow(
                image,
                study,
                patient_or_study(patient, study),
                _view(view),
                image,
                number,
            )
        )
    require_unique(((row.row, row.id) for row in rows), "path_to_image")
    table = (
        None
        if labels is None
        else require_file(labels, "labels", name, "CheXbert's labels")
    )
    return Found(
        name=name,
        split=split,
        images=rows,
        read_reports=held(texts),
        locate=opener(images, name),
        read_labels=None if table is None else lambda: _chexbert(table),
        counts=_several(len(several), "studies"),
    )


def _chexbert(table: Path) -> dict[str, frozenset[str]]:
    """JSON Lines with `path_to_image` and a number per label, whatever the file's
    suffix; the first of a study.
    """
    from ._files.damage import guarded

    labels: dict[str, frozenset[str]] = {}
    line = _Line()
    for image, marks in guarded(_marks(table, line), line.problem):
        its_labels = frozenset(key for key, value in marks.items() if value == 1)
        labels.setdefault(str(PurePosixPath(image).parent), its_labels)
    return labels


@dataclass
class _Line:
    """The line of the labels' file that is being read, for messages."""

    number: int = 0

    def problem(self, error: BaseException) -> DatasetError:
        return DatasetError(
            f"Expected an object with path_to_image, got {kind_of(error)} in line"
            f" {self.number} of the file of labels. Copy it again."
        )


def _marks(table: Path, line: _Line) -> Iterator[tuple[str, dict[str, object]]]:
    from ._files.streams import lines_of, open_text

    with open_text(table) as stream:
        for written in lines_of(stream):
            line.number += 1
            if written.strip():
                marks = json.loads(written)
                yield marks.pop("path_to_image"), marks


def opener(images: str | Path | None, name: str) -> FolderImages | None:
    from ._files.folder_images import FolderImages
    from ._files.places import require_root

    if images is None:
        return None
    root = require_root(
        images, "images", name, "the folder that the table's paths are relative to"
    )
    return FolderImages(root, also=_elsewhere)


def _elsewhere(place: str) -> list[str]:
    """Other editions: without the first folder (`CheXpert-v1.0-small/`), and with
    another suffix.
    """
    inner = place.partition("/")[2]
    stems = [one.rpartition(".")[0] for one in (place, inner) if one]
    return [f"{stem}.{suffix}" for stem in stems for suffix in ("jpg", "png", "dcm")]


def patient_of(image: str) -> str:
    """`patient00001` of `CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg`."""
    return next(
        (part for part in PurePosixPath(image).parts if part.startswith("patient")),
        image,
    )


def _view(written: str) -> str:
    from ._files.views import view_of

    return view_of(written)


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of(
            "chexpert-5x200",
            "CheXpert 5x200 with its impressions",
            find_5x200,
            text="impression",
        )
    )
    catalogue.add(
        entry_of(
            "chexpert-plus", "CheXpert Plus", find_plus, text="findings+impression"
        )
    )
