"""open_clip checkpoints, against the library's own forward pass on its own preprocessing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip.tokenizer import HFTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import load_file, save_file

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    ModelError,
    NotOnThisMachineError,
)
from pytest_retrieval_robust.models import DualEncoder, LoadRequest, truncated_by
from pytest_retrieval_robust.models.own_checkpoint import own_entry

from .checkpoints import (
    OPEN_CLIP_ARCHITECTURE,
    TEXTS,
    put_into_hub_cache,
    save_biomedclip,
    save_clip,
    save_open_clip,
)
from .hub_cache import use_hub_cache

IMAGE = Image.fromarray(
    np.random.default_rng(0).integers(0, 255, (50, 41), dtype=np.uint8)
)


def images(model: DualEncoder) -> torch.Tensor:
    return model.encode_images(
        torch.from_numpy(model.prepare(IMAGE).pixels)[None] / 255
    )


def library_reads(folder: Path) -> tuple[Any, Any, Any]:
    """The network, transform and tokenizer that open_clip makes of a folder."""
    if hasattr(open_clip.factory, "LOCAL_DIR_PREFIX"):
        name = f"local-dir:{folder}"
        network, _, preprocess = open_clip.create_model_and_transforms(
            name, pretrained_text=False
        )
        return network, preprocess, open_clip.get_tokenizer(name)
    # open_clip 2 reads no folders, but has the parts.
    config = json.loads((folder / "open_clip_config.json").read_text())
    architecture = config["model_cfg"]
    text = architecture["text_cfg"]
    length = text["context_length"]
    if "hf_model_name" in text:
        text["hf_model_pretrained"] = False
        network = open_clip.CustomTextCLIP(**architecture)
        tokenizer = HFTokenizer(str(folder), context_length=length)
    else:
        network = open_clip.CLIP(**architecture)
        tokenizer = open_clip.SimpleTokenizer(context_length=length)
    weights = load_file(folder / "open_clip_model.safetensors")
    weights.pop("text.transformer.embeddings.position_ids", None)
    network.load_state_dict(weights)
    size = architecture["vision_cfg"]["image_size"]
    settings = PreprocessCfg(size=size, **config["preprocess_cfg"])
    return network, image_transform_v2(settings, is_train=False), tokenizer


def test_embeddings_are_the_librarys_own(tmp_path: Path) -> None:
    folder = save_open_clip(tmp_path)
    name = f"local-dir:{folder}"
    reference, preprocess, tokenize = library_reads(folder)
    with torch.no_grad():
        expected_image = reference.eval().encode_image(
            preprocess(IMAGE)[None], normalize=True
        )
        expected_text = reference.encode_text(tokenize(list(TEXTS)), normalize=True)
    model = load_model(name, device="cpu")
    assert torch.allclose(images(model), expected_image, atol=1e-5)
    assert torch.allclose(model.encode_reports(TEXTS), expected_text, atol=1e-5)


def test_the_declared_preprocessing_decides_the_frame(tmp_path: Path) -> None:
    folder = save_open_clip(tmp_path)
    assert load_model(f"local-dir:{folder}", device="cpu").prepare(IMAGE).frame == (
        0.0,
        0.0,
        1.0,
        1.0,
    )
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = "shortest"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    left, top, right, bottom = (
        load_model(f"local-dir:{folder}", device="cpu").prepare(IMAGE).frame
    )
    assert (left, right) == (0.0, 1.0)
    assert top < 0
    assert bottom > 1


def test_truncated_weights_are_an_error(tmp_path: Path) -> None:
    weights = save_open_clip(tmp_path) / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="truncated download"):
        load_model(f"local-dir:{tmp_path}", device="cpu")


def test_weights_of_another_architecture_are_an_error(tmp_path: Path) -> None:
    config = json.loads(
        (save_open_clip(tmp_path) / "open_clip_config.json").read_text()
    )
    config["model_cfg"]["vision_cfg"]["layers"] = 3
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(
        ModelError, match=r"missing_keys=\d+: visual.transformer.resblocks.2"
    ):
        load_model(f"local-dir:{tmp_path}", device="cpu")


def test_a_published_tag_loads_from_the_cache_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_hub_cache(
        save_open_clip(tmp_path / "mine"), tmp_path / "cache", "someone/small"
    )
    use_hub_cache(monkeypatch, tmp_path / "cache")
    (tmp_path / "ViT-tiny-test.json").write_text(json.dumps(OPEN_CLIP_ARCHITECTURE))
    open_clip.add_model_config(tmp_path / "ViT-tiny-test.json")
    published = {
        "own": {
            "hf_hub": "someone/small/",
            "mean": (0.5,) * 3,
            "std": (0.25,) * 3,
            "resize_mode": "squash",
        }
    }
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "ViT-tiny-test", published)
    model = load_model("open_clip:ViT-tiny-test/own", device="cpu", download=False)
    folder = load_model(f"local-dir:{tmp_path / 'mine'}", device="cpu")
    assert model.name == "open_clip-ViT-tiny-test-own"
    assert torch.allclose(images(model), images(folder), atol=1e-6)


def test_a_tag_that_is_not_here_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hub_cache(monkeypatch, tmp_path)
    with pytest.raises(NotOnThisMachineError, match="Unset HF_HUB_OFFLINE"):
        load_model("open_clip:ViT-B-32/laion2b_s34b_b79k", device="cpu", download=False)


def test_a_tag_that_was_never_published_lists_those_that_were() -> None:
    with pytest.raises(ConfigError, match="Tags of ViT-B-32: .*openai"):
        load_model("open_clip:ViT-B-32/opnai", device="cpu")


def test_texts_beyond_the_context_are_counted(tmp_path: Path) -> None:
    model = load_model(f"local-dir:{save_open_clip(tmp_path)}", device="cpu")
    assert truncated_by(model, ["heart " * 20, "heart"]) == 1


def test_a_text_tower_of_transformers(tmp_path: Path) -> None:
    """BiomedCLIP's layout, against open_clip's own loading of it."""
    folder = save_biomedclip(tmp_path)
    name = f"local-dir:{folder}"
    model = load_model(name, device="cpu")
    reference, preprocess, tokenize = library_reads(folder)
    texts = [*TEXTS, " ", "one two three " * 20]
    with torch.no_grad():
        expected_image = reference.eval().encode_image(
            preprocess(IMAGE)[None], normalize=True
        )
        expected_text = reference.encode_text(tokenize(texts), normalize=True)
    assert torch.allclose(images(model), expected_image, atol=1e-5)
    assert torch.allclose(model.encode_reports(texts), expected_text, atol=1e-5)
    assert model.card.dropped_keys == ("text.transformer.embeddings.position_ids",)
    assert (model.card.context_length, truncated_by(model, texts)) == (
        24,
        1,
    )


@pytest.fixture
def architecture(tmp_path: Path) -> str:
    (tmp_path / "ViT-tiny-own.json").write_text(json.dumps(OPEN_CLIP_ARCHITECTURE))
    open_clip.add_model_config(tmp_path / "ViT-tiny-own.json")
    return "ViT-tiny-own"


def own(checkpoint: Path, **options: Any) -> DualEncoder:
    return own_entry("candidate", "open_clip", str(checkpoint), None, options, []).load(
        LoadRequest()
    )


def test_a_training_checkpoint_with_its_architecture(
    tmp_path: Path, architecture: str
) -> None:
    published = load_model(
        f"local-dir:{save_open_clip(tmp_path / 'hub')}", device="cpu"
    )
    weights = load_file(tmp_path / "hub/open_clip_model.safetensors")
    training = {
        "epoch": 3,
        "state_dict": {f"module.{key}": value for key, value in weights.items()},
    }
    torch.save({**training, "optimizer": {"state": {}}}, tmp_path / "epoch_3.pt")
    preprocessing = {
        "resize": "exact",
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "interpolation": "bicubic",
    }
    model = own(
        tmp_path / "epoch_3.pt", architecture=architecture, preprocessing=preprocessing
    )
    assert torch.allclose(images(model), images(published), atol=1e-6)
    assert torch.allclose(
        model.encode_reports(TEXTS), published.encode_reports(TEXTS), atol=1e-6
    )
    assert (model.name, model.card.source) == ("candidate", "checkpoint:epoch_3.pt")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ConfigError, "Add architecture"),
        ({"architecture": "ViT-tiny-onw"}, ConfigError, "Did you mean 'ViT-tiny-own'"),
        ({"preprocessing": {"men": [0.5] * 3}}, ConfigError, "Did you mean 'mean'"),
        (
            {"preprocessing": {"mean": [0.5]}},
            ConfigError,
            r"three numbers .* got mean=\[0.5\]",
        ),
        (
            {"preprocessing": {"resize": "squash"}},
            ConfigError,
            "Expected a known resize, got resize='squash'",
        ),
        (
            {"preprocessing": {"interpolation": "nearest"}},
            ConfigError,
            "known interpolation of open_clip",
        ),
        ({"preprocessing": {"size": "32"}}, ConfigError, "got size='32'"),
        ({"preprocessing": "bicubic"}, ConfigError, "got preprocessing='bicubic'"),
        (
            {"preprocessing": {"size": 64}},
            ModelError,
            r"visual.positional_embedding of shape",
        ),
    ],
)
def test_what_cannot_be_asked_of_it(
    tmp_path: Path,
    architecture: str,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    file = save_open_clip(tmp_path / "hub") / "open_clip_model.safetensors"
    if options:
        options = {"architecture": architecture, **options}
    with pytest.raises(error, match=message):
        own(file, **options)


def test_another_librarys_checkpoint_is_named(
    tmp_path: Path, architecture: str
) -> None:
    file = save_clip(tmp_path / "clip") / "model.safetensors"
    with pytest.raises(ModelError, match=r"looks like a transformers CLIP or SigLIP"):
        own(file, architecture=architecture)


def test_a_folder_without_weights_is_not_left_random(tmp_path: Path) -> None:
    (save_open_clip(tmp_path) / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match="with 0"):
        load_model(f"local-dir:{tmp_path}", device="cpu")


def test_a_tags_activation_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ViT-B-32/openai` is trained with QuickGELU, and its architecture is not."""
    put_into_hub_cache(
        save_open_clip(tmp_path / "mine"), tmp_path / "cache", "someone/quick"
    )
    use_hub_cache(monkeypatch, tmp_path / "cache")
    (tmp_path / "ViT-tiny-quick.json").write_text(json.dumps(OPEN_CLIP_ARCHITECTURE))
    open_clip.add_model_config(tmp_path / "ViT-tiny-quick.json")
    tag = {
        "hf_hub": "someone/quick/",
        "mean": (0.5,) * 3,
        "std": (0.25,) * 3,
        "resize_mode": "squash",
    }
    published = {"plain": tag, "quick": {**tag, "quick_gelu": True}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "ViT-tiny-quick", published)
    plain, quick = (
        load_model(f"open_clip:ViT-tiny-quick/{tag}", device="cpu", download=False)
        for tag in published
    )
    reference = open_clip.CLIP(**OPEN_CLIP_ARCHITECTURE, quick_gelu=True)
    reference.load_state_dict(load_file(tmp_path / "mine/open_clip_model.safetensors"))
    with torch.no_grad():
        expected = reference.eval().encode_text(
            open_clip.get_tokenizer("ViT-B-32")(list(TEXTS), 16), normalize=True
        )
    assert torch.allclose(quick.encode_reports(TEXTS), expected, atol=1e-6)
    assert not torch.allclose(plain.encode_reports(TEXTS), expected, atol=1e-4)


