"""What half precision changes in embeddings, as a run reports it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch

from pytest_retrieval_robust import load_dataset, load_model
from pytest_retrieval_robust.measure.half_precision import precision_effect


def test_the_effect_is_that_of_the_embeddings_themselves() -> None:
    half = load_model("tiny-cxr-clip", device="cpu", precision="bf16")
    whole = load_model("tiny-cxr-clip", device="cpu", precision="fp32")
    dataset = load_dataset("synthetic-cxr", pairs=40)
    effect = precision_effect(half, whole, dataset)
    pixels = (
        torch.stack(
            [torch.from_numpy(half.prepare(dataset.image(n)).pixels) for n in range(32)]
        ).float()
        / 255
    )
    rows = [model.encode_images(pixels).double() for model in (half, whole)]
    cosines = (rows[0] * rows[1]).sum(1) / (rows[0].norm(dim=1) * rows[1].norm(dim=1))
    assert effect["images"]["count"] == effect["reports"]["count"] == 32
    assert effect["images"]["lowest_cosine"] == pytest.approx(
        float(cosines.min()), abs=1e-9
    )
    assert effect["images"]["largest_difference"] == pytest.approx(
        float((rows[0] - rows[1]).abs().max()), abs=1e-9
    )
    assert 0 < 1 - effect["images"]["mean_cosine"] < 1e-3
    same = precision_effect(whole, whole, dataset)
    assert (
        same["images"]["largest_difference"]
        == same["reports"]["largest_difference"]
        == 0
    )


def test_a_run_in_half_precision_says_so(
    run_suite: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    result = run_suite("--robust-precision=bf16", "--robust-results=results")
    result.stdout.fnmatch_lines(
        ["loaded: tiny-cxr-clip: half precision moves its embeddings*"]
    )
    (model,) = json.loads((pytester.path / "results" / "run.json").read_text())[
        "models"
    ]
    assert model["precision_effect"]["reports"]["lowest_cosine"] < 1


def test_a_run_in_float32_has_nothing_to_say(
    run_suite: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    run_suite("--robust-results=results").stdout.no_fnmatch_line("*half precision*")
    (model,) = json.loads((pytester.path / "results" / "run.json").read_text())[
        "models"
    ]
    assert "precision_effect" not in model
