"""The parts of a run for `growth`: from a data set in memory to reports."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from pytest_retrieval_robust import dataset_from_lists, load_occluder
from pytest_retrieval_robust.core.cases import CLEAN, Case, Cell, Plan
from pytest_retrieval_robust.core.outcomes import ModelRecord
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.gate.arrays import RunStore, case_key, dataset_key
from pytest_retrieval_robust.gate.comparison import Comparison, compare
from pytest_retrieval_robust.gate.evidence import Evidence
from pytest_retrieval_robust.gate.measurements import Identity, Measurements, Scope
from pytest_retrieval_robust.gate.pairing import Run
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.measure.api import outcome_of
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.inspection import inspect
from pytest_retrieval_robust.measure.pairs import Pairs, describe, pairs_of
from pytest_retrieval_robust.measure.query_keys import query_arrays
from pytest_retrieval_robust.measure.sweep import conclude
from pytest_retrieval_robust.measure.sweep.results import SweepResult
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.measure.sweep.scores import both_scores, ranks_of
from pytest_retrieval_robust.models import ModelCard, Prepared
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.saved.read import load_run
from pytest_retrieval_robust.reports.saved_run import render_json, save_run
from pytest_retrieval_robust.retrieval import bootstrap

SIDE = 16
DIMENSION = 16
LEVELS = (0.0, 0.2, 0.4)
KS = (1, 5, 10)
IMAGES_PER_PATIENT = 2
_ROWS = 1 << 12
_MOST_RANKED = 10_000
"""Up to so many pairs are ranked: of more, ranks take minutes."""

Part = tuple[str, Callable[[], object]]
Ranks = NDArray[np.int64]


class FreeEncoder:
    """Looks unit rows up in a table, by a sum of pixels or by a hash of the text."""

    name = "free"
    device = "cpu"
    card = ModelCard("benchmarks.growth", sha256="f" * 64)

    def __init__(self) -> None:
        rows = torch.randn(_ROWS, DIMENSION, generator=torch.Generator().manual_seed(0))
        self._rows: Tensor = torch.nn.functional.normalize(rows, dim=1)

    def prepare(self, image: Image) -> Prepared:
        grey = np.asarray(image, dtype=np.uint8)
        return Prepared(np.stack([grey, grey, grey]), (0.0, 0.0, 1.0, 1.0))

    def encode_images(self, pixels: Tensor) -> Tensor:
        sums = (255 * pixels[:, 0]).sum(dim=(1, 2)).long()
        return self._rows[sums % _ROWS]

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        hashed = [hashlib.blake2b(text.encode(), digest_size=4) for text in texts]
        numbers = [int.from_bytes(each.digest(), "big") % _ROWS for each in hashed]
        return self._rows[numbers]


def run_parts(size: int, folder: Path) -> Iterator[Part]:
    """Every part of a run on `size` pairs, in the order of a run."""
    made = _Made(size, folder)
    yield "opening lists", made.open
    yield "describing (`inspect`)", lambda: list(inspect(made.dataset))
    yield "pairs", made.pair
    yield "a sweep without ranks", made.sweep
    yield "the same, and its store written", made.sweep_to_store
    yield "the same from the store", made.sweep_to_store
    if size <= _MOST_RANKED:
        yield "(ranks of one cell, both ways)", made.rank
    yield "recall and intervals of one cell", made.score
    yield "what the record says of the data", lambda: describe(made.fresh_pairs(), KS)
    yield "query keys", lambda: query_arrays(made.fresh_pairs())
    made.measure()
    yield "judging, with bounds of curves", made.judge
    yield "the run saved", made.save
    yield "the run read back", made.read_back
    yield "comparison with the baseline, cell by cell", made.compare
    yield "judging against the baseline", made.judge_again
    yield "reports (HTML, Markdown, JSON)", made.report


class _Made:
    """What the parts of one size make, each from what the parts before it made."""

    dataset: RetrievalDataset
    pairs: Pairs
    result: SweepResult
    run: Run
    baseline: Run
    record: RunRecord

    def __init__(self, size: int, folder: Path) -> None:
        self._size = size
        self._folder = folder
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (size, SIDE, SIDE), dtype=np.uint8)
        self._images = list(pixels)
        self._texts = [f"report {number} of the data" for number in range(size)]
        self._patients = [f"p{number // IMAGES_PER_PATIENT}" for number in range(size)]
        self._model = FreeEncoder()
        self._occluder = load_occluder("patches(grid=8)")
        self._store = RunStore(folder / "store", alone=True)
        self._shards = EmbeddingStore(folder / "shards")

    def open(self) -> None:
        self.dataset = dataset_from_lists(
            "grown", self._images, self._texts, self._patients
        )

    def pair(self) -> None:
        self.pairs = self.fresh_pairs()
        # Each list is made when it is asked for.
        pairs = self.pairs
        assert len(pairs.image_ids) == len(pairs.patients) == len(pairs.image_groups)
        assert len(pairs.texts) == len(pairs.report_groups)

    def fresh_pairs(self) -> Pairs:
        return pairs_of(self.dataset)

    # Measuring

    def sweep(self) -> None:
        self.result = self._swept(SweepOptions())

    def sweep_to_store(self) -> None:
        self._swept(SweepOptions(store=self._shards))

    def _swept(self, options: SweepOptions) -> SweepResult:
        cells = [Cell(self._occluder.name, level, 0) for level in LEVELS[1:]]
        with _ranks_for_nothing():
            return run_sweep(
                self._model,
                self.fresh_pairs(),
                [(cell, self._occluder) for cell in cells],
                KS,
                options,
            )

    def rank(self) -> None:
        rows = self._model.encode_reports(self._texts)
        ranks_of(self._model, rows, rows.roll(1, dims=0), self.pairs)

    def score(self) -> None:
        pairs = self.fresh_pairs()
        image_ranks, report_ranks = _drawn_ranks(self._size)
        both_scores(image_ranks, report_ranks, pairs, KS)

    def measure(self) -> None:
        """The run that the sweep makes, and a baseline with other ranks. Not timed."""
        self._store.save(dataset_key("grown"), **query_arrays(self.pairs))
        measured = self._measurements()
        self.run = Run(measured, Evidence(self._store))
        other = replace(measured, identity=Identity.new())
        self.baseline = Run(other, Evidence(self._store))

    def _measurements(self) -> Measurements:
        outcomes = []
        for level in LEVELS:
            cell = CLEAN if level == 0 else Cell(self._occluder.name, level, 0)
            result = self.result.cells[cell]
            case = Case("free", "grown", self._occluder.name, level, 0)
            key = case_key(case)
            outcomes.append(outcome_of(case, result, key))
            ranks: Any = result
            self._store.save(
                key, image_ranks=ranks.image_ranks, report_ranks=ranks.report_ranks
            )
        names = (self._occluder.name,)
        return Measurements(
            Identity.new(),
            Scope(None, "pytest"),
            limit=None,
            plan=Plan(("free",), ("grown",), names, LEVELS, (0,), KS),
            outcomes=tuple(outcomes),
            costs=(),
            breaking=(),
            counterfactuals=(),
            models=(ModelRecord("free", True, None, {"sha256": "f" * 64}, named=True),),
            datasets=(self.result.dataset,),
            broken=(),
            broken_tests=0,
            notes=(),
        )

    # Judging, and what is written

    def judge(self) -> None:
        self.record = self._judged(self.run, Against())

    def _judged(self, run: Run, against: Against) -> RunRecord:
        # Every run draws its own resamples.
        bootstrap._cached_draws.cache_clear()
        return judge_run(run, Policy(), against)

    def save(self) -> None:
        save_run(self.record, self._store, self._folder / "saved")

    def read_back(self) -> None:
        self.run = load_run(self._folder / "saved")

    def compare(self) -> None:
        comparison = compare(self.run, self.baseline)
        assert isinstance(comparison, Comparison)
        assert len(list(comparison.cells())) == len(LEVELS) * len(KS) * 2

    def judge_again(self) -> None:
        self.record = self._judged(self.run, Against(self.baseline))

    def report(self) -> None:
        for render in (render_html, render_markdown, render_json):
            render(self.record)


@contextmanager
def _ranks_for_nothing() -> Iterator[None]:
    """Let a sweep draw ranks in place of comparing all pairs."""

    def ranks(model: object, rows: Tensor, *_: object) -> tuple[Ranks, Ranks]:  # noqa: ARG001
        return _drawn_ranks(len(rows))

    with patch.object(conclude, "ranks_of", ranks):
        yield


def _drawn_ranks(size: int) -> tuple[Ranks, Ranks]:
    """Ranks in both directions: many first ones, and some up to the last."""
    shares = np.random.default_rng(size).random((2, size))
    image_ranks, report_ranks = 1 + np.floor(size * shares**6).astype(np.int64)
    return image_ranks, report_ranks
