"""MIMIC-CXR-JPG's tables as arrays, kept in the cache folder.

377,110 rows take seconds to parse and no time to load.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DatasetError
from .._files.index_cache import cached_arrays
from .._files.tables import read_columns
from .._files.views import view_of

SPLITS = ("train", "validate", "test")
VIEWS = ("", "frontal", "lateral")
_VERSION = 1
_COLUMNS = ("dicom_id", "study_id", "subject_id", "split")


@dataclass(frozen=True, repr=False)
class Index:
    """Every image of the tables, in the order of the split table.

    Ids alone: no text, no path.
    """

    dicom: NDArray[np.bytes_]
    study: NDArray[np.int64]
    subject: NDArray[np.int64]
    split: NDArray[np.int8]
    """Index into `SPLITS`."""
    view: NDArray[np.int8]
    """Index into `VIEWS`."""


def read_index(split_table: Path, metadata: Path) -> Index:
    """The index of two tables: from the cache unless they have changed, else parsed."""
    arrays = cached_arrays(
        "mimic-cxr",
        _VERSION,
        (split_table, metadata),
        lambda: vars(_parse(split_table, metadata)),
    )
    return Index(*(arrays[name] for name in Index.__dataclass_fields__))


def _parse(split_table: Path, metadata: Path) -> Index:
    view_of_image = _views(metadata)
    images: set[str] = set()
    dicoms: list[bytes] = []
    studies: list[int] = []
    subjects: list[int] = []
    splits: list[int] = []
    views: list[int] = []
    rows = read_columns(split_table, _COLUMNS, title="the split table")
    for number, (image, study, subject, split) in rows:
        if image in images:
            raise DatasetError(
                f"Expected each dicom_id once, got one again in row {number} of the"
                " split table. Download it again."
            )
        images.add(image)
        dicoms.append(image.encode())
        studies.append(_number(study, "study_id", number))
        subjects.append(_number(subject, "subject_id", number))
        splits.append(_split(split, number))
        views.append(view_of_image.get(image, 0))
    return Index(
        np.array(dicoms, dtype=np.bytes_),
        np.array(studies, dtype=np.int64),
        np.array(subjects, dtype=np.int64),
        np.array(splits, dtype=np.int8),
        np.array(views, dtype=np.int8),
    )


def _views(metadata: Path) -> dict[str, int]:
    """Image -> index into `VIEWS`."""
    # The table has a dozen different positions: each is looked up once.
    codes: dict[str, int] = {}

    def code_of(position: str) -> int:
        if position not in codes:
            codes[position] = VIEWS.index(view_of(position))
        return codes[position]

    rows: Iterable[tuple[int, list[str]]] = read_columns(
        metadata, ["dicom_id", "ViewPosition"], title="the metadata table"
    )
    return {image: code_of(position) for _, (image, position) in rows}


def _number(text: str, column: str, row: int) -> int:
    # 18 digits are what 64 bits surely hold.
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise DatasetError(
            f"Expected a number as {column}, got another text in row {row} of the split"
            " table. Fix it."
        )
    return int(text)


def _split(text: str, row: int) -> int:
    if text not in SPLITS:
        raise DatasetError(
            f"Expected one of {', '.join(SPLITS)} as split, got another text in row"
            f" {row} of the split table. Fix it."
        )
    return SPLITS.index(text)
