"""General references by name, through open_clip's tags, with its architectures in small."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip.tokenizer import HFTokenizer
from safetensors.torch import save_file

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    ModelError,
    NotOnThisMachineError,
)
from pytest_retrieval_robust.models import LoadRequest

from . import published
from .checkpoints import put_into_hub_cache
from .hub_cache import use_only_hub_cache
from .real_tokenizers import TEXTS, save_gemma, save_xlm

pytestmark = pytest.mark.skipif(
    "MobileCLIP2-S0" not in open_clip.list_models(),
    reason="this open_clip is older than the models",
)
TEXT = {"width": 32, "heads": 2, "layers": 2}


@dataclass(frozen=True)
class Named:
    """A tag as the catalogue names it, and its architecture in small."""

    architecture: str
    tag: str
    repository: str
    vision: dict[str, Any]
    """Smaller settings of the image tower, of the same kind."""
    outputs: int
    tokenizer: str | None = None
    save_words: Callable[[Path], Path] | None = None

    def config(self) -> dict[str, Any]:
        """open_clip's own configuration with other sizes; every other setting stays."""
        config = open_clip.get_model_config(self.architecture)
        assert config is not None
        text = {**config["text_cfg"], **TEXT}
        if self.tokenizer is not None:
            text["vocab_size"] = 600
        vision = {**config["vision_cfg"], **self.vision}
        return {
            **config,
            "embed_dim": self.outputs,
            "text_cfg": text,
            "vision_cfg": vision,
        }


