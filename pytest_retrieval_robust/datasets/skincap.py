"""SkinCAP: photographs of skin with captions that dermatologists wrote.

The layout is that of the published files (joshuachou/SkinCAP) and of the code that reads
them: `skincap_v240623.csv` has id, skincap_file_path, caption_zh, caption_zh_polish,
caption_zh_polish_en and disease, and the concepts of SkinCon, among them `Do not consider
this image` (1 for 439 of 4,000). The pictures are in `skincap/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.catalogue import Catalogue, unknown_name
from ._files.entries import Reader
from ._files.records import ImageRow, Sections, SourceData, reports_in_memory
from .entry import DatasetEntry

_TABLE = "skincap_v240623.csv"
_IMAGE = "skincap_file_path"
_DISREGARD = "Do not consider this image"
_FOLDERS = ("skincap", "skincap/not_include", "not_include")
"""Where else than in `images` the pictures may be."""
_MARKED = ("keep", "leave-out")
_STRATA = ("fitzpatrick_scale", "malignant")
"""Columns that copies of the table have."""


@dataclass(frozen=True, repr=False)
class Options:
    """Where SkinCAP lies, and what its columns are called."""

    path: str | Path | None = None
    """`skincap_v240623.csv`."""
    images: str | Path | None = None
    """The folder `skincap/`, or the one above it. None to go without images."""
    caption: str = "caption_zh_polish_en"
    """The column of captions. By default the English ones; `caption_zh_polish` and
    `caption_zh` are the Chinese ones that they were made of.
    """
    marked: str = "keep"
    """`keep`, or `leave-out`: without the pictures that the table says not to consider."""


def read(options: Options, name: str) -> SourceData:
    """The pictures with their captions. Labels are diseases, one of each picture.

    Nothing says which pictures are of one patient: each is its own.
    """
    from ._files.folder_images import FolderImages
    from ._files.paths import checked_path, require_file, require_root
    from ._files.strata import StrataOfRows
    from ._files.tables import read_columns
    from ._files.values import is_positive, require_unique

    if options.marked not in _MARKED:
        raise unknown_name("marked", options.marked, _MARKED)
    table = require_file(options.path, "path", name, _TABLE)
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    labels: dict[str, frozenset[str]] = {}
    strata = StrataOfRows(_STRATA)
    marked = 0
    required = (_IMAGE, options.caption)
    optional = ("disease", _DISREGARD, *_STRATA)
    for number, values in read_columns(table, required, optional):
        image, caption, disease, disregard, *words = values
        checked_path(image, f"row {number} of its table")
        if is_positive(disregard):
            marked += 1
            if options.marked == "leave-out":
                continue
        rows.append(
            ImageRow(
                id=image,
                study=image,
                patient=image,
                view="",
                location=image,
                row=number,
            )
        )
        strata.add(number, words)
        texts[image] = Sections(full=caption.strip())
        labels[image] = frozenset([disease.strip()] if disease.strip() else [])
    require_unique(((row.row, row.id) for row in rows), _IMAGE)

    locate = None
    if options.images is not None:
        root = require_root(options.images, "images", name, "the pictures of skincap/")
        locate = FolderImages(root, also=_other_folders)
    return SourceData(
        name=name,
        split="all",
        images=rows,
        read_reports=reports_in_memory(texts),
        locate=locate,
        read_labels=lambda: labels,
        counts=_counts(marked, options),
        strata=strata.by_name(),
        texts_as_published=True,
    )


def _counts(marked: int, options: Options) -> dict[str, int]:
    if options.marked == "leave-out":
        return {"left out: the table says not to consider them": marked}
    return {"images that the table says not to consider": marked}


def _other_folders(path: str) -> list[str]:
    return [f"{folder}/{path}" for folder in _FOLDERS]


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="skincap",
        summary="SkinCAP: 4,000 photographs of skin with captions",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
