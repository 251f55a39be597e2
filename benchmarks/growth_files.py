"""Data sets of generated files for `growth`: opened, and a part of their pictures read.

One tiny picture lies under many names, so that what is left is the readers' own work.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.pairs import pairs_of

Part = tuple[str, Callable[[], object]]
_SIDE = 16
_READ_EVERY = 4
_IMAGES_PER_STUDY = 2
_STUDIES_PER_PATIENT = 2
_REPORT = (
    " FINAL REPORT\n FINDINGS:\n Study {study} is clear.\n \n"
    " IMPRESSION:\n No acute process {study}.\n"
)
_CACHE = "RETRIEVAL_ROBUST_CACHE"


def file_parts(size: int, folder: Path) -> Iterator[Part]:
    """Opening and reading `size` images of each kind of data set."""
    pictures = _write_pictures(folder / "pictures", size)
    # An index that a round before it has kept would not be made again.
    os.environ[_CACHE] = str(folder / "cache")
    for kind in _kinds(pictures, folder):
        kind.write(size)
        opened = _Opened(kind)
        yield f"{kind.title}: opened", opened.open
        if kind.has_pictures:
            yield f"{kind.title}: every fourth picture read", opened.read
    yield (
        "synthetic-cxr: opened",
        lambda: pairs_of(load_dataset("synthetic-cxr", pairs=size)),
    )


@dataclass(frozen=True)
class _Kind:
    """A kind of data set, and how its files are made and opened."""

    title: str
    write: Callable[[int], None]
    load: Callable[[], RetrievalDataset]
    has_pictures: bool = True


class _Opened:
    """A data set that is opened by one part and read by the next."""

    dataset: RetrievalDataset

    def __init__(self, kind: _Kind) -> None:
        self._kind = kind

    def open(self) -> None:
        self.dataset = self._kind.load()
        # All that a run asks of it before the first image.
        pairs = pairs_of(self.dataset)
        assert len(pairs.texts) <= len(pairs.patients)
        assert self.dataset.fingerprint

    def read(self) -> None:
        # Some of all: what one takes must not depend on how many there are.
        for number in range(0, len(self.dataset.image_ids), _READ_EVERY):
            self.dataset.image(number).load()


def _kinds(pictures: Path, folder: Path) -> Iterator[_Kind]:
    for suffix in ("csv", "jsonl", "parquet"):
        if suffix == "parquet" and find_spec("pyarrow") is None:
            continue
        table = folder / f"table.{suffix}"
        yield _Kind(
            f"table ({suffix})",
            partial(_WRITERS[suffix], table),
            partial(load_dataset, "table", path=table, root=pictures, **_COLUMNS),
        )
    rocov2 = folder / "rocov2"
    yield _Kind(
        "image folder (rocov2)",
        partial(_write_rocov2, rocov2),
        partial(load_dataset, "rocov2", root=rocov2),
    )
    shards = folder / "shards"
    yield _Kind(
        "webdataset",
        partial(_write_shards, shards),
        partial(load_dataset, "webdataset", path=shards),
    )
    if find_spec("datasets") is not None:
        saved = folder / "hugging-face"
        yield _Kind(
            "hugging-face",
            partial(_write_hugging_face, saved),
            partial(load_dataset, "hugging-face", path=str(saved)),
        )
    mimic = folder / "mimic"
    yield _Kind(
        "mimic-cxr",
        partial(_write_mimic, mimic),
        partial(load_dataset, "mimic-cxr", images=mimic, reports=mimic),
    )


# Pictures


def _picture() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    return stream.getvalue()


def _write_pictures(folder: Path, size: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(size):
        _link(folder / f"{number:06d}.png", folder / "000000.png")
    return folder


def _link(path: Path, first: Path) -> None:
    """Give the first file another name: a file of its own would take disk and time."""
    if path == first:
        path.write_bytes(_picture())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(first, path)


# Tables

_HEADER = ("image", "report", "study", "patient")
_COLUMNS = {"group": "study", "patient": "patient"}


def _rows(size: int) -> Iterator[tuple[str, str, str, str]]:
    for number in range(size):
        study = number // _IMAGES_PER_STUDY
        patient = study // _STUDIES_PER_PATIENT
        yield (
            f"{number:06d}.png",
            f"Report of study {study}.",
            f"s{study}",
            f"p{patient}",
        )


def _write_csv(file: Path, size: int) -> None:
    _write_rows(file, _HEADER, _rows(size))


def _write_rows(
    file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def _write_jsonl(file: Path, size: int) -> None:
    with file.open("w", encoding="utf-8") as stream:
        for row in _rows(size):
            stream.write(json.dumps(dict(zip(_HEADER, row, strict=True))) + "\n")


def _write_parquet(file: Path, size: int) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = zip(*_rows(size), strict=True)
    table = pyarrow.table(
        {name: list(column) for name, column in zip(_HEADER, columns, strict=True)}
    )
    parquet.write_table(table, file)


_WRITERS = {"csv": _write_csv, "jsonl": _write_jsonl, "parquet": _write_parquet}


# Published layouts


def _write_rocov2(root: Path, size: int) -> None:
    images = root / "test_images" / "test"
    images.mkdir(parents=True)
    for number in range(size):
        _link(images / f"{number:06d}.png", images / "000000.png")
    captions = ((f"{number:06d}", f"Figure {number}.") for number in range(size))
    _write_rows(root / "test_captions.csv", ("ID", "Caption"), captions)


def _write_shards(folder: Path, size: int) -> None:
    folder.mkdir()
    picture = _picture()
    for first in range(0, size, 1_000):
        with tarfile.open(folder / f"{first:06d}.tar", "w") as shard:
            for number in range(first, min(first + 1_000, size)):
                text = f"Report {number}.".encode()
                for kind, content in (("png", picture), ("txt", text)):
                    member = tarfile.TarInfo(f"{number:06d}.{kind}")
                    member.size = len(content)
                    shard.addfile(member, io.BytesIO(content))


def _write_hugging_face(folder: Path, size: int) -> None:
    import datasets

    picture = {"bytes": _picture(), "path": None}
    texts = [f"Report {number}." for number in range(size)]
    data = datasets.Dataset.from_dict(
        {"image": [picture] * size, "text": texts},
        features=datasets.Features(
            {"image": datasets.Image(), "text": datasets.Value("string")}
        ),
    )
    datasets.disable_progress_bars()
    data.save_to_disk(str(folder))


def _write_mimic(root: Path, size: int) -> None:
    splits = []
    views = []
    first = root / "files/p10/first.jpg"
    for number in range(size):
        study = 50_000_000 + number // _IMAGES_PER_STUDY
        patient = 10_000_000 + number // (_IMAGES_PER_STUDY * _STUDIES_PER_PATIENT)
        image = "-".join(f"{part:08x}" for part in (number, study, 1, 2, 3))
        splits.append((image, study, patient, "test"))
        views.append((image, patient, study, "PA"))
        folder = root / f"files/p{str(patient)[:2]}/p{patient}"
        if number == 0:
            _write_jpeg(first)
        _link(folder / f"s{study}/{image}.jpg", first)
        if number % _IMAGES_PER_STUDY == 0:
            (folder / f"s{study}.txt").write_text(_REPORT.format(study=study))
    header = ("dicom_id", "study_id", "subject_id", "split")
    _write_rows(root / "mimic-cxr-2.0.0-split.csv", header, splits)
    view_header = ("dicom_id", "subject_id", "study_id", "ViewPosition")
    _write_rows(root / "mimic-cxr-2.0.0-metadata.csv", view_header, views)


def _write_jpeg(file: Path) -> None:
    file.parent.mkdir(parents=True)
    with Image.open(io.BytesIO(_picture())) as picture:
        picture.save(file)
