"""Recall@k against the evaluators of CXR-CLIP's authors and of LAION's CLIP_benchmark,
on the same embeddings.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_retrieval_robust import positive_ranks, recall_at_k

from ..models import published

SETS = ("a_n24_u24", "b_n40_u29")
"""No duplicate texts; duplicate texts with rows of their own, so that nothing ties."""
Ranks = NDArray[np.int64]


def ranks_of(name: str) -> dict[str, Ranks]:
    """By CLIP_benchmark's names: each pair its own text, identical texts all right,
    each text once.
    """
    arrays = {
        key: published.goldens("retrieval")[f"{name}/{key}"]
        for key in ("image", "text", "text_index")
    }
    image = arrays["image"]
    text = arrays["text"]
    index = arrays["text_index"]
    own = np.arange(len(image))
    groups, first = np.unique(index, return_index=True)
    return {
        "pair_image_to_text": positive_ranks(image, text, own, own),
        "pair_text_to_image": positive_ranks(text, image, own, own),
        "same_image_to_text": positive_ranks(image, text, index, index),
        "same_text_to_image": positive_ranks(text, image, index, index),
        "dedup_image_to_text": positive_ranks(image, text[first], index, groups),
        "dedup_text_to_image": positive_ranks(text[first], image, groups, index),
    }


@pytest.mark.parametrize("name", SETS)
def test_cxr_clips_evaluator(name: str) -> None:
    """Distinct texts are the gallery: Recall@1, 5, 10 and the mean rank over images."""
    ranks = ranks_of(name)["dedup_image_to_text"]
    found = [
        recall_at_k(ranks, 1),
        recall_at_k(ranks, 5),
        recall_at_k(ranks, 10),
        float(ranks.mean()),
    ]
    assert found == pytest.approx(
        published.goldens("retrieval")[f"{name}/cxrclip"], abs=1e-12
    )


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("k", [1, 5, 10])
def test_clip_benchmarks_evaluator(name: str, k: int) -> None:
    for way, ranks in ranks_of(name).items():
        theirs = published.goldens("retrieval")[f"{name}/clipbench_{way}_r{k}"]
        assert recall_at_k(ranks, k) == pytest.approx(float(theirs), abs=1e-6), way
