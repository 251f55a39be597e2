"""BioViL-T and BioViL against the numbers of their authors' code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError

from . import published

EMBEDDING = 1e-5
PIXEL = 1e-6
IMAGE_FILE = "biovil_t_image_model_proj_size_128.pt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As the hub repository is laid out: image weights, text model and vocabulary."""
    folder = published.save_tokenizer(tmp_path_factory.mktemp("biovil"), rows=30522)
    (folder / "config.json").write_text(
        json.dumps(published.manifest("cxr_bert")["config"])
    )
    torch.save(published.state_dict("biovil_t_image"), folder / IMAGE_FILE)
    torch.save(published.state_dict("cxr_bert"), folder / "pytorch_model.bin")
    yield folder
    (folder / "pytorch_model.bin").unlink()


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load_model("biovil-t", checkpoint=folder, device="cpu")


def pixels(model: Any, images: list[Image.Image]) -> torch.Tensor:
    return (
        torch.from_numpy(
            np.stack([model.prepare(image).pixels for image in images])
        ).float()
        / 255
    )


def low_contrast() -> list[Image.Image]:
    grey, colour = (np.asarray(published.picture(n)).astype(np.int64) for n in (1, 5))
    colours = colour * (3, 4, 5) // 8 + (20, 35, 50)
    return [
        Image.fromarray((grey * 3 // 5 + 30).astype(np.uint8)),
        Image.fromarray(colours.astype(np.uint8)),
    ]


def test_images(model: Any) -> None:
    golden = published.goldens("biovil_t")
    encoded: dict[str, NDArray[np.float32]] = {}
    for images, prefix, rows in (
        ([published.picture(n) for n in range(4)], "pixels", "image_embeds"),
        (low_contrast(), "lowcontrast_pixels", "lowcontrast_image_embeds"),
    ):
        batch = pixels(model, images)
        assert batch.shape[1:] == (3, 448, 448)
        assert (
            np.abs(batch[:, :1, 7::16, 7::16].numpy() - golden[f"{prefix}_grid"]).max()
            <= PIXEL
        )
        hashes = [
            hashlib.sha256(square[:1].numpy().tobytes()).hexdigest() for square in batch
        ]
        assert hashes == list(golden[f"{prefix}_sha256"])
        if rows in golden:
            encoded[rows] = model.encode_images(batch).numpy()
            assert np.abs(encoded[rows] - golden[rows]).max() <= EMBEDDING
    wrong = golden["image_embeds_normalised_patch_mean_WRONG"]
    assert np.abs(encoded["image_embeds"] - wrong).max() > 1e-3


def test_texts(model: Any) -> None:
    golden = published.goldens("biovil_t")["text_embeds"]
    together = model.encode_reports(published.TEXTS)
    assert np.abs(together[:4].numpy() - golden).max() <= EMBEDDING
    short, long, blank = 0, 3, 4
    for number in (short, long, blank):
        alone = model.encode_reports([published.TEXTS[number]])[0]
        assert (alone - together[number]).abs().max() < 1e-6
    assert model.truncated([*published.TEXTS, published.TEXTS[3] * 3]) == 1
    with pytest.raises(ModelError, match="got one with such a token") as caught:
        model.encode_reports(["a secret [SEP] text"])
    assert "secret" not in str(caught.value)


def test_the_card(model: Any) -> None:
    card = model.card
    assert (card.missing_keys, card.unexpected_keys) == ((), ())
    assert all(
        key.startswith(("encoder.vit_pooler.", "cls.predictions."))
        or "position_ids" in key
        for key in card.dropped_keys
    )
    assert (card.input_size, card.context_length, card.licence) == (448, 512, "MIT")


def test_a_constant_image_is_black(model: Any) -> None:
    assert not model.prepare(Image.new("L", (60, 80), 130)).pixels.any()


def test_the_image_file_with_the_text_folder(folder: Path, model: Any) -> None:
    from_file = load_model(
        "biovil-t", checkpoint=folder / IMAGE_FILE, tokenizer=folder, device="cpu"
    )
    assert torch.equal(
        from_file.encode_reports(published.TEXTS[:1]),
        model.encode_reports(published.TEXTS[:1]),
    )


def test_biovil_has_a_network_of_its_own(folder: Path, tmp_path: Path) -> None:
    torch.save(
        published.state_dict("biovil_image"),
        tmp_path / "biovil_image_resnet50_proj_size_128.pt",
    )
    model = load_model(
        "biovil", checkpoint=next(tmp_path.iterdir()), tokenizer=folder, device="cpu"
    )
    rows = model.encode_images(pixels(model, [published.picture(0)]))
    assert (rows.shape, model.card.input_size) == ((1, 128), 480)


def test_what_is_missing_or_another_models(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Expected one file of image weights"):
        load_model("biovil-t", checkpoint=tmp_path, device="cpu")
    with pytest.raises(ModelError, match="tokenizer=None"):
        load_model("biovil-t", checkpoint=folder / IMAGE_FILE, device="cpu")
    with pytest.raises(ModelError, match="looks like CXR-BERT"):
        load_model(
            "biovil-t",
            checkpoint=folder / "pytorch_model.bin",
            tokenizer=folder,
            device="cpu",
        )
