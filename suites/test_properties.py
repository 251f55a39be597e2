"""Properties that every model, data set and occluder must have before its Recall@k means anything."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.models import DualEncoder, Frame
from pytest_retrieval_robust.occluders import Occluder
from pytest_retrieval_robust.ranking import positive_ranks
from pytest_retrieval_robust.statistics import above_chance
from pytest_retrieval_robust.strategies import levels
from pytest_retrieval_robust.sweep import scores_of
from pytest_retrieval_robust.timing import prepare_batch

IMAGES = 4
PAIRS_AT_LEVEL_1 = 100
CONTENT_FREE_FILLS = ("black", "white", "noise")
few_examples = settings(max_examples=10, deadline=None)


def prepared(model: DualEncoder, dataset: RetrievalDataset) -> tuple[torch.Tensor, list[str], list[Frame]]:
    batch = prepare_batch(model, dataset, IMAGES)
    return batch.pixels, list(batch.ids), batch.frames


def is_content_free(occluder: Occluder) -> bool:
    return getattr(occluder, "fill", None) in CONTENT_FREE_FILLS


@few_examples
@given(seed=st.integers(0, 2**31 - 1))
def test_level_0_changes_nothing(
    retrieval_model: DualEncoder, retrieval_dataset: RetrievalDataset, occluder: Occluder, seed: int
) -> None:
    pixels, ids, frames = prepared(retrieval_model, retrieval_dataset)
    assert torch.equal(occluder.occlude(pixels, ids, 0.0, seed, frames), pixels)


@few_examples
@given(level=levels(), seed=st.integers(0, 2**31 - 1), other=st.floats(0, 1, width=32))
def test_hidden_pixels_do_not_matter(
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
    occluder: Occluder,
    level: float,
    seed: int,
    other: float,
) -> None:
    if not is_content_free(occluder):
        pytest.skip(f"the fill of {occluder.name} is made of the image")
    pixels, ids, frames = prepared(retrieval_model, retrieval_dataset)
    mask = occluder.mask(ids, level, seed, (pixels.shape[-2], pixels.shape[-1]), frames, device=pixels.device)
    changed = torch.where(mask, torch.full_like(pixels, other), pixels)
    hidden = [occluder.occlude(version, ids, level, seed, frames) for version in (pixels, changed)]
    assert torch.equal(*(retrieval_model.encode_images(version) for version in hidden))


def test_nothing_is_found_at_level_1(
    retrieval_model: DualEncoder, retrieval_dataset: RetrievalDataset, occluder: Occluder
) -> None:
    if not is_content_free(occluder):
        pytest.skip(f"the fill of {occluder.name} is made of the image")
    batch = prepare_batch(retrieval_model, retrieval_dataset, PAIRS_AT_LEVEL_1)
    pairs = batch.pairs
    images = retrieval_model.encode_images(occluder.occlude(batch.pixels, batch.ids, 1.0, 0, batch.frames))
    reports = retrieval_model.encode_reports(pairs.texts)
    ranks = positive_ranks(
        images,
        reports,
        pairs.image_groups,
        pairs.report_groups,
        similarity=getattr(retrieval_model, "similarity", None),
    )
    k = min(10, len(pairs.reports) - 1)
    scores = scores_of(ranks, pairs.image_groups, pairs.report_groups, (k,))
    assert not above_chance(round(scores.recall[k] * scores.queries), scores.queries, scores.chance[k])
