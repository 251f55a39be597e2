"""Hostile or damaged archives and tables.

Each is refused by `DatasetError`, or read right; nothing is written outside.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, RobustError

from .archive_attempts import EITHER, PAIRS, READ, REFUSED, Attempt, write_images
from .archive_reports import XML_REPORTS, ZIPPED_REPORTS, report_xml
from .archive_shards import SHARDS, members, tar_of
from .archive_tables import TABLES, json_lines, parquet, table
from .children import in_children
from .mutations import mutated
from .trials import Check, Ground, Row, Trial


def rows(ground: Ground) -> Iterator[Trial]:
    attempts = (*SHARDS, *TABLES, *XML_REPORTS, *ZIPPED_REPORTS)
    checks: list[tuple[str, Check]] = []
    for attempt in ground.some(attempts, 10):
        folder = ground.place(attempt.name) / "inside"
        folder.mkdir()
        name = f"{attempt.loader}: {attempt.name}"
        checks.append((name, partial(_by_hand, folder, attempt)))
    yield from in_children(checks, chunk=4)
    yield from _fuzz(ground)


def _by_hand(folder: Path, attempt: Attempt) -> str | None:
    write_images(folder)
    attempt.write(folder / attempt.file)
    before = listing(folder.parent)
    ended = opened(attempt.loader, folder / attempt.file, attempt.options or {})
    created = listing(folder.parent) - before
    if created:
        return f"wrote {sorted(created)[0]}"
    if ended not in (READ, REFUSED):
        return ended
    if attempt.expected in (EITHER, ended):
        return None
    return f"expected {attempt.expected}, was {ended}"


def opened(loader: str, file: Path, options: Mapping[str, Any]) -> str:
    """Open a data set and read all of it.

    Returns `READ`, `REFUSED`, or what was wrong with how it ended.
    """
    try:
        dataset = load_dataset(loader, **_paths(loader, file), **options)
        texts = [str(text) for text in dataset.reports]
        for index in range(min(len(dataset.image_ids), PAIRS)):
            np.asarray(dataset.image(index))
    except DatasetError as error:
        if error.__cause__ is not None or error.__context__ is not None:
            return "the error carries a foreign one, whose text Python prints"
        return REFUSED
    except RobustError as error:
        return f"{type(error).__name__} in place of DatasetError: {error}"
    if not texts:
        return "an empty data set was taken"
    return READ


def _paths(loader: str, file: Path) -> dict[str, Any]:
    if loader == "open-i":
        return {"reports": file, "images": file.parent}
    if loader == "mimic-cxr":
        return {"images": file.parent / "mimic-cxr-jpg" / "2.0.0", "reports": file}
    return {"path": file}


def listing(folder: Path) -> set[str]:
    """Every path below, without caches of indices that readers keep elsewhere."""
    return {str(path) for path in folder.rglob("*")}


def _fuzz(ground: Ground) -> Iterator[Trial]:
    kinds: list[tuple[str, str, bytes, Mapping[str, Any]]] = [
        ("webdataset", "f.tar", tar_of(members()), {}),
        (
            "webdataset",
            "f.tar",
            tar_of(members()),
            {"text": "report", "patient": "patient"},
        ),
        ("table", "f.csv", table(), {}),
        ("table", "f.csv.gz", gzip.compress(table()), {}),
        ("table", "f.jsonl", json_lines(), {}),
        ("table", "f.parquet", parquet(), {}),
        ("open-i", "f.tgz", gzip.compress(tar_of([("1.xml", report_xml())])), {}),
        ("open-i", "f.tar", tar_of([("1.xml", report_xml())]), {}),
    ]
    folder = ground.place("fuzzed") / "inside"
    folder.mkdir()
    write_images(folder)
    checks: list[tuple[str, Check]] = []
    for number in range(ground.count(1_600, 32)):
        loader, file, content, options = kinds[number % len(kinds)]
        changed = partial(mutated, content, ground.random("archive", number))
        target = folder / f"{number}-{file}"
        check = partial(_fuzzed, loader, target, changed, options)
        checks.append((f"fuzzed {file} {number}", check))
    yield from in_children(checks, chunk=100)


def _fuzzed(
    loader: str, target: Path, changed: Callable[[], bytes], options: Mapping[str, Any]
) -> str | None:
    target.write_bytes(changed())
    outside = listing(target.parent.parent)
    ended = opened(loader, target, options)
    created = listing(target.parent.parent) - outside
    target.unlink()
    if created:
        return f"wrote {sorted(created)[0]}"
    if ended in (READ, REFUSED):
        return None
    return ended


ROWS = (
    Row(
        "archives",
        "shards, archives and tables, hostile or damaged: refused or read right",
        rows,
    ),
)
