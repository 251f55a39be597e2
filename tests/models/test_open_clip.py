"""open_clip checkpoints, against the library's own forward pass on its own preprocessing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.errors import ConfigError, ModelError, NotOnThisMachineError
from pytest_retrieval_robust.models import DualEncoder

from .checkpoints import OPEN_CLIP_ARCHITECTURE, TEXTS, put_into_hub_cache, save_open_clip

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 41), dtype=np.uint8))


def images(model: DualEncoder) -> torch.Tensor:
    return model.encode_images(torch.from_numpy(model.prepare(IMAGE).pixels)[None] / 255)


def test_embeddings_are_the_librarys_own(tmp_path: Path) -> None:
    name = f"local-dir:{save_open_clip(tmp_path)}"
    reference, _, preprocess = open_clip.create_model_and_transforms(name)
    with torch.no_grad():
        expected_image = reference.eval().encode_image(preprocess(IMAGE)[None], normalize=True)
        expected_text = reference.encode_text(open_clip.get_tokenizer(name)(list(TEXTS)), normalize=True)
    model = load_model(name, device="cpu")
    assert torch.allclose(images(model), expected_image, atol=1e-5)
    assert torch.allclose(model.encode_reports(TEXTS), expected_text, atol=1e-5)


def test_the_declared_preprocessing_decides_the_frame(tmp_path: Path) -> None:
    folder = save_open_clip(tmp_path)
    assert load_model(f"local-dir:{folder}", device="cpu").prepare(IMAGE).frame == (0.0, 0.0, 1.0, 1.0)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = "shortest"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    left, top, right, bottom = load_model(f"local-dir:{folder}", device="cpu").prepare(IMAGE).frame
    assert (left, right) == (0.0, 1.0)
    assert top < 0
    assert bottom > 1


def test_truncated_weights_are_an_error(tmp_path: Path) -> None:
    weights = save_open_clip(tmp_path) / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="Expected a whole open_clip checkpoint"):
        load_model(f"local-dir:{tmp_path}", device="cpu")


def test_weights_of_another_architecture_are_an_error(tmp_path: Path) -> None:
    config = json.loads((save_open_clip(tmp_path) / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["layers"] = 3
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="belong together"):
        load_model(f"local-dir:{tmp_path}", device="cpu")


def test_a_published_tag_loads_from_the_cache_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_into_hub_cache(save_open_clip(tmp_path / "mine"), tmp_path / "cache", "someone/small")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "ViT-tiny-test.json").write_text(json.dumps(OPEN_CLIP_ARCHITECTURE))
    open_clip.add_model_config(tmp_path / "ViT-tiny-test.json")
    published = {"own": {"hf_hub": "someone/small/", "mean": (0.5,) * 3, "std": (0.25,) * 3, "resize_mode": "squash"}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "ViT-tiny-test", published)
    model = load_model("open_clip:ViT-tiny-test/own", device="cpu", download=False)
    folder = load_model(f"local-dir:{tmp_path / 'mine'}", device="cpu")
    assert model.name == "open_clip-ViT-tiny-test-own"
    assert torch.allclose(images(model), images(folder), atol=1e-6)


def test_a_tag_that_is_not_here_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NotOnThisMachineError, match="allow downloads"):
        load_model("open_clip:ViT-B-32/laion2b_s34b_b79k", device="cpu", download=False)


def test_a_tag_that_was_never_published_lists_those_that_were() -> None:
    with pytest.raises(ConfigError, match="Tags of ViT-B-32: .*openai"):
        load_model("open_clip:ViT-B-32/opnai", device="cpu")


def test_texts_beyond_the_context_are_counted(tmp_path: Path) -> None:
    model = load_model(f"local-dir:{save_open_clip(tmp_path)}", device="cpu")
    assert getattr(model, "truncated")(["heart " * 20, "heart"]) == 1  # noqa: B009 - not every model can count
