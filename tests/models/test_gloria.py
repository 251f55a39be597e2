"""GLoRIA's global embeddings against the numbers of its authors' code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models._formats import gloria, opencv

from . import published

EMBEDDING = 1e-5
PIXEL = 1e-6


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Lightning checkpoint, with what Lightning keeps beside the weights."""
    file = tmp_path_factory.mktemp("gloria") / "chexpert_resnet50.ckpt"
    published.save_tokenizer(file.parent / "tokenizer")
    around = {
        "epoch": 9,
        "global_step": 100,
        "pytorch-lightning_version": "1.1.4",
        "callbacks": {},
    }
    settings = published.manifest("gloria_resnet50")["hyper_parameters"]
    torch.save(
        {
            **around,
            "state_dict": published.state_dict("gloria_resnet50"),
            "hyper_parameters": settings,
        },
        file,
    )
    yield file
    file.unlink()


@pytest.fixture(scope="module")
def model(file: Path) -> Any:
    return load_model(
        "gloria", checkpoint=file, tokenizer=file.parent / "tokenizer", device="cpu"
    )


def sha256(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_pixels_are_opencvs_bit_for_bit(model: Any) -> None:
    golden = published.goldens("gloria_resnet50")
    for number in range(4):
        image = published.picture(number)
        grey = opencv.grey_of(image)
        assert sha256(grey) == golden["gray_sha256"][number]
        longer = max(image.size)
        width, height = (
            256 if side == longer else int(side * 256 / longer) for side in image.size
        )
        assert (
            sha256(gloria.padded(opencv.by_area(grey, width, height)))
            == golden["square256_sha256"][number]
        )
        normalised = model.normalise(
            torch.from_numpy(model.prepare(image).pixels)[None].float() / 255
        )[0, :1]
        assert sha256(normalised.numpy()) == golden["pixels_sha256"][number]
        assert (
            np.abs(
                normalised[:, 7::16, 7::16].numpy() - golden["pixels_grid"][number]
            ).max()
            <= PIXEL
        )


def test_images(model: Any) -> None:
    golden = published.goldens("gloria_resnet50")
    pixels = (
        torch.from_numpy(
            np.stack([model.prepare(published.picture(n)).pixels for n in range(4)])
        ).float()
        / 255
    )
    rows = model.encode_images(pixels)
    assert np.abs(rows.numpy() - golden["image_embeds"]).max() <= EMBEDDING
    assert (
        model.encode_images(pixels[2:3])[0] - rows[2]
    ).abs().max() < 1e-6  # evaluation, not the batch's statistics


def test_texts(model: Any) -> None:
    golden = published.goldens("gloria_resnet50")
    assert [gloria.clean(text) for text in published.TEXTS[:4]] == list(
        golden["text_clean"]
    )
    rows = model.encode_reports(published.TEXTS)
    assert np.abs(rows[:4].numpy() - golden["text_embeds"]).max() <= EMBEDDING
    for row, text in zip(rows, published.TEXTS, strict=True):
        assert (model.encode_reports([text])[0] - row).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("4.5 cm above", "5 cm above"),
        ("1. Small effusion.", "small effusion"),
        ("Cardiomegaly.", ""),
        ("Größe of heart", "gre of heart"),
        ("the ___ tube", "the ___ tube"),
        (" \n ", ""),
    ],
)
def test_the_authors_cleaning_with_its_traps(text: str, cleaned: str) -> None:
    assert gloria.clean(text) == cleaned


def test_the_card_and_the_frame(model: Any) -> None:
    card = model.card
    assert (card.missing_keys, card.unexpected_keys) == ((), ())
    assert card.dropped_keys == ("text_encoder.model.embeddings.position_ids",)
    assert (card.input_size, card.context_length) == (224, 97)
    assert model.prepare(Image.new("L", (256, 256))).frame == (
        -16 / 224,
        -16 / 224,
        240 / 224,
        240 / 224,
    )


def test_what_is_no_gloria(file: Path, tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="looks like nothing known here"):
        load_model(
            "gloria",
            checkpoint=tmp_path / "other.pt",
            tokenizer=file.parent / "tokenizer",
            device="cpu",
        )
    with pytest.raises(ModelError, match=r"looks like GLoRIA|looks like nothing"):
        load_model("cxr-repair", checkpoint=file, device="cpu")
