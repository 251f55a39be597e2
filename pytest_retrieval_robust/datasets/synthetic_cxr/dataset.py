"""The data set: pairs of a drawn radiograph and its report."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust.datasets.synthetic_cxr.render import LARGEST, SMALLEST, render
from pytest_retrieval_robust.datasets.synthetic_cxr.reports import write_report
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import SPLITS, Study, draw
from pytest_retrieval_robust.errors import DatasetError

# Part of every fingerprint: raise it whenever a picture or a report comes out differently.
GENERATOR_VERSION = 2
SEEDS = {"train": 20_230, "test": 71_993}
_MOST_PAIRS = 100_000


class SyntheticCxr:
    """`pairs` studies of a split with as many different combinations of findings and different reports.

    Images are `size` pixels wide and high (64..1024), greyscale, drawn on demand; the same study at every size.
    """

    def __init__(self, pairs: int = 500, size: int = 224, split: str = "test") -> None:
        _expect("a number of pairs from 1 to 100000", 1 <= pairs <= _MOST_PAIRS, "pairs", pairs)
        _expect(f"an image size from {SMALLEST} to {LARGEST} pixels", SMALLEST <= size <= LARGEST, "size", size)
        _expect(f"a split out of {SPLITS}", split in SPLITS, "split", split)
        self.split = split
        self.size = size
        self.studies = _distinct(pairs, split)

    @property
    def name(self) -> str:
        return "synthetic-cxr"

    @property
    def text(self) -> str:
        return "findings+impression"

    @property
    def relevance(self) -> str:
        return "same-text"

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        """One id an image, such as `synthetic-cxr-test-0007`."""
        return tuple(f"{self.name}-{self.split}-{number:04d}" for number in range(len(self.studies)))

    @cached_property
    def reports(self) -> tuple[str, ...]:
        """The report of each image, all different."""
        return tuple(write_report(study) for study in self.studies)

    @property
    def patients(self) -> tuple[str, ...]:
        """One patient an image."""
        return tuple(f"patient-{study.seed}-{study.index}" for study in self.studies)

    @property
    def image_groups(self) -> NDArray[np.int64]:
        """(images,) group numbers: each image has a report of its own."""
        return np.arange(len(self.studies), dtype=np.int64)

    @property
    def report_groups(self) -> NDArray[np.int64]:
        """(reports,) group numbers."""
        return np.arange(len(self.studies), dtype=np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the generator's version, split, image size, ids and reports."""
        parts = (f"version {GENERATOR_VERSION}", self.split, str(self.size), *self.image_ids, *self.reports)
        return sha256("\n".join(parts).encode()).hexdigest()

    def image(self, index: int) -> Image.Image:
        """The radiograph `index` (0..images - 1), mode `L`; safe to call from several threads."""
        if not 0 <= index < len(self.studies):
            raise IndexError(
                f"Expected an image number from 0 to {len(self.studies) - 1}, got index={index!r}; "
                f"open the data set with more pairs."
            )
        return Image.fromarray(render(self.studies[index], self.size, self.size))


def _distinct(pairs: int, split: str) -> tuple[Study, ...]:
    """The first `pairs` studies of the split whose findings no study before them has."""
    found: dict[tuple[str, ...], Study] = {}
    for index in count():
        study = draw(SEEDS[split], index, split)
        found.setdefault(study.states, study)
        if len(found) == pairs:
            break
    return tuple(found.values())


def _expect(what: str, holds: bool, name: str, value: object) -> None:
    if not holds:
        raise DatasetError(f"Expected {what}, got {name}={value!r}; change {name} to such a value.")
