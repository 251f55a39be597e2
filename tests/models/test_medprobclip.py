"""MedProbCLIP against the numbers of its authors' code: distributions, and their match score."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pytest_retrieval_robust import (
    evaluate,
    load_dataset,
    load_model,
    load_occluder,
    positive_ranks,
)
from pytest_retrieval_robust.core.errors import ModelError

from . import published

WIDTH = 512


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    file = tmp_path_factory.mktemp("medprobclip") / "pre-trained_weights.pt"
    published.save_tokenizer(file.parent / "tokenizer", rows=30522)
    around = {
        "optimizer": {},
        "scaler": {},
        "scheduler": {},
        "cfg": {"embed_dim": WIDTH},
        "metrics": {},
        "epoch": 3,
    }
    torch.save(
        {"model": published.state_dict("medprobclip"), **around, "best_rsum": 1.0}, file
    )
    yield file
    file.unlink()


@pytest.fixture(scope="module")
def model(file: Path) -> Any:
    return load_model(
        "medprobclip",
        checkpoint=file,
        tokenizer=file.parent / "tokenizer",
        device="cpu",
    )


@pytest.fixture(scope="module")
def rows(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = (
        torch.from_numpy(
            np.stack([model.prepare(published.picture(n)).pixels for n in range(4)])
        ).float()
        / 255
    )
    texts = [str(text) for text in published.goldens("medprobclip")["text_used"]]
    return model.encode_images(pixels), model.encode_reports(texts)


def test_pixels(model: Any) -> None:
    golden = published.goldens("medprobclip")
    for number in range(4):
        normalised = model.normalise(
            torch.from_numpy(model.prepare(published.picture(number)).pixels)[
                None
            ].float()
            / 255
        )
        assert (
            np.abs(
                normalised[0, :1, 7::16, 7::16].numpy() - golden["pixels_grid"][number]
            ).max()
            <= 1e-6
        )
        assert (
            hashlib.sha256(normalised[0, :1].numpy().tobytes()).hexdigest()
            == golden["pixels_sha256"][number]
        )


def test_distributions(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    golden = published.goldens("medprobclip")
    for side, distributions in zip(("image", "text"), rows, strict=True):
        mean = distributions.numpy()[:, :WIDTH]
        log_variance = distributions.numpy()[:, WIDTH:]
        assert np.abs(mean - golden[f"{side}_mu"]).max() <= 1e-5
        assert np.abs(log_variance - golden[f"{side}_logvar"]).max() <= 1e-5
        unit = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        assert np.abs(unit - golden[f"{side}_mu_normalised"]).max() <= 1e-5


def test_scores(model: Any, rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    golden = published.goldens("medprobclip")["match_scores_i2t"]
    images, texts = rows
    scores = model.similarity(images, texts).numpy()
    assert np.allclose(scores, golden, rtol=2e-6, atol=0)
    assert np.allclose(
        model.similarity(texts, images).numpy().T, golden, rtol=2e-6, atol=0
    )
    cosines = images[:, :WIDTH] @ texts[:, :WIDTH].T
    assert (scores.argsort(axis=1) != cosines.numpy().argsort(axis=1)).any(axis=1).all()


def test_scores_of_a_large_tile(model: Any) -> None:
    """Against the formula in float64, in a tile that is worked off in parts."""
    generator = torch.Generator().manual_seed(0)
    queries, gallery = (
        torch.randn(n, 2 * WIDTH, generator=generator) for n in (70, 900)
    )
    scores = model.similarity(queries, gallery)
    wide = queries.double()
    wider = gallery.double()
    variances = wide[7, WIDTH:].exp() + wider[:, WIDTH:].exp()
    distance = 0.5 * (
        (wide[7, :WIDTH] - wider[:, :WIDTH]) ** 2 / variances + (variances + 1e-6).log()
    ).sum(1)
    assert torch.allclose(scores[7].double(), -0.75 * distance - 0.5, rtol=2e-6)


def test_it_is_ranked_by_its_score(
    model: Any, rows: tuple[torch.Tensor, torch.Tensor]
) -> None:
    golden = published.goldens("medprobclip")["match_scores_i2t"]
    own = np.arange(4)
    ranks = positive_ranks(*rows, own, own, similarity=model.similarity)
    assert ranks.tolist() == [
        1 + int((row >= row[n]).sum() - 1) for n, row in enumerate(golden)
    ]
    curve = evaluate(
        model,
        load_dataset("synthetic-cxr", pairs=2),
        load_occluder("patches"),
        levels=(0.3,),
        ks=(1,),
    )
    assert set(curve.recall(k=1)) == {0.0, 0.3}


def test_a_text_alone_and_in_company(model: Any) -> None:
    together = model.encode_reports(published.TEXTS)
    short, long, blank = 0, 3, 4
    for number in (short, long, blank):
        alone = model.encode_reports([published.TEXTS[number]])[0]
        assert (alone - together[number]).abs().max() < 5e-6  # of values near 6


def test_another_models_file(file: Path) -> None:
    with pytest.raises(ModelError, match="looks like MedProbCLIP"):
        load_model(
            "medclip",
            checkpoint=file,
            tokenizer=file.parent / "tokenizer",
            device="cpu",
        )
