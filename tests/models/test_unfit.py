"""What `hf:` and `local-dir:` cannot take is refused in a sentence that says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError

from .checkpoints import put_into_hub_cache, save_clip, save_open_clip
from .hub_cache import use_only_hub_cache
from .refusals import images, load, refused

# As the repositories of CheXagent, jina-clip-v2 and nomic-embed-vision have them.
WITH_CODE: dict[str, dict[str, Any]] = {
    "chexagent": {
        "model_type": "chexagent",
        "architectures": ["CheXagentForConditionalGeneration"],
        "auto_map": {
            "AutoConfig": "configuration_chexagent.CheXagentConfig",
            "AutoModelForCausalLM": "modeling_chexagent.CheXagentForGeneration",
        },
    },
    "jina": {
        "model_type": "jina_clip",
        "auto_map": {
            "AutoConfig": "jinaai/jina-clip-implementation--configuration_clip.Config",
            "AutoModel": "jinaai/jina-clip-implementation--modeling_clip.JinaCLIPModel",
        },
    },
}
WRITERS: dict[str, dict[str, Any]] = {
    "CheXagentForCausalLM": {
        "model_type": "phi",
        "architectures": ["CheXagentForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_chexagent.CheXagentConfig"},
    },
    "LlavaForConditionalGeneration": {
        "model_type": "llava",
        "architectures": ["LlavaForConditionalGeneration"],
    },
    "InstructBlipModel": {"model_type": "instructblip"},
}
OF_VOLUMES: dict[str, dict[str, Any]] = {
    "num_frames=8": {"model_type": "xclip"},
    "num_frames=16": {"model_type": "videomae"},
    "image_size=[480, 480, 240]": {
        "model_type": "clip",
        "vision_config": {"image_size": [480, 480, 240]},
    },
}


def configured(folder: Path, config: dict[str, Any]) -> Path:
    """A CLIP's folder with another configuration, whose weights are not even read."""
    save_clip(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


@pytest.mark.parametrize("config", WITH_CODE.values(), ids=WITH_CODE)
def test_code_of_a_repository_is_not_run(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    folder = configured(tmp_path / "model", config)
    for module in ("configuration_chexagent", "modeling_chexagent"):
        (folder / f"{module}.py").write_text("raise SystemExit('it ran')")
    message = refused(lambda: load(folder))
    assert "needs no code of its own, got one that does; it was not run" in message
    assert "trust_remote_code = true in its [models.NAME] table" in message
    assert 'environment of its own: loader = "command"' in message


def test_a_model_with_code_that_has_a_recipe_is_told_its_name(tmp_path: Path) -> None:
    config = {"model_type": "chexficient_clip", "auto_map": {"AutoConfig": "c.Config"}}
    message = refused(lambda: load(configured(tmp_path / "model", config)))
    assert message.endswith("Load it as chexficient, which runs none of it.")


@pytest.mark.parametrize("network", WRITERS)
def test_what_writes_texts_is_refused(tmp_path: Path, network: str) -> None:
    message = refused(lambda: load(configured(tmp_path / "model", WRITERS[network])))
    assert f"got a folder of {network}, which writes texts and does not" in message
    assert 'serve it with loader = "command"' in message


@pytest.mark.parametrize("setting", OF_VOLUMES)
def test_videos_and_volumes_are_refused(tmp_path: Path, setting: str) -> None:
    message = refused(lambda: load(configured(tmp_path / "model", OF_VOLUMES[setting])))
    assert f"got one of videos or volumes ({setting})" in message


def test_a_repository_in_its_authors_own_form_is_told_where_to_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(*_: object, **__: object) -> object:
        raise OSError("a/b does not appear to have a file named config.json.")

    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", absent)
    with pytest.raises(ModelError, match="got one with neither") as caught:
        load_model("hf:a-b-c/none-of-these", device="cpu")
    assert "with the model's name as loader" in str(caught.value)


TIMM = {"architecture": "vit_huge_patch14_clip_224", "num_classes": 1024}


def test_timms_image_tower_alone_is_refused(tmp_path: Path) -> None:
    message = refused(lambda: load(configured(tmp_path / "model", TIMM)))
    assert "got timm's configuration of an image tower" in message


def test_a_repository_of_timm_and_open_clip_is_open_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """timm's repositories hold the image tower twice: alone, and in open_clip's model."""
    use_only_hub_cache(monkeypatch, tmp_path / "cache")
    folder = save_open_clip(tmp_path / "model")
    alone = load(folder)
    (folder / "config.json").write_text(json.dumps(TIMM))
    (folder / "model.safetensors").write_bytes(b"of timm")
    (folder / "pytorch_model.bin").write_bytes(b"of timm")
    put_into_hub_cache(folder, tmp_path / "cache", "timm/both")
    hosted = load_model("hf:timm/both", device="cpu", download=False)
    for both in (load(folder), hosted):
        assert images(both).equal(images(alone))
        assert both.card.sha256 == alone.card.sha256