def test_a_revision_of_an_open_clip_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    use_hub_cache(monkeypatch, cache)
    old = tmp_path / "old"
    new = save_open_clip(tmp_path / "new")
    save_open_clip(old)
    weights = load_file(old / "open_clip_model.safetensors")
    save_file(
        {key: value * 1.5 for key, value in weights.items()},
        old / "open_clip_model.safetensors",
    )
    put_into_hub_cache(new, cache, "someone/small", "b" * 40)
    shutil.copytree(old, cache / "models--someone--small/snapshots" / ("c" * 40))
    (cache / "models--someone--small/refs/v1").write_text("c" * 40)
    first, now = (
        load_model(f"hf:someone/small{at}", device="cpu", download=False)
        for at in ("@v1", "")
    )
    assert (first.card.source, first.card.revision) == ("hf:someone/small@v1", "c" * 40)
    assert torch.equal(
        images(first), images(load_model(f"local-dir:{old}", device="cpu"))
    )
    assert torch.equal(
        images(now), images(load_model(f"local-dir:{new}", device="cpu"))
    )
    mine = own_entry("mine", None, "hf:someone/small@v1", None, {}, []).load(
        LoadRequest(may_download=False)
    )
    assert torch.equal(images(mine), images(first))
    with pytest.raises(
        NotOnThisMachineError, match="someone/small@v2|--revision v2|v2"
    ):
        load_model("hf:someone/small@v2", device="cpu", download=False)


