"""MedCLIP by its authors' package, as docs/command.md serves it, against our own loader.

The package needs libraries of 2022, so it has a Python of its own, which an environment
variable names (`pip install torch==1.12.1 torchvision==0.13.1 transformers==4.24.0
timm==0.6.12 pandas scikit-learn nltk wget textaugment medclip==0.0.3`, on Python 3.8).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch

from pytest_retrieval_robust import encoder_from_command, load_model
from pytest_retrieval_robust.core.encoding import unit_scale

from ...docs.pages import block
from .. import published
from .servers import helper_file

VARIABLE = "RETRIEVAL_ROBUST_MEDCLIP_PYTHON"
ROUNDING = 1e-5
TEXTS = [text for text in published.TEXTS if text.strip()]
BERT = {
    "model_type": "bert",
    "vocab_size": 28996,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
SWIN = {"model_type": "swin", "image_size": 224, "depths": [2, 2, 6, 2]}
MAKE_EMPTY_WEIGHTS = "import sys, torch; torch.save({}, sys.argv[1])"


def cached(cache: Path, repository: str, python: str) -> Path:
    """A repository's folder in a cache of the hub, with weights that are all missing."""
    kept = cache / f"models--{repository.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    folder = kept / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    weights = str(folder / "pytorch_model.bin")
    subprocess.run([python, "-c", MAKE_EMPTY_WEIGHTS, weights], check=True)
    return folder


def test_the_authors_package_gives_the_rows_of_our_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = os.environ.get(VARIABLE)
    if python is None:
        pytest.skip(f"{VARIABLE} names no Python with the package medclip")
    cache = tmp_path / "cache" / "hub"
    bert = cached(cache, "emilyalsentzer/Bio_ClinicalBERT", python)
    published.save_tokenizer(bert)
    (bert / "config.json").write_text(json.dumps(BERT))
    swin = cached(cache, "microsoft/swin-tiny-patch4-window7-224", python)
    (swin / "config.json").write_text(json.dumps(SWIN))
    weights = published.save("medclip_vit", tmp_path / "medclip-vit")
    file = helper_file(tmp_path, block("docs/command.md", "python", 1).text)
    for name in ("HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"):
        monkeypatch.setenv(name, str(cache))
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    theirs = encoder_from_command(
        "medclip", [python, file.name], folder=tmp_path, device="cpu"
    )
    monkeypatch.undo()
    ours = load_model("medclip", checkpoint=weights, tokenizer=bert, device="cpu")

    assert theirs.card.context_length == ours.card.context_length
    for number in range(6):
        prepared = ours.prepare(published.picture(number))
        same = theirs.prepare(published.picture(number))
        assert (prepared.pixels == same.pixels).all()
        assert prepared.frame == same.frame
        pixels = unit_scale(prepared.pixels[None], "cpu")
        apart = ours.encode_images(pixels) - theirs.encode_images(pixels)
        assert float(apart.abs().max()) < ROUNDING
    texts = ours.encode_reports(TEXTS)
    apart = texts - theirs.encode_reports(TEXTS)
    assert float(apart.abs().max()) < ROUNDING
    # They are rows of different texts, not one and the same.
    assert float((texts @ texts.T).fill_diagonal_(0).max()) < 1 - ROUNDING
    lengths = getattr(theirs, "token_lengths")(TEXTS)  # noqa: B009 - an optional ability
    assert lengths == getattr(ours, "token_lengths")(TEXTS)  # noqa: B009
    assert torch.isfinite(texts).all()
