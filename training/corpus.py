"""The training pairs: pictures drawn once into memory, their reports, and the states of their findings."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SEEDS
from pytest_retrieval_robust.datasets.synthetic_cxr.render import render
from pytest_retrieval_robust.datasets.synthetic_cxr.reports import write_report
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import SLOTS, draw

CHUNK = 250


@dataclass(frozen=True)
class Corpus:
    """Pictures (pairs, size, size) uint8, reports, and labels (pairs, slots): the number of each slot's state."""

    pictures: NDArray[np.uint8]
    reports: list[str]
    labels: NDArray[np.int64]


def make_corpus(pairs: int, seed: int, size: int, workers: int) -> Corpus:
    """The first `pairs` training studies of `seed`; the result does not depend on the number of `workers`."""
    job = partial(_chunk, pairs=pairs, seed=SEEDS["train"] + seed, size=size)
    starts = range(0, pairs, CHUNK)
    pictures = np.empty((pairs, size, size), dtype=np.uint8)
    labels = np.empty((pairs, len(SLOTS)), dtype=np.int64)
    reports: list[str] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = map(job, starts) if workers == 1 else pool.map(job, starts)
        for start, (drawn, written, states) in zip(starts, parts, strict=True):
            pictures[start : start + len(drawn)] = drawn
            labels[start : start + len(drawn)] = states
            reports += written
    return Corpus(pictures, reports, labels)


def _chunk(start: int, pairs: int, seed: int, size: int) -> tuple[NDArray[np.uint8], list[str], NDArray[np.int64]]:
    studies = [draw(seed, index, "train") for index in range(start, min(start + CHUNK, pairs))]
    pictures = np.stack([render(study, size, size) for study in studies])
    return pictures, [write_report(study) for study in studies], np.array([study.labels() for study in studies])
