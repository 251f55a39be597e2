"""A sweep over a few cells with an encoder of any habits, and the ranks that it gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust import load_corruption, load_occluder, load_text_noise
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.measure.sweep.changes import Perturbation, family_of
from pytest_retrieval_robust.measure.sweep.run import Measured, SweepResult

from ..measure.sweep.test_sweep import RECORDS, Pixels, noisy_model

OCCLUDERS = (
    "patches",
    "patches(fill=donor)",
    "box(fill=mean)",
    "salient(grid=4)",
    "lines",
)
METHODS = ("encode_images", "encode_reports", "prepare")
CHANGES: tuple[Perturbation, ...] = (
    *map(load_occluder, OCCLUDERS),
    load_corruption("contrast"),
    load_text_noise("case"),
)
CELLS = [
    (Cell(change.name, level, 0, family_of(change)), change)
    for level, changes in ((0.2, CHANGES[:1]), (0.5, CHANGES))
    for change in changes
]
"""Two levels of the first, and one of each other."""


class Rows(dict[str, NDArray[np.float32]]):
    """A row for every text: a model that is to be known again is asked about texts that
    are not in the data.
    """

    def __missing__(self, text: str) -> NDArray[np.float32]:
        return np.random.default_rng(len(text)).normal(size=257).astype(np.float32)


def encoder_of(kind: type[Pixels], **changes: Any) -> Pixels:
    return kind(Rows(noisy_model(RECORDS).rows), **changes)


def ranks(result: SweepResult) -> dict[Cell, bytes]:
    cell_ranks = {}
    for cell, measured in result.cells.items():
        assert isinstance(measured, Measured), measured
        both = (measured.image_ranks.tobytes(), measured.report_ranks.tobytes())
        cell_ranks[cell] = b"".join(both)
    return cell_ranks