# timm has small towers of the same kinds for tests.
NAMED = {
    "siglip2": Named(
        "ViT-B-16-SigLIP2",
        "webli",
        "timm/ViT-B-16-SigLIP2",
        {"timm_model_name": "test_vit3", "image_size": 160},
        outputs=96,
        tokenizer="timm/ViT-B-16-SigLIP2",
        save_words=save_gemma,
    ),
    "metaclip2": Named(
        "ViT-H-14-worldwide-quickgelu",
        "metaclip2_worldwide",
        "timm/vit_huge_patch14_clip_224.metaclip2_worldwide",
        {"image_size": 28, "layers": 2, "width": 64, "head_width": 16},
        outputs=24,
        tokenizer="facebook/xlm-v-base",
        save_words=save_xlm,
    ),
    "mobileclip2": Named(
        "MobileCLIP2-S0", "dfndr2b", "timm/MobileCLIP2-S0-OpenCLIP", {}, outputs=24
    ),
    "pe-core": Named(
        "PE-Core-B-16",
        "meta",
        "timm/PE-Core-B-16",
        {"timm_model_name": "vit_pe_core_tiny_patch16_384", "image_size": 384},
        outputs=24,
    ),
}
OTHER_SIZES = {
    "siglip2-so400m": ("ViT-SO400M-16-SigLIP2-384", "webli"),
    "mobileclip2-b": ("MobileCLIP2-B", "dfndr2b"),
    "pe-core-l": ("PE-Core-L-14-336", "meta"),
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own."""
    return use_only_hub_cache(monkeypatch, tmp_path / "cache")


def make_small(named: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    """open_clip builds the architecture in small from here on."""
    configs: dict[str, Any] = open_clip.factory._MODEL_CONFIGS
    monkeypatch.setitem(configs, named.architecture, named.config())


def publish(named: Named, folder: Path, hub: Path) -> Any:
    """The weights and the tokenizer in the hub's cache, as open_clip's tag has them.

    Returns open_clip's own tokenizer. It reads a folder, because transformers fails on a
    repository without config.json where there is no network.
    """
    torch.manual_seed(0)
    network = open_clip.create_model(named.architecture)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    weights = folder / "weights"
    weights.mkdir()
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(state, weights / "open_clip_model.safetensors")
    tokenizer = None
    if named.save_words is not None:
        assert named.tokenizer is not None
        beside = named.tokenizer == named.repository
        words = named.save_words(weights if beside else folder / "words")
        if not beside:
            put_into_hub_cache(words, hub, named.tokenizer)
        text = named.config()["text_cfg"]
        tokenizer = HFTokenizer(
            str(words),
            context_length=text["context_length"],
            **text.get("tokenizer_kwargs", {}),
        )
    put_into_hub_cache(weights, hub, named.repository)
    return tokenizer or open_clip.get_tokenizer(named.architecture)


@pytest.mark.parametrize("name", NAMED)
def test_a_general_reference_embeds_as_open_clip_does(
    name: str, tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = NAMED[name]
    make_small(named, monkeypatch)
    tokenizer = publish(named, tmp_path, hub)
    model = load_model(name, device="cpu", download=False)
    reference, _, transform = open_clip.create_model_and_transforms(
        named.architecture, pretrained=named.tag
    )
    reference.eval()
    pictures = [published.picture(number) for number in (2, 5)]
    with torch.no_grad():
        pixels = torch.stack([transform(picture) for picture in pictures])
        images = reference.encode_image(pixels, normalize=True)
        ids = tokenizer(list(TEXTS))
        texts = reference.encode_text(ids, normalize=True)
    prepared = [model.prepare(picture).pixels for picture in pictures]
    ours = torch.from_numpy(np.stack(prepared)) / 255
    normalise: Any = getattr(model, "normalise")  # noqa: B009 - of this loader alone
    assert torch.allclose(normalise(ours), pixels, atol=1e-6)
    assert (model.encode_images(ours) - images).abs().max() < 1e-5
    assert (model.encode_reports(TEXTS) - texts).abs().max() < 1e-5
    assert len({tuple(row) for row in ids.tolist()}) > len(TEXTS) // 2
    assert model.name == name
    assert model.card.source == f"open_clip:{named.architecture}/{named.tag}"
    assert model.card.licence is not None


def test_the_names_are_tags_that_open_clip_has() -> None:
    tags = {name: (named.architecture, named.tag) for name, named in NAMED.items()}
    for name, (architecture, tag) in {**tags, **OTHER_SIZES}.items():
        published_tag = open_clip.pretrained.get_pretrained_cfg(architecture, tag)
        missing = Catalogues().models.get(name).missing
        assert missing is not None
        repository = published_tag["hf_hub"].rstrip("/")
        assert f"`hf download {repository}`" in str(missing(LoadRequest()))


def test_the_page_names_tags_that_open_clip_has() -> None:
    page = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
    # The capitals stand for any.
    named = re.findall(r"`open_clip:(?!ARCHITECTURE)([\w.-]+)/(\w+)`", page)
    assert len(named) > 20
    for architecture, tag in named:
        assert open_clip.pretrained.get_pretrained_cfg(architecture, tag), tag


def test_weights_without_their_words_say_so(tmp_path: Path, hub: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "open_clip_model.safetensors").touch()
    put_into_hub_cache(weights, hub, NAMED["metaclip2"].repository)
    missing = Catalogues().models.get("metaclip2").missing
    assert missing is not None
    reason = str(missing(LoadRequest()))
    assert "the tokenizer of metaclip2 (facebook/xlm-v-base) is not on this" in reason


def test_absent_weights_are_said_before_a_network_is_made(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: object, **__: object) -> object:
        raise AssertionError("a network of two billion weights")

    assert not hub.exists()
    monkeypatch.setattr("open_clip.create_model_and_transforms", made)
    repository = NAMED["metaclip2"].repository
    for tried in ("metaclip2", "open_clip:ViT-H-14-worldwide/metaclip2_worldwide"):
        with pytest.raises(NotOnThisMachineError) as caught:
            load_model(tried, device="cpu", download=False)
        assert f"run `hf download {repository}` on a machine" in str(caught.value)


def test_an_older_open_clip_is_told_to_be_upgraded(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not hub.exists()
    monkeypatch.setattr("open_clip.list_models", list)
    monkeypatch.setattr("open_clip.pretrained.get_pretrained_cfg", lambda *_: {})
    with pytest.raises(ConfigError, match="`pip install --upgrade open_clip_torch"):
        load_model("pe-core", device="cpu")


def test_an_older_timm_is_told_to_be_upgraded(
    tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = NAMED["pe-core"]
    config = named.config()
    config["vision_cfg"]["timm_model_name"] = "vit_of_tomorrow"
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "open_clip_model.safetensors").touch()
    put_into_hub_cache(weights, hub, named.repository)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, named.architecture, config)
    with pytest.raises(ModelError, match="image tower of pe-core that the installed"):
        load_model("pe-core", device="cpu", download=False)
