"""ReXGradient-160K: chest radiographs of 79 sites, with reports in four sections.

The layout is that of the data set's card (rajpurkarlab/ReXGradient-160K) and of the
loaders that read it: `metadata/<split>_metadata_view_position.json` is one object of
studies. Each has StudyInstanceUid, PatientID, Indication, Comparison, Findings,
Impression, and two lists beside each other, ImagePath and ImageViewPosition. The table
`<split>_metadata.csv` names no images. Paths are written from the folder of metadata:
`../deid_png/<patient>/<accession>/studies/.../instances/<image>.png`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.catalogue import Catalogue, unknown_name
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
from ._files.strata import StrataOfRows
from ._pixels.damage import attempted, kind_of
from .entry import DatasetEntry

if TYPE_CHECKING:
    from ._files.folder_images import FolderImages

_SPLITS = ("train", "valid", "test")
_FILE = "{}_metadata_view_position.json"
_PICTURES = "deid_png"
_IMAGE = "image {} of its metadata"
"""How messages name an image: by its number among all images of the split."""
_REPORT = ("Indication", "Comparison", "Findings", "Impression")
_STRATA = ("PatientSex", "PatientAge")
_FIELDS = (
    *("StudyInstanceUid", "PatientID", "ImagePath", "ImageViewPosition"),
    *_STRATA,
    *_REPORT,
)
_NO_TEXT = ("none", "nan")
"""What Python and pandas write for an absent section."""
_MOST_CHARACTERS = 1 << 30
"""Of a file of metadata: several times what 140,000 studies take."""


@dataclass(frozen=True, repr=False)
class Options:
    """Where ReXGradient-160K lies, and which part of it is read."""

    metadata: str | Path | None = None
    """The folder with `test_metadata_view_position.json`, or the one above it."""
    images: str | Path | None = None
    """The folder that `deid_png.part*` were unpacked to, or `deid_png` in it. None to go
    without images.
    """
    split: str = "test"
    """`test` (the public one), `valid` or `train`."""


@dataclass(repr=False)
class _Split:
    """What was found in the studies so far."""

    rows: list[ImageRow] = field(default_factory=list)
    texts: dict[str, Sections] = field(default_factory=dict)
    strata: StrataOfRows = field(default_factory=lambda: StrataOfRows(_STRATA))
    studies_with_several: set[str] = field(default_factory=set)
    without_images: int = 0
    without_views: int = 0

    @property
    def counts(self) -> dict[str, int]:
        counts = several_texts(len(self.studies_with_several))
        if self.without_images:
            counts["studies without images"] = self.without_images
        if self.without_views:
            reason = "studies whose list of views does not fit their images"
            counts[reason] = self.without_views
        return counts


def read(options: Options, name: str) -> SourceData:
    """The images of a split, with the reports of their studies.

    The data has no labels; strata are sex and age. Two studies of one StudyInstanceUid
    are one: the first text is taken, and `inspect` counts them.
    """
    from ._files.values import require_unique

    if options.split not in _SPLITS:
        raise unknown_name("split", options.split, _SPLITS)
    split = _Split()
    studies = _studies(_metadata_file(options, name), name)
    for number, (key, fields) in enumerate(studies.items(), start=1):
        _add_study(split, key, fields, f"study {number} of its metadata")
    pairs = ((row.row, row.id) for row in split.rows)
    require_unique(pairs, "ImagePath", _IMAGE)
    return SourceData(
        name=name,
        split=options.split,
        images=split.rows,
        read_reports=reports_in_memory(split.texts),
        locate=_folder_images(options.images, name),
        counts=split.counts,
        strata=split.strata.by_name(),
    )


def _metadata_file(options: Options, name: str) -> Path:
    from ._files.paths import require_file, require_root

    file = _FILE.format(options.split)
    root = require_root(options.metadata, "metadata", name, file)
    inner = root / "metadata"
    folder = inner if inner.is_dir() else root
    return require_file(folder / file, "metadata", name, file)


def _studies(file: Path, name: str) -> Mapping[str, Any]:
    """The studies of a split by their keys, in the file's order."""
    from ._files.streams import open_text

    def damaged(error: BaseException) -> DatasetError:
        return DatasetError(
            f"Expected JSON in the metadata of {name}, got {kind_of(error)}. Copy it"
            " again."
        )

    def parsed() -> Any:
        with open_text(file) as stream:
            text = stream.read(_MOST_CHARACTERS + 1)
        if len(text) > _MOST_CHARACTERS:
            raise DatasetError(
                f"Expected metadata of {name} of at most {_MOST_CHARACTERS} characters,"
                " got more. Copy it again."
            )
        return json.loads(text, object_pairs_hook=_used_fields)

    studies = attempted(parsed, damaged)
    if not isinstance(studies, dict):
        raise DatasetError(
            f"Expected an object of studies in the metadata of {name}, got another"
            " value. Copy it again."
        )
    return studies


