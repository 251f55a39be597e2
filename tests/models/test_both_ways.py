"""The same CLIP through transformers and through open_clip: the same pixels and embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.models import DualEncoder, truncated_by

from . import published
from .checkpoints import save_clip_both_ways

SIZES = [
    (48, 48),
    (57, 48),
    (48, 99),
    (301, 251),
    (272, 231),
    (150, 120),
    (47, 46),
    (225, 410),
    (55, 200),
    (59, 48),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[DualEncoder]:
    folders = save_clip_both_ways(tmp_path_factory.mktemp("clip"))
    return [load_model(f"local-dir:{folder}", device="cpu") for folder in folders]


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_images(models: list[DualEncoder], mode: str) -> None:
    margins = set()
    for number, (width, height) in enumerate(SIZES):
        noise = np.random.default_rng(number).integers(
            0, 256, (height, width, 3), dtype=np.uint8
        )
        image = Image.fromarray(noise).convert(mode)
        margins.add((max(width, height) * 48 // min(width, height) - 48) % 4)
        first, second = (model.prepare(image) for model in models)
        assert np.array_equal(first.pixels, second.pixels)
        assert first.frame == second.frame
        pixels = torch.from_numpy(first.pixels)[None] / 255
        rows = [model.encode_images(pixels) for model in models]
        assert (rows[0] - rows[1]).abs().max() < 1e-5
    assert margins == {
        0,
        1,
        2,
        3,
    }  # among them the one that transformers' own processor crops differently


def test_texts(models: list[DualEncoder]) -> None:
    rows = [model.encode_reports(published.TEXTS) for model in models]
    assert (rows[0] - rows[1]).abs().max() < 1e-5
    assert [truncated_by(model, published.TEXTS) for model in models] == [
        1,
        1,
    ]
