"""Samples that a page shows with `--robust-show-samples`: pictures and texts.

They may be patients'. So they are no part of a run's record, and nothing that is made of
the record can show them. A run of one process holds them in memory; workers of
pytest-xdist hand them to their controller as files in the run's temporary folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .atomic_files import whole_file
from .codec import Written

_FOLDER = "samples"


@dataclass(frozen=True, repr=False)
class Retrieved:
    """A report that a model retrieved, and whether it is a right one for the image."""

    text: str
    right: bool


@dataclass(frozen=True, repr=False)
class Sample:
    """An image as the model sees it, whole and partly hidden, and what each retrieves."""

    why: str
    """By which rule it was chosen."""
    before: int
    """The right report's rank with nothing hidden, from 1."""
    after: int
    share: float
    """Of the image, that is hidden."""
    image: bytes
    """A JPEG file."""
    hidden: bytes
    found_before: tuple[Retrieved, ...]
    """The best first."""
    found_after: tuple[Retrieved, ...]


@dataclass(frozen=True, repr=False)
class SampleSheet(Written):
    """The samples of a model on a data set.

    They are under an occluder, or of the smallest occlusions that break it.
    """

    model: str
    dataset: str
    kind: Literal["hidden", "breaking"]
    what: str
    """What is hidden, in words."""
    gallery: int
    """How many reports are ranked."""
    samples: tuple[Sample, ...]
    mean: bytes | None = None
    """The mean of the images that were searched, a JPEG file: the ground of the
    sensitivity maps. None where `kind` is "hidden".
    """

    @property
    def key(self) -> tuple[str, str, str]:
        return self.model, self.dataset, self.kind


def expect_sheets(run_folder: Path) -> None:
    """Let workers of this machine put their sheets into the run's folder.

    The folder is removed at the end of the run.
    """
    (run_folder / _FOLDER).mkdir(parents=True, exist_ok=True)


def hand_over(sheet: SampleSheet, run_folder: Path) -> None:
    """Put a sheet where the controller finds it.

    Nothing is written where the controller runs on another machine: its folder is not
    here, and nobody would remove what is written.
    """
    folder = run_folder / _FOLDER
    if not folder.is_dir():
        return
    name = hashlib.blake2b("\0".join(sheet.key).encode(), digest_size=12).hexdigest()
    with whole_file(folder / f"{name}.json") as part:
        part.write_text(json.dumps(sheet.as_json()), encoding="utf-8")


def handed_over(run_folder: Path) -> Iterator[SampleSheet]:
    """The sheets that workers handed over."""
    for path in sorted((run_folder / _FOLDER).glob("*.json")):
        yield SampleSheet.from_json(json.loads(path.read_bytes()))
