"""MIMIC-CXR-JPG's tables as arrays, kept in the cache folder: 377,110 rows take seconds
to parse and no time to map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


@dataclass(frozen=True, repr=False)
class Index:
    """Every image of the tables, in the order of the split table. Ids alone: no text, no path."""

    dicom: NDArray[np.bytes_]
    study: NDArray[np.int64]
    subject: NDArray[np.int64]
    split: NDArray[np.int8]
    """Index into `SPLITS`."""
    view: NDArray[np.int8]
    """Index into `VIEWS`."""


def read_index(split_table: Path, metadata: Path) -> Index:
    """The index of two tables: from the cache where they have not changed since, else
    parsed and cached.
    """
    arrays = cached_arrays(
        "mimic-cxr",
        _VERSION,
        (split_table, metadata),
        lambda: vars(_parse(split_table, metadata)),
    )
    return Index(*(arrays[name] for name in Index.__dataclass_fields__))


def _parse(split_table: Path, metadata: Path) -> Index:
    views = _views(metadata)
    dicom, study, subject, split, view = [], [], [], [], []
    seen: set[str] = set()
    for number, (image, its_study, its_subject, its_split) in _split_rows(split_table):
        if image in seen:
            raise DatasetError(
                f"Expected each dicom_id once, got one again in row {number} of the"
                " split table. Download it again."
            )
        seen.add(image)
        dicom.append(image.encode())
        study.append(_number(its_study, "study_id", number))
        subject.append(_number(its_subject, "subject_id", number))
        split.append(_split(its_split, number))
        view.append(views.get(image, 0))
    return Index(
        np.array(dicom, dtype=np.bytes_),
        np.array(study, dtype=np.int64),
        np.array(subject, dtype=np.int64),
        np.array(split, dtype=np.int8),
        np.array(view, dtype=np.int8),
    )


def _split_rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    return read_columns(
        table, ["dicom_id", "study_id", "subject_id", "split"], shown="the split table"
    )


def _views(metadata: Path) -> dict[str, int]:
    codes: dict[str, int] = {}

    def code(written: str) -> int:
        if written not in codes:
            codes[written] = VIEWS.index(view_of(written))
        return codes[written]

    rows: Iterable[tuple[int, list[str]]] = read_columns(
        metadata, ["dicom_id", "ViewPosition"], shown="the metadata table"
    )
    return {image: code(view) for _, (image, view) in rows}


def _number(text: str, column: str, row: int) -> int:
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
