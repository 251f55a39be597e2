"""CheXpert 5x200 (the CSVs of GLoRIA and of MedCLIP) and CheXpert Plus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..core.catalogue import Catalogue
from ..core.errors import DatasetError
from ._files.entries import Reader
from ._files.records import (
    ImageRow,
    Sections,
    SourceData,
    patient_or_study,
    reports_in_memory,
    several_texts,
)
from .entry import DatasetEntry

if TYPE_CHECKING:
    from ._files.folder_images import FolderImages

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
"""The five classes of the 5x200 set, of which each image shows exactly one."""
_REPORT = "Report Impression"
_VIEW = "Frontal/Lateral"
_STRATA_5X200 = ("Sex", "Age", "AP/PA")
_PLUS_COLUMNS = (
    *("path_to_image", "deid_patient_id", "split"),
    *("section_findings", "section_impression", "report"),
)
_PLUS_STRATA = (
    *("age", "sex", "race", "ethnicity", "interpreter_needed", "insurance_type"),
    "ap_pa",
)


@dataclass(frozen=True, repr=False)
class Options5x200:
    """Where CheXpert 5x200 lies."""

    path: str | Path | None = None
    """The table: CheXpert's own columns with `Path` and `Report Impression` (GLoRIA's),
    or `imgpath` (MedCLIP's, which has lateral images too, and no reports).
    """
    images: str | Path | None = None
    """The folder that holds `CheXpert-v1.0[-small]/`; None to go without images."""
    reports: str | Path | None = None
    """A table of `Path` and `Report Impression`, if `path` has no reports."""


def read_5x200(options: Options5x200, name: str) -> SourceData:
    """The images of the table, with their impressions.

    Labels are the five classes, and strata CheXpert's own columns. The publication drew
    its images without a seed, so that no two copies need agree.
    """
    from ._files.paths import checked_path, require_file
    from ._files.strata import StrataOfRows
    from ._files.tables import columns_of, read_columns
    from ._files.values import positive_labels, require_unique

    table = require_file(options.path, "path", name, "Path or imgpath, and the labels")
    columns = columns_of(table)
    path_column = "Path" if "Path" in columns else "imgpath"
    # MedCLIP's table has no reports: they come from another one, by image.
    has_reports = _REPORT in columns
    if not has_reports and options.reports is None:
        raise DatasetError(
            f"Expected reports=FILE of {name} (Path and Report Impression), because its"
            " table has no reports, got none. Give the table that has them."
        )
    other_texts, counts = _other_reports(options.reports, name)
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    labels: dict[str, frozenset[str]] = {}
    strata = StrataOfRows(_STRATA_5X200)
    optional = [_REPORT, _VIEW, *_STRATA_5X200, *FIVE]
    table_rows = read_columns(table, [path_column], optional)
    for number, (path, own_text, view, *values) in table_rows:
        strata.add(number, values[: len(_STRATA_5X200)])
        marks = values[len(_STRATA_5X200) :]
        where = f"row {number} of its table"
        image = checked_path(path, where)
        # Other editions name the same image by another first folder and suffix.
        text = own_text if has_reports else other_texts.get(_edition_key(image), "")
        texts[image] = Sections("", text, text)
        labels[image] = positive_labels(dict(zip(FIVE, marks, strict=True)), where)
        rows.append(
            ImageRow(
                id=image,
                study=image,
                patient=patient_of(image),
                view=_view(view),
                location=image,
                row=number,
            )
        )
    require_unique(((row.row, row.id) for row in rows), path_column)
    return SourceData(
        name=name,
        split="all",
        images=rows,
        read_reports=reports_in_memory(texts),
        locate=_folder_images(options.images, name),
        read_labels=lambda: labels,
        counts=counts,
        strata=strata.by_name(),
    )


def _other_reports(
    reports: str | Path | None, name: str
) -> tuple[dict[str, str], dict[str, int]]:
    """The first report of each image, and how many images have several that differ.

    From the table that the user gave; none without it.
    """
    from ._files.paths import require_file
    from ._files.tables import read_columns

    if reports is None:
        return {}, {}
    table = require_file(reports, "reports", name, "Path and Report Impression")
    texts: dict[str, str] = {}
    images_with_several: set[str] = set()
    rows = read_columns(table, ["Path", _REPORT], title="the table of reports")
    for _, (path, text) in rows:
        image = _edition_key(path)
        if texts.setdefault(image, text) != text:
            images_with_several.add(image)
    return texts, several_texts(len(images_with_several), "images")


def _edition_key(image: str) -> str:
    """An image in the full and the small edition: from its patient's folder on."""
    parts = PurePosixPath(image).parts
    # The folders above differ between editions; the patient's is in all of them.
    start = next((n for n, part in enumerate(parts) if part.startswith("patient")), 0)
    return "/".join(parts[start:]).rpartition(".")[0]


@dataclass(frozen=True, repr=False)
class OptionsPlus:
    """Where CheXpert Plus lies, and which part of it is read."""

    path: str | Path | None = None
    """`df_chexpert_plus_240401.csv`."""
    images: str | Path | None = None
    """The folder that `path_to_image` is relative to: the tree that holds `train/` and
    `valid/`, such as `PNG/PNG`. A .png or .dcm is taken if there is no .jpg, as the table
    says. None to go without images.
    """
    labels: str | Path | None = None
    """CheXbert's labels as published, `impression_fixed.json` or `findings_fixed.json`
    (JSON Lines).
    """
    split: str = "valid"
    """`valid` (what most users test on), `train` or `all`."""


def read_plus(options: OptionsPlus, name: str) -> SourceData:
    """The images of the table, with their reports.

    Its makers anonymised some reports once for each image, so that a study may have
    several texts: the first one is taken, and `inspect` counts such studies. Strata are
    what the table says of the patients.
    """
    from ._files.chexbert import chexbert_labels
    from ._files.paths import checked_path, require_file
    from ._files.strata import StrataOfRows
    from ._files.tables import read_columns
    from ._files.values import require_unique

    table = require_file(options.path, "path", name, "df_chexpert_plus_240401.csv")
    strata = StrataOfRows(_PLUS_STRATA)
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    studies_with_several: set[str] = set()
    optional = ("frontal_lateral", *_PLUS_STRATA)
    for number, values in read_columns(table, _PLUS_COLUMNS, optional):
        path, patient, split, findings, impression, full, view, *words = values
        if options.split not in ("all", split):
            continue
        image = checked_path(path, f"row {number} of its table")
        strata.add(number, words)
        study = _study_of(image)
        sections = Sections(findings.strip(), impression.strip(), full.strip())
        # The first text stands for the study, as the order of the table has it.
        if texts.setdefault(study, sections) != sections:
            studies_with_several.add(study)
        rows.append(
            ImageRow(
                id=image,
                study=study,
                patient=patient_or_study(patient, study),
                view=_view(view),
                location=image,
                row=number,
            )
        )
    require_unique(((row.row, row.id) for row in rows), "path_to_image")

    labels = None
    if options.labels is not None:
        labels = require_file(options.labels, "labels", name, "CheXbert's labels")
    return SourceData(
        name=name,
        split=options.split,
        images=rows,
        read_reports=reports_in_memory(texts),
        locate=_folder_images(options.images, name),
        read_labels=None
        if labels is None
        else lambda: chexbert_labels(labels, _study_of),
        counts=several_texts(len(studies_with_several)),
        strata=strata.by_name(),
    )


def _study_of(image: str) -> str:
    return str(PurePosixPath(image).parent)


def _folder_images(images: str | Path | None, name: str) -> FolderImages | None:
    from ._files.folder_images import FolderImages
    from ._files.paths import require_root

    if images is None:
        return None
    holds = "the folder that the table's paths are relative to"
    root = require_root(images, "images", name, holds)
    return FolderImages(root, also=_other_editions)


def _other_editions(image: str) -> list[str]:
    """Where an image of another edition is.

    Without the first folder (`CheXpert-v1.0-small/`), and with another suffix.
    """
    # `CheXpert-v1.0-small/train/...` lies as `train/...` in other editions.
    inner = image.partition("/")[2]
    stems = [path.rpartition(".")[0] for path in (image, inner) if path]
    return [f"{stem}.{suffix}" for stem in stems for suffix in ("jpg", "png", "dcm")]


def patient_of(image: str) -> str:
    """`patient00001` of `CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg`."""
    parts = PurePosixPath(image).parts
    return next((part for part in parts if part.startswith("patient")), image)


def _view(written: str) -> str:
    from ._files.views import view_of

    return view_of(written)


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    small = Reader(
        name="chexpert-5x200",
        summary="CheXpert 5x200 with its impressions",
        options=Options5x200,
        read=read_5x200,
        text="impression",
    )
    plus = Reader(
        name="chexpert-plus",
        summary="CheXpert Plus",
        options=OptionsPlus,
        read=read_plus,
        text="findings+impression",
    )
    catalogue.add(small.entry())
    catalogue.add(plus.entry())
