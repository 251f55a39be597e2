"""What is no dual encoder of a fixed square is refused at load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertForSequenceClassification,
    CLIPConfig,
    CLIPForImageClassification,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    FlavaConfig,
    FlavaImageProcessor,
    FlavaModel,
    PreTrainedModel,
    ViTConfig,
    ViTForImageClassification,
)

from .checkpoints import save_clip, save_siglip, tokenizer
from .refusals import CANARY, images, load, refused, write_settings


def test_naflex_is_refused_at_load(tmp_path: Path) -> None:
    from transformers import Siglip2Config, Siglip2Model

    small = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    words = tokenizer()
    text = {**small, "vocab_size": len(words), "max_position_embeddings": 8}
    vision = {**small, "num_patches": 16}
    Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)).save_pretrained(
        save_siglip(tmp_path)
    )
    assert "(NaFlex), whose resolution varies" in refused(lambda: load(tmp_path))


def test_blip_2_is_refused_at_load(tmp_path: Path) -> None:
    write_settings(save_clip(tmp_path) / "config.json", model_type="blip-2")
    assert (
        "got model_type='blip-2', which embeds texts through a language model"
        in refused(lambda: load(tmp_path))
    )


def test_a_model_that_fails_on_an_image_is_refused_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise SystemExit(CANARY)

    folder = save_clip(tmp_path)
    monkeypatch.setattr("transformers.CLIPModel.get_image_features", broken)
    assert "got CLIPModel, which failed: SystemExit" in refused(lambda: load(folder))


def test_rows_of_tokens_are_refused_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.CLIPModel.get_text_features",
        lambda *_, **__: torch.zeros(1, 5, 8),
    )
    assert "one row each, of one width" in refused(lambda: load(save_clip(tmp_path)))


def test_flavas_rows_are_those_of_its_class_token(tmp_path: Path) -> None:
    torch.manual_seed(0)
    words = tokenizer()
    small = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    config = FlavaConfig(
        text_config={**small, "vocab_size": len(words), "max_position_embeddings": 8},
        image_config={**small, "image_size": 32, "patch_size": 8},
        multimodal_config=small,
        image_codebook_config={"num_groups": 1},
        hidden_size=16,
        projection_dim=8,
    )
    FlavaModel(config).eval().save_pretrained(tmp_path)
    size: Any = {"height": 32, "width": 32}
    FlavaImageProcessor(
        size=size, crop_size=size, do_center_crop=False
    ).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    model, reference = load(tmp_path), AutoModel.from_pretrained(tmp_path).eval()
    ids = torch.tensor([words("heart is large")["input_ids"]])
    with torch.no_grad():
        states = reference.text_model(input_ids=ids).last_hidden_state
        row = torch.nn.functional.normalize(
            reference.text_projection(states[:, 0]), dim=-1
        )
    assert torch.allclose(model.encode_reports(["heart is large"]), row, atol=1e-5)
    assert images(model).shape == (1, 8)


SMALL = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


@pytest.mark.parametrize(
    "make",
    [
        lambda: ViTForImageClassification(ViTConfig(**SMALL, image_size=32)),
        lambda: BertForSequenceClassification(BertConfig(**SMALL, vocab_size=20)),
        lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**SMALL, image_size=32)),
    ],
)
def test_a_folder_of_one_tower_is_refused_before_its_weights_are_read(
    tmp_path: Path, make: Callable[[], PreTrainedModel]
) -> None:
    model = make()
    save_clip(tmp_path)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    message = refused(lambda: load(tmp_path))
    assert f"got a folder of {type(model).__name__}, which does not embed" in message


def test_a_clip_that_was_trained_to_classify_is_refused(tmp_path: Path) -> None:
    config = CLIPConfig.from_pretrained(save_clip(tmp_path))
    CLIPForImageClassification(config).save_pretrained(tmp_path)
    message = refused(lambda: load(tmp_path))
    assert (
        "got a folder of CLIPForImageClassification, which was trained for" in message
    )
