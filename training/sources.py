"""Where training pairs come from: the training splits of the package's two synthetic data sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.datasets import synthetic_cxr, synthetic_scenes
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SEEDS
from pytest_retrieval_robust.datasets.synthetic_cxr.render import render
from pytest_retrieval_robust.datasets.synthetic_cxr.reports import write_report
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import SLOTS, draw
from pytest_retrieval_robust.datasets.synthetic_scenes import scenes


@dataclass(frozen=True)
class Drawn:
    """Some pairs: pictures (pairs, size, size[, 3]) uint8, reports, labels (pairs, slots) int64."""

    pictures: NDArray[np.uint8]
    reports: list[str]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """Draws pairs by their numbers.

    `sizes` holds the number of states of each slot of the labels.
    """

    package: ModuleType
    draw: Callable[[range, int], Drawn]
    sizes: tuple[int, ...]


def _studies(numbers: range, size: int) -> Drawn:
    studies = [draw(SEEDS["train"], number, "train") for number in numbers]
    pictures = np.stack([render(study, size, size) for study in studies])
    reports = [write_report(study) for study in studies]
    return Drawn(pictures, reports, np.array([study.labels() for study in studies]))


def _scenes(numbers: range, size: int) -> Drawn:
    drawn = [scenes.draw(scenes.SEEDS["train"], number, "train") for number in numbers]
    pictures = np.stack([scenes.render(scene, size) for scene in drawn])
    captions = [scenes.caption(scene) for scene in drawn]
    return Drawn(pictures, captions, np.array([scene.labels() for scene in drawn]))


SOURCES = {
    "synthetic-cxr": Source(
        synthetic_cxr, _studies, tuple(len(slot.states) for slot in SLOTS)
    ),
    "synthetic-scenes": Source(synthetic_scenes, _scenes, scenes.LABEL_SIZES),
}
