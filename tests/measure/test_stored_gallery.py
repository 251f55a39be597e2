"""What a sweep has stored of a gallery is taken by searches and by the ranks of first images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_retrieval_robust import load_dataset, load_model
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.breaking import BreakingResult, run_search
from pytest_retrieval_robust.measure.embeddings.shards import ModelShards
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.first_ranks import FirstRanks
from pytest_retrieval_robust.measure.search import Search
from pytest_retrieval_robust.occluders.area.patches import Patches

from .sweep.test_stored_sweep import Counting, sweep

pytestmark = pytest.mark.usefixtures("one_thread")
PAIRS = 70
"""More than a batch of reports."""


@pytest.fixture(scope="module")
def dataset() -> RetrievalDataset:
    return load_dataset("synthetic-cxr", pairs=PAIRS)


@pytest.fixture
def model() -> Counting:
    return Counting(load_model("tiny-cxr-clip", device="cpu"))


@pytest.fixture
def shards(model: Counting, dataset: RetrievalDataset, tmp_path: Path) -> ModelShards:
    store = EmbeddingStore(tmp_path)
    sweep(model, store, dataset, cells=(), size=64)
    of_model = ModelShards.of(store, model, "fp32")
    assert of_model is not None
    model.reports = 0
    return of_model


def test_first_ranks_encode_no_report_again(
    model: Counting, dataset: RetrievalDataset, shards: ModelShards
) -> None:
    stored = FirstRanks(model, dataset, 6, shards)
    assert model.reports == 0
    afresh = FirstRanks(model, dataset, 6)
    assert model.reports == PAIRS
    assert np.array_equal(stored.before, afresh.before)
    patches = Patches()
    assert stored.hidden(patches, 0.3, 0) == afresh.hidden(patches, 0.3, 0)


def searched(
    model: Counting, dataset: RetrievalDataset, shards: ModelShards | None
) -> BreakingResult:
    search = Search(model, dataset, 4, "black", 2, k=3, shards=shards)
    return run_search(search)


def test_a_search_encodes_no_report_again(
    model: Counting, dataset: RetrievalDataset, shards: ModelShards
) -> None:
    stored = searched(model, dataset, shards)
    assert model.reports == 0
    afresh = searched(model, dataset, None)
    assert model.reports == PAIRS
    assert np.array_equal(stored.masks, afresh.masks)
    assert np.array_equal(stored.ranks_after, afresh.ranks_after)
    assert stored.outcome == afresh.outcome
