"""CheXpert 5x200 (the CSVs of GLoRIA and of MedCLIP) and CheXpert Plus."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..catalogue import Catalogue
from ..errors import DatasetError
from . import DatasetEntry
from ._entries import entry_of
from ._records import Found, ImageRow, Sections, held

if TYPE_CHECKING:
    from ._file_index import FolderImages

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
        name: What the data set is called.
        path: The table: CheXpert's own columns with `Path` and `Report Impression` (GLoRIA's), or `imgpath` (MedCLIP's,
            which has lateral images too, and no reports).
        images: The folder that holds `CheXpert-v1.0[-small]/`; None to go without images.
        reports: A table of `Path` and `Report Impression`, where `path` has no reports.

    Labels are the five classes; the publication drew its images without a seed, so that no two copies need agree.
    """
    from ._places import checked_place, require_file
    from ._tables import columns_of, positive_labels, read_columns, require_unique

    file = require_file(path, "path", name, "Path or imgpath, and the labels")
    column = "Path" if "Path" in columns_of(file) else "imgpath"
    has_reports = "Report Impression" in columns_of(file)
    if not has_reports and reports is None:
        raise DatasetError(
            f"Expected reports=FILE of {name} (Path and Report Impression), for {file.name} has no reports, got none. "
            "Give the table that has them."
        )
    other = {} if reports is None else _reports(require_file(reports, "reports", name, "Path and Report Impression"))
    rows, texts, labels = [], {}, {}
    optional = ["Report Impression", "Frontal/Lateral", *FIVE]
    for number, (written, text, view, *marks) in read_columns(file, [column], optional):
        image = checked_place(written, f"row {number} of {file.name}")
        said = other.get(_key(image), "") if not has_reports else text
        texts[image] = Sections("", said, said)
        labels[image] = positive_labels(dict(zip(FIVE, marks, strict=True)))
        rows.append(ImageRow(image, image, patient_of(image), _view(view), image, number))
    require_unique(((row.row, row.id) for row in rows), column, file.name)
    return Found(name, "all", rows, held(texts), opener(images, name), lambda: labels)


def _reports(table: Path) -> dict[str, str]:
    from ._tables import read_columns

    return {_key(image): text for _, (image, text) in read_columns(table, ["Path", "Report Impression"])}


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
        name: What the data set is called.
        path: `df_chexpert_plus_240401.csv`.
        images: The folder that `path_to_image` is relative to (the tree that holds `train/` and `valid/`, such as
            `PNG/PNG`); .png is taken where the table says .jpg, and the other way round. None to go without images.
        labels: CheXbert's labels as published, `impression_fixed.json` or `findings_fixed.json` (JSON Lines).
        split: `valid` (what most users test on), `train` or `all`.
    """
    from ._places import checked_place, require_file
    from ._tables import read_columns, require_unique

    file = require_file(path, "path", name, "df_chexpert_plus_240401.csv")
    columns = ["path_to_image", "deid_patient_id", "split", "section_findings", "section_impression", "report"]
    rows, texts = [], {}
    for number, (written, patient, part, findings, impression, full, view) in read_columns(
        file, columns, ["frontal_lateral"]
    ):
        if split not in ("all", part):
            continue
        image = checked_place(written, f"row {number} of {file.name}")
        study = str(PurePosixPath(image).parent)
        texts[study] = Sections(findings.strip(), impression.strip(), full.strip())
        rows.append(ImageRow(image, study, patient, _view(view), image, number))
    require_unique(((row.row, row.id) for row in rows), "path_to_image", file.name)
    table = None if labels is None else require_file(labels, "labels", name, "CheXbert's labels")
    return Found(
        name=name,
        split=split,
        images=rows,
        read_reports=held(texts),
        locate=opener(images, name),
        read_labels=None if table is None else lambda: _chexbert(table),
    )


def _chexbert(table: Path) -> dict[str, frozenset[str]]:
    """JSON Lines with `path_to_image` and a number a label, whatever the file's suffix."""
    import json

    labels = {}
    for number, line in enumerate(table.read_text(encoding="utf-8-sig").splitlines(), 1):
        try:
            marks = json.loads(line)
            image = marks.pop("path_to_image")
        except (ValueError, KeyError, AttributeError):
            raise DatasetError(
                f"Expected an object with path_to_image, got another line {number} in {table.name}. Copy it again."
            ) from None
        labels[str(PurePosixPath(image).parent)] = frozenset(key for key, value in marks.items() if value == 1)
    return labels


def opener(images: str | Path | None, name: str) -> FolderImages | None:
    from ._file_index import FolderImages
    from ._places import require_root

    if images is None:
        return None
    root = require_root(images, "images", name, "the folder that the table's paths are relative to")
    return FolderImages(root, also=_elsewhere)


def _elsewhere(place: str) -> list[str]:
    """Other editions: without the first folder (`CheXpert-v1.0-small/`), .png for .jpg and the other way round."""
    inner = place.partition("/")[2]
    return [f"{one.rpartition('.')[0]}.{suffix}" for one in (place, inner) if one for suffix in ("jpg", "png")]


def patient_of(image: str) -> str:
    """`patient00001` of `CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg`."""
    return next((part for part in PurePosixPath(image).parts if part.startswith("patient")), image)


def _view(written: str) -> str:
    from ._views import view_of

    return view_of(written)


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(entry_of("chexpert-5x200", "CheXpert 5x200 with its impressions", find_5x200, text="impression"))
    catalogue.add(entry_of("chexpert-plus", "CheXpert Plus", find_plus, text="findings+impression"))