def _used_fields(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the file, of a study only what is used: files are large."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise DatasetError(
            "Expected each study and field once in the metadata, got one twice. Copy it"
            " again."
        )
    used = {name: fields[name] for name in _FIELDS if name in fields}
    # The outermost object holds studies, not fields.
    return used or fields


def _add_study(split: _Split, key: str, fields: Any, where: str) -> None:
    from ._files.values import as_text
    from ._files.views import view_of

    if not isinstance(fields, dict):
        raise DatasetError(
            f"Expected an object, got another value in {where}. Copy it again."
        )
    study = as_text(fields.get("StudyInstanceUid"), "StudyInstanceUid", where) or key
    patient = as_text(fields.get("PatientID"), "PatientID", where)
    sections = _sections(fields, where)
    if split.texts.setdefault(study, sections) != sections:
        split.studies_with_several.add(study)

    paths = _words(fields, "ImagePath", where)
    views = _words(fields, "ImageViewPosition", where)
    split.without_images += not paths
    if len(views) != len(paths):
        # Nobody knows which image has which view.
        split.without_views += 1
        views = [""] * len(paths)
    words = [as_text(fields.get(name), name, where) for name in _STRATA]
    for path, view in zip(paths, views, strict=True):
        location = _location(path, where)
        split.strata.add(len(split.rows) + 1, words)
        split.rows.append(
            ImageRow(
                id=location,
                study=study,
                patient=patient_or_study(patient, study),
                view=view_of(view),
                location=location,
                row=len(split.rows) + 1,
            )
        )


def _words(fields: Mapping[str, Any], name: str, where: str) -> list[str]:
    """A list of texts; "" for those that are missing, and none for a missing list."""
    from ._files.values import as_text, is_missing

    values = fields.get(name)
    if is_missing(values):
        return []
    if not isinstance(values, list):
        raise DatasetError(
            f"Expected a list as {name}, got another value in {where}. Copy the metadata"
            " again."
        )
    return [as_text(value, name, where) for value in values]


def _sections(fields: Mapping[str, Any], where: str) -> Sections:
    texts = {name: _section(fields.get(name), name, where) for name in _REPORT}
    headed = [f"{name.upper()}: {text}" for name, text in texts.items() if text]
    return Sections(texts["Findings"], texts["Impression"], "\n".join(headed))


def _section(value: object, name: str, where: str) -> str:
    from ._files.values import section_of

    text = section_of(value, name, where).strip()
    return "" if text.lower() in _NO_TEXT else text


def _location(path: str, where: str) -> str:
    """A path below `deid_png`, of which the metadata writes where it lies to itself."""
    from ._files.paths import checked_path

    below = path.replace("\\", "/").rpartition(f"{_PICTURES}/")[2]
    return checked_path(below, where)


def _folder_images(images: str | Path | None, name: str) -> FolderImages | None:
    from ._files.folder_images import FolderImages
    from ._files.paths import require_root

    if images is None:
        return None
    root = require_root(images, "images", name, f"{_PICTURES}/")
    return FolderImages(root, also=_in_its_folder, row_name=_IMAGE)


def _in_its_folder(path: str) -> list[str]:
    return [f"{_PICTURES}/{path}"]


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="rexgradient",
        summary="ReXGradient-160K: chest radiographs of 79 sites with reports",
        options=Options,
        read=read,
        text="findings+impression",
    )
    catalogue.add(reader.entry())
