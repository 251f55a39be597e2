"""Damaged and hostile images: a picture or `UnreadableImageError`, and no warning."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError

from .children import in_children
from .hostile_arrays import ARRAYS_BY_HAND
from .hostile_images import BY_HAND
from .image_files import ARRAY, CANARY, valid_images
from .mutations import mutated
from .trials import Check, Ground, Row, Trial


def rows(ground: Ground) -> Iterator[Trial]:
    folder = ground.place("images")
    by_hand = ground.some((*BY_HAND, *ARRAYS_BY_HAND), 12)
    checks: list[tuple[str, Check]] = [
        (name, partial(_by_hand, folder, number, make, refused))
        for number, (name, make, refused) in enumerate(by_hand)
    ]
    yield from in_children(checks, chunk=4)
    valid = valid_images()
    kinds = list(valid)
    fuzzed: list[tuple[str, Check]] = []
    for number in range(ground.count(8_300, 150)):
        name = f"fuzzed {kinds[number % len(kinds)]} {number}"
        fuzzed.append((name, partial(_fuzzed, ground, folder, valid, number)))
    yield from in_children(fuzzed, chunk=500)


def read(folder: Path, name: str) -> str | None:
    """Read one image through a table.

    Returns what is wrong with how it went, or "picture" if one was read.
    """
    table = folder / f"table-{os.getpid()}.csv"
    table.write_text(f"image,report\n{CANARY}/{name},a report\n", encoding="utf-8")
    messages = _Messages()
    logging.getLogger().addHandler(messages)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outcome = _outcome_of(table)
    finally:
        logging.getLogger().removeHandler(messages)
    if caught:
        return f"a warning passed: {caught[0].category.__name__}: {caught[0].message}"
    if messages.texts:
        return f"a log record passed: {messages.texts[0]}"
    return outcome


class _Messages(logging.Handler):
    """Keeps what a library logs at the level that is shown by default."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _outcome_of(table: Path) -> str | None:
    # The array is that of archives; other pictures have none.
    dataset = load_dataset("table", path=table, array=ARRAY)
    try:
        picture = dataset.image(0)
        np.asarray(picture)
    except DatasetError as error:
        if not isinstance(error, UnreadableImageError) and "link" not in str(error):
            return f"DatasetError in place of UnreadableImageError: {error}"
        if CANARY in str(error):
            return f"names the folder or the patient: {error}"
        if error.__cause__ is not None or error.__context__ is not None:
            return "the error carries a foreign one, whose text Python prints"
        return None
    return "picture"


def _by_hand(
    folder: Path, number: int, make: Callable[[Path], object], refused: bool
) -> str | None:
    file = folder / CANARY / f"{number}.img"
    file.parent.mkdir(exist_ok=True)
    make(file)
    outcome = read(folder, file.name)
    if outcome != "picture":
        return outcome
    return "it was taken for a picture" if refused else None


def _fuzzed(
    ground: Ground, folder: Path, valid: Mapping[str, bytes], number: int
) -> str | None:
    kind = list(valid)[number % len(valid)]
    file = folder / CANARY / f"fuzzed-{os.getpid()}"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(mutated(valid[kind], ground.random("image", number)))
    outcome = read(folder, file.name)
    return None if outcome == "picture" else outcome


ROWS = (
    Row(
        "images",
        "damaged and hostile images: a picture or UnreadableImageError, no warning",
        rows,
    ),
)