def test_counted_as_it_is_read(tmp_path: Path) -> None:
    """A text tower's tokenizer cleans white space and entities before it cuts."""
    model = load_model(f"local-dir:{save_biomedclip(tmp_path)}", device="cpu")
    escaped = "&amp;amp; " * 20  # 20 signs, which are one character each once cleaned
    assert truncated_by(model, [escaped, "&amp;amp; " * 22, "&amp;amp; " * 23]) == 1


def test_a_tokenizer_of_ones_own(tmp_path: Path) -> None:
    folder = save_biomedclip(tmp_path / "model")
    tower = str(folder / "tower")
    for file in folder.glob("*token*"):
        file.unlink()
    model = load_model("biomedclip", checkpoint=folder, tokenizer=tower, device="cpu")
    whole = load_model(f"local-dir:{save_biomedclip(tmp_path / 'whole')}", device="cpu")
    assert torch.equal(model.encode_reports(TEXTS), whole.encode_reports(TEXTS))
    with pytest.raises(
        NotOnThisMachineError,
        match="Expected the tokenizer of biomedclip, got tokenizer='nowhere'",
    ):
        load_model("biomedclip", checkpoint=folder, tokenizer="/nowhere", device="cpu")
    with pytest.raises(ConfigError, match="has open_clip's own, got tokenizer="):
        load_model(
            "whyxrayclip",
            checkpoint=save_open_clip(tmp_path / "bpe"),
            tokenizer=tower,
            device="cpu",
        )
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/config.json").write_text(
        (folder / "tower/config.json").read_text()
    )
    with pytest.raises((ModelError, NotOnThisMachineError), match="tokenizer"):
        load_model(
            "biomedclip",
            checkpoint=folder,
            tokenizer=str(tmp_path / "empty"),
            device="cpu",
        )
