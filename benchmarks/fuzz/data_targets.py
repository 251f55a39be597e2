"""Data sets: tables, shards, published layouts, tables of edited reports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile.archive_attempts import write_images
from benchmarks.hostile.image_files import CANARY
from pytest_retrieval_robust import edits_of_table, load_dataset
from pytest_retrieval_robust.datasets._files.text_policy import decoded_or_latin
from pytest_retrieval_robust.datasets.mimic_cxr.sections import read_sections
from tests.datasets.files import trees

from .mutators import json_lines_of, json_of, tar_of, zip_of
from .target import BrokenPromiseError, Read, Target

_MOST_IMAGES = 3
REPORTS = (
    f"{CANARY}: the heart is large. No effusion.",
    "There is a large left effusion.",
    "Clear lungs.",
)
"""Of the data set whose edits are read."""
_STUDIES = ("s50414267", "s50525523", "s59363654", "s58235663")
"""A usual one, and three that the rules name as exceptions."""


def _read_all(loader: str, options: Mapping[str, Any]) -> None:
    """Open a data set and read its texts and first images."""
    dataset = load_dataset(loader, **options)
    texts = [str(text) for text in dataset.reports]
    if not texts:
        raise BrokenPromiseError("an empty data set was taken")
    for index in range(min(len(dataset.image_ids), _MOST_IMAGES)):
        np.asarray(dataset.image(index))


def _file(
    folder: Path, name: str, loader: str, options: Mapping[str, str] | None = None
) -> Read:
    """A data set of one file, with images beside it."""
    home = folder / CANARY
    home.mkdir()
    write_images(home)
    file = home / name

    def read(content: bytes) -> None:
        file.write_bytes(content)
        _read_all(loader, {"path": file, **(options or {})})

    return read


def _open_i(folder: Path, name: str) -> Read:
    # The last part of a folder that a user types is shown.
    home = folder / CANARY / "films"
    home.mkdir(parents=True)
    write_images(home)
    reports = home / name
    file = reports
    if not name.endswith(".tar"):
        reports.mkdir()
        file = reports / "1.xml"

    def read(content: bytes) -> None:
        file.write_bytes(content)
        _read_all("open-i", {"images": home, "reports": reports})

    return read


def _mimic_sections(_: Path) -> Read:
    def read(content: bytes) -> None:
        text, _ = decoded_or_latin(content)
        for study in _STUDIES:
            sections = read_sections(study, text)
            # Whatever is cut out of a report is a part of it.
            for part in (sections.findings, sections.impression):
                if part not in text:
                    raise BrokenPromiseError("a section that the report does not hold")

    return read


def _mimic_reports(folder: Path) -> Read:
    home = folder / CANARY
    images, _ = trees.mimic(home)
    archive = trees.mimic_zip(home)

    def read(content: bytes) -> None:
        archive.write_bytes(content)
        _read_all("mimic-cxr", {"images": images, "reports": archive})

    return read


def _hugging_face(folder: Path) -> Read:
    import datasets

    # It keeps a table of its own per file that it has read.
    datasets.config.HF_DATASETS_CACHE = folder / "cache"
    datasets.disable_progress_bars()
    home = folder / CANARY
    home.mkdir()
    file = home / "test.parquet"

    def read(content: bytes) -> None:
        file.write_bytes(content)
        _read_all("hugging-face", {"path": str(home)})

    return read


def _edits(folder: Path, name: str) -> Read:
    home = folder / CANARY
    home.mkdir()
    file = home / name
    ids = [f"{CANARY}-{number}" for number in range(len(REPORTS))]

    def read(content: bytes) -> None:
        file.write_bytes(content)
        edits_of_table(file, REPORTS, ids)

    return read


_COLUMNS = {
    "text": "report",
    "id": "name",
    "patient": "patient",
    "group": "study",
    "view_column": "view",
    "label_columns": "labels",
}

TARGETS = (
    Target(
        "table-csv",
        "tables: CSV",
        partial(_file, name="t.csv", loader="table", options=_COLUMNS),
    ),
    Target(
        "table-csv-gz",
        "tables: CSV, gzip",
        partial(_file, name="t.csv.gz", loader="table"),
    ),
    Target(
        "table-jsonl",
        "tables: JSON Lines",
        partial(_file, name="t.jsonl", loader="table", options=_COLUMNS),
        mutate=json_lines_of,
    ),
    Target(
        "table-parquet",
        "tables: Parquet",
        partial(_file, name="t.parquet", loader="table"),
    ),
    Target(
        "webdataset",
        "shards of webdataset",
        partial(
            _file,
            name="t.tar",
            loader="webdataset",
            options={"text": "report", "patient": "patient"},
        ),
        mutate=tar_of,
        most_bytes=32768,
    ),
    Target("mimic-sections", "sections of MIMIC-CXR's reports", _mimic_sections),
    Target(
        "mimic-reports",
        "the archive of MIMIC-CXR's reports",
        _mimic_reports,
        mutate=zip_of,
    ),
    Target("open-i", "reports of Open-i: XML", partial(_open_i, name="ecgen")),
    Target(
        "open-i-archive",
        "reports of Open-i: the archive",
        partial(_open_i, name="reports.tar"),
        mutate=tar_of,
        most_bytes=32768,
    ),
    Target("edits-csv", "edited reports: CSV", partial(_edits, name="e.csv")),
    Target(
        "edits-jsonl",
        "edited reports: JSON Lines",
        partial(_edits, name="e.jsonl"),
        mutate=json_lines_of,
    ),
    Target(
        "edits-json",
        "edited reports: CXR-Align",
        partial(_edits, name="e.json"),
        mutate=json_of,
    ),
    Target(
        "hugging-face",
        "folders of Parquet files, by Hugging Face datasets",
        _hugging_face,
    ),
)
