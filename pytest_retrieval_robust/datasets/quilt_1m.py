"""Quilt-1M: histopathology pictures of videos, papers, tweets and the web, with captions.

The layout is that of the code that reads it (of the authors of Quilt-1M, and of mmlearn,
whose test counts 13,559 rows of the split val): `quilt_1M_lookup.csv` has a row per pair,
with caption, image_path, subset (quilt, openpath, pubmed, laion), split (train, val) and
pathology, a list as Python writes it. The pictures of `images_part_*.zip` are in
`quilt_1m/`. Frames of a video are called `<video>_image_<number>.jpg`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..core.catalogue import Catalogue, unknown_name
from ._files.entries import Reader
from ._files.records import (
    ImageRow,
    SourceData,
    reports_in_memory,
    sections_of_captions,
)
from .entry import DatasetEntry

_TABLE = "quilt_1M_lookup.csv"
_SOURCES = ("all", "quilt", "openpath", "pubmed", "laion")
_SPLITS = ("all", "train", "val")
_FRAME = "_image_"


@dataclass(frozen=True, repr=False)
class Options:
    """Where Quilt-1M lies, and which part of it is read."""

    path: str | Path | None = None
    """`quilt_1M_lookup.csv`."""
    images: str | Path | None = None
    """The folder that the parts were unpacked to: pictures are found by their names in
    any folder below it. None to go without images.
    """
    split: str = "val"
    """`val`, `train` or `all`."""
    source: str = "all"
    """Only the rows whose column `subset` has this word: `quilt`, `openpath`, `pubmed` or
    `laion`.
    """


@dataclass(repr=False)
class _Picture:
    """What the rows of one picture say of it."""

    row: int
    """Its first row."""
    captions: list[str] = field(default_factory=list)
    written_labels: set[str] = field(default_factory=set)


def read(options: Options, name: str) -> SourceData:
    """The pictures of a split, each with the captions of all its rows.

    Labels are the kinds of pathology. The data names no patients: frames of one video
    count as one, because they are seldom of two, and every other picture as its own.
    """
    from ._files.folder_images import FolderImages
    from ._files.paths import require_file, require_root

    if options.split not in _SPLITS:
        raise unknown_name("split", options.split, _SPLITS)
    if options.source not in _SOURCES:
        raise unknown_name("source", options.source, _SOURCES)
    table = require_file(options.path, "path", name, _TABLE)
    pictures, counts = _read_pictures(table, options)
    locate = None
    if options.images is not None:
        root = require_root(options.images, "images", name, "the pictures")
        locate = FolderImages(root, key=str)
    texts = {
        image: sections_of_captions(picture.captions)
        for image, picture in pictures.items()
    }
    return SourceData(
        name=name,
        split=options.split,
        images=[_image_row(image, picture.row) for image, picture in pictures.items()],
        read_reports=reports_in_memory(texts),
        locate=locate,
        # The lists are parsed only if labels are asked for.
        read_labels=lambda: _labels(pictures),
        counts=counts,
        texts_as_published=True,
    )


def _read_pictures(
    table: Path, options: Options
) -> tuple[dict[str, _Picture], dict[str, int]]:
    """The pictures by their names, in the order of their first rows, and what was counted."""
    from ._files.paths import checked_path
    from ._files.tables import read_columns

    pictures: dict[str, _Picture] = {}
    more_captions = 0
    repeated = 0
    required = ("image_path", "caption", "subset", "split")
    for number, values in read_columns(table, required, ["pathology"]):
        path, caption, source, split, labels = values
        is_other_split = options.split not in ("all", split)
        if is_other_split or options.source not in ("all", source):
            continue
        checked_path(path, f"row {number} of its table")
        image = PurePosixPath(path).name
        is_new = image not in pictures
        picture = pictures.setdefault(image, _Picture(number))
        picture.written_labels.add(labels)
        text = caption.strip()
        if text in picture.captions:
            repeated += 1
        elif text:
            picture.captions.append(text)
            more_captions += not is_new
    counts: dict[str, int] = {}
    if more_captions:
        counts["rows that add a text to an image"] = more_captions
    if repeated:
        counts["left out: rows that repeat a text of their image"] = repeated
    return pictures, counts


def _image_row(image: str, row: int) -> ImageRow:
    video, separator, _ = image.partition(_FRAME)
    return ImageRow(
        id=image,
        study=image,
        patient=f"video {video}" if separator else image,
        view="",
        location=image,
        row=row,
    )


def _labels(pictures: Mapping[str, _Picture]) -> dict[str, frozenset[str]]:
    from ._files.values import listed_words

    labels: dict[str, frozenset[str]] = {}
    for image, picture in pictures.items():
        words = (listed_words(written) for written in picture.written_labels)
        labels[image] = frozenset[str]().union(*words)
    return labels


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="quilt-1m",
        summary="Quilt-1M: histopathology pictures with captions",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
