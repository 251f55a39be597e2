"""transformers checkpoints, against the library's own forward pass on its own preprocessing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    ModelError,
    NotOnThisMachineError,
)
from pytest_retrieval_robust.models import DualEncoder, truncated_by

from .checkpoints import TEXTS, put_into_hub_cache, save_clip, save_siglip
from .hub_cache import use_hub_cache

# 32 x 38 after the resize: a margin on whose middle all libraries agree.
IMAGE = Image.fromarray(
    np.random.default_rng(0).integers(0, 255, (48, 40), dtype=np.uint8)
)
SAVERS = {"clip": save_clip, "siglip": save_siglip}


def load(folder: Path) -> DualEncoder:
    return load_model(f"local-dir:{folder}", device="cpu")


def images(model: DualEncoder) -> torch.Tensor:
    return model.encode_images(
        torch.from_numpy(model.prepare(IMAGE).pixels)[None] / 255
    )


@pytest.mark.parametrize("save", SAVERS.values(), ids=SAVERS)
def test_embeddings_are_the_librarys_own(
    tmp_path: Path, save: Callable[[Path], Path]
) -> None:
    model = AutoModel.from_pretrained(save(tmp_path)).eval()
    processor = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    tokens = AutoTokenizer.from_pretrained(tmp_path)(
        list(TEXTS),
        padding="max_length",
        truncation=True,
        max_length=8,
        return_tensors="pt",
    )
    if "siglip" in model.config.model_type:
        tokens = {"input_ids": tokens["input_ids"]}
    else:
        tokens.pop("token_type_ids", None)
    with torch.no_grad():
        pixels = processor(images=IMAGE.convert("RGB"), return_tensors="pt")[
            "pixel_values"
        ]
        output = model(pixel_values=pixels, **tokens)
    assert torch.allclose(images(load(tmp_path)), output.image_embeds, atol=1e-5)
    assert torch.allclose(
        load(tmp_path).encode_reports(TEXTS), output.text_embeds, atol=1e-5
    )


@pytest.mark.parametrize("save", SAVERS.values(), ids=SAVERS)
def test_a_row_does_not_depend_on_its_neighbours(
    tmp_path: Path, save: Callable[[Path], Path]
) -> None:
    model = load(save(tmp_path))
    alone = torch.cat([model.encode_reports([text]) for text in TEXTS])
    assert torch.allclose(model.encode_reports(TEXTS), alone, atol=1e-6)


def test_the_card_tells_where_a_model_came_from(tmp_path: Path) -> None:
    card = load(save_clip(tmp_path / "mine")).card
    assert (card.source, card.licence, card.input_size, card.context_length) == (
        "local-dir:mine",
        "mit",
        32,
        8,
    )
    assert card.sha256 is not None
    assert len(card.sha256) == 64
    assert card.missing_keys == card.unexpected_keys == card.dropped_keys == ()


def test_texts_beyond_the_context_are_counted(tmp_path: Path) -> None:
    model = load(save_clip(tmp_path))
    assert truncated_by(model, TEXTS) == 1


def rewrite(folder: Path, drop: str = "", add: str = "") -> None:
    weights = {
        key: value
        for key, value in load_file(folder / "model.safetensors").items()
        if not drop or drop not in key
    }
    if add:
        weights[add] = torch.zeros(3)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_missing_weight_is_an_error_that_names_it(tmp_path: Path) -> None:
    rewrite(save_clip(tmp_path), drop="visual_projection")
    with pytest.raises(ModelError, match="missing_keys=1: visual_projection.weight"):
        load(tmp_path)


def test_an_unexpected_weight_is_in_the_card_and_a_harmless_one_is_dropped(
    tmp_path: Path,
) -> None:
    rewrite(save_clip(tmp_path), add="extra.weight")
    rewrite(tmp_path, add="other.position_ids")
    card = load(tmp_path).card
    assert card.unexpected_keys == ("extra.weight",)
    assert "other.position_ids" in card.dropped_keys


def test_truncated_weights_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    weights = save_clip(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="Copy or download the folder again"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["preprocessor_config.json", "config.json"])
def test_a_damaged_config_is_an_error(tmp_path: Path, name: str) -> None:
    (save_clip(tmp_path) / name).write_text("{")
    with pytest.raises(ModelError, match="Expected a whole transformers checkpoint"):
        load(tmp_path)


def test_a_folder_without_a_model_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(
        NotOnThisMachineError,
        match="Expected a folder with config.json or open_clip_config.json",
    ):
        load(tmp_path)


def test_a_text_model_alone_is_no_dual_encoder(tmp_path: Path) -> None:
    config = json.loads((save_clip(tmp_path) / "config.json").read_text())
    config = {
        **config["text_config"],
        "model_type": "clip_text_model",
        "architectures": ["CLIPTextModel"],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="dual encoder"):
        load(tmp_path)


def test_a_hub_repository_loads_from_the_cache_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_hub_cache(
        save_clip(tmp_path / "mine"), tmp_path / "cache", "someone/clip-small"
    )
    use_hub_cache(monkeypatch, tmp_path / "cache")
    model = load_model("hf:someone/clip-small", device="cpu", download=False)
    assert model.name == "hf-someone-clip-small"
    assert model.card.revision == "a" * 40
    assert torch.equal(images(model), images(load(tmp_path / "mine")))


def test_a_missing_hub_repository_says_how_to_get_it() -> None:
    with pytest.raises(NotOnThisMachineError, match="hf download someone/nothing"):
        load_model("hf:someone/nothing", device="cpu", download=False)


def test_half_precision_keeps_unit_rows_in_float32(tmp_path: Path) -> None:
    model = load_model(
        f"local-dir:{save_clip(tmp_path)}", device="cpu", precision="bf16"
    )
    rows = model.encode_reports(TEXTS)
    assert rows.dtype == torch.float32
    assert torch.allclose(rows.norm(dim=1), torch.ones(len(TEXTS)), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"rescale_factor": 1 / 127.5}, "rescale_factor=0.0078"),
        ({"do_rescale": False}, "do_rescale=False"),
        ({"rescale_offset": True}, "rescale_offset=True"),
    ],
)
def test_another_scale_of_pixels_is_refused(
    tmp_path: Path, settings: dict[str, Any], part: str
) -> None:
    file = save_clip(tmp_path) / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    with pytest.raises(ModelError, match=part):
        load(tmp_path)


def test_a_size_that_the_network_was_not_built_for(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"embeds images of preprocessing\.size=64.*leave it out"
    ):
        load_model(
            "medsiglip",
            checkpoint=save_siglip(tmp_path),
            preprocessing={"size": 64},
            device="cpu",
        )


def test_a_wrong_tokenizer_is_blamed_itself(tmp_path: Path) -> None:
    folder = save_siglip(tmp_path / "model")
    with pytest.raises(
        NotOnThisMachineError,
        match="got tokenizer='nowhere' that .* no such folder. Fix",
    ):
        load_model("medsiglip", checkpoint=folder, tokenizer="/nowhere", device="cpu")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer"}'
    )
    with pytest.raises((ModelError, NotOnThisMachineError), match="tokenizer"):
        load_model(
            "medsiglip",
            checkpoint=folder,
            tokenizer=str(tmp_path / "empty"),
            device="cpu",
        )


def test_plain_bilinear_is_for_stretched_images(tmp_path: Path) -> None:
    folder = save_clip(tmp_path)
    with pytest.raises(ConfigError, match="stretches"):
        load_model(
            "medsiglip",
            checkpoint=folder,
            preprocessing={"interpolation": "bilinear-no-antialias"},
        )
