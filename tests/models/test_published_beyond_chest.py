"""Pathology's, dermatology's and the literature's models by name, against the libraries."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.tokenizer import HFTokenizer
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import ModelError, NotOnThisMachineError
from pytest_retrieval_robust.models import DualEncoder, LoadRequest
from pytest_retrieval_robust.models.published_beyond_chest import register

from . import published
from .checkpoints import put_into_hub_cache, save_biomedclip, save_clip_both_ways

# Without the text whose entity transformers leaves as it is.
TEXTS = published.TEXTS[:5]
OF_TRANSFORMERS = {
    "plip": ("vinid/plip", "pytorch_model.bin"),
    "monet": ("suinleelab/monet", "model.safetensors"),
    "pathgen-clip-l": (
        "jamessyx/pathgenclip-vit-large-patch14-hf",
        "model.safetensors",
    ),
}
MONETS_PROCESSOR = {
    "crop_size": 48,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "size": 48,
}
"""As it is published, but for its size: of an old library, with ImageNet's constants."""
OF_OPEN_CLIP = {
    "quiltnet-b32": "wisdomik/QuiltNet-B-32",
    "quiltnet-b16": "wisdomik/QuiltNet-B-16",
    "dermlip": "redlessone/DermLIP_ViT-B-16",
}
PLAIN_FILES = {"bmc-clip": "ViT-L-14", "pathgen-clip": "ViT-B-16"}
NAMES = (
    *OF_TRANSFORMERS,
    *OF_OPEN_CLIP,
    *PLAIN_FILES,
    "quiltnet-b16-pmb",
    "keep",
    "dermlip-panderm",
    "bmc-longclip",
)


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small CLIP with OpenAI's vocabulary, as transformers and as open_clip saves it."""
    return save_clip_both_ways(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own."""
    cache = tmp_path / "cache"
    for place in (
        "huggingface_hub.constants.HF_HUB_CACHE",
        "transformers.utils.hub.constants.HF_HUB_CACHE",
        # transformers 4 read it when it was imported.
        "transformers.utils.hub.TRANSFORMERS_CACHE",
    ):
        monkeypatch.setattr(place, str(cache), raising=False)
    return cache


def picture() -> Image.Image:
    """One on whose crop all libraries agree."""
    return published.picture(4).resize((96, 52))


def image_row(model: DualEncoder) -> Tensor:
    pixels = torch.from_numpy(model.prepare(picture()).pixels)[None] / 255
    return model.encode_images(pixels)


def require_same(model: DualEncoder, images: Tensor, texts: Tensor) -> None:
    unit = torch.nn.functional.normalize
    assert (image_row(model) - unit(images, dim=-1)).abs().max() < 1e-5
    assert (model.encode_reports(TEXTS) - unit(texts, dim=-1)).abs().max() < 1e-5


# Through transformers


@pytest.mark.parametrize("name", OF_TRANSFORMERS)
@torch.no_grad()
def test_a_clip_of_transformers(
    name: str, both_ways: tuple[Path, Path], tmp_path: Path, hub: Path
) -> None:
    repository, file = OF_TRANSFORMERS[name]
    folder = tmp_path / "published"
    shutil.copytree(both_ways[0], folder)
    if file == "pytorch_model.bin":
        # transformers trusts no older torch with a pickle.
        pytest.importorskip("torch", "2.6")
        weights = folder / "model.safetensors"
        torch.save(load_file(weights), folder / file)
        weights.unlink()
    constants = (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    if name == "monet":
        settings = folder / "preprocessor_config.json"
        settings.write_text(json.dumps(MONETS_PROCESSOR))
        constants = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    put_into_hub_cache(folder, hub, repository)
    model = load_model(name, device="cpu", download=False)
    assert model.card.source == f"hf:{repository}"
    network = CLIPModel.from_pretrained(both_ways[0]).eval()
    processor = AutoImageProcessor.from_pretrained(
        both_ways[0], backend="pil", image_mean=constants[0], image_std=constants[1]
    )
    words = AutoTokenizer.from_pretrained(both_ways[0])
    output = network(
        **processor(images=picture(), return_tensors="pt"),
        **words(list(TEXTS), padding=True, truncation=True, return_tensors="pt"),
    )
    require_same(model, output.image_embeds, output.text_embeds)


# Through open_clip


@dataclass(frozen=True)
class Library:
    """What open_clip makes of a folder, put together from its classes."""

    model: Any
    transform: Any
    tokenizer: Any

    @classmethod
    def of(cls, folder: Path) -> Library:
        config = json.loads((folder / "open_clip_config.json").read_text())
        network = config["model_cfg"]
        text = network["text_cfg"]
        words: Any = open_clip.tokenizer.tokenize
        make: Any = open_clip.CLIP
        if "hf_model_name" in text:
            make = open_clip.CustomTextCLIP
            words = HFTokenizer(str(folder), context_length=text["context_length"])
            text["hf_model_pretrained"] = False
        model = make(**network).eval()
        (file,) = folder.glob("open_clip_*model.*")
        pickled = file.suffix == ".bin"
        state = torch.load(file, weights_only=True) if pickled else load_file(file)
        lost = model.load_state_dict(state, strict=False).missing_keys
        assert lost == []
        transform = open_clip.image_transform(
            model.visual.image_size[0], is_train=False, **config["preprocess_cfg"]
        )
        return cls(model, transform, words)

    @torch.no_grad()
    def rows(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        images = self.model.encode_image(self.transform(picture())[None])
        return images, self.model.encode_text(self.tokenizer(list(texts)))


@pytest.mark.parametrize("name", OF_OPEN_CLIP)
def test_a_repository_of_open_clip(
    name: str, both_ways: tuple[Path, Path], tmp_path: Path, hub: Path
) -> None:
    """Their configurations name no activation, so that it is GELU; some repositories have
    files of transformers beside.
    """
    of_transformers, of_open_clip = both_ways
    folder = tmp_path / "published"
    shutil.copytree(of_open_clip, folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    del config["model_cfg"]["quick_gelu"]
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    weights = folder / "open_clip_model.safetensors"
    torch.save(load_file(weights), folder / "open_clip_pytorch_model.bin")
    weights.unlink()
    if name != "dermlip":
        for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(of_transformers / file, folder)
    put_into_hub_cache(folder, hub, OF_OPEN_CLIP[name])
    model = load_model(name, device="cpu", download=False)
    require_same(model, *Library.of(folder).rows(TEXTS))


def test_quiltnet_with_pubmedbert(tmp_path: Path, hub: Path) -> None:
    """Its configuration names its text tower as it was called before 2023."""
    folder = save_biomedclip(tmp_path / "published")
    expected = Library.of(folder).rows(TEXTS)
    tower = "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract"
    put_into_hub_cache(folder / "tower", hub, tower)
    config = (folder / "open_clip_config.json").read_text()
    (folder / "open_clip_config.json").write_text(
        config.replace(str(folder / "tower"), tower)
    )
    put_into_hub_cache(folder, hub, "wisdomik/QuiltNet-B-16-PMB")
    model = load_model("quiltnet-b16-pmb", device="cpu", download=False)
    require_same(model, *expected)
    assert model.card.context_length == 24


@pytest.fixture
def small_architectures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The two architectures of plain files, small; open_clip's own have up to 1.7 GB."""
    settings: dict[str, Any] = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 48, "layers": 2, "width": 64, "patch_size": 16},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 64,
            "heads": 1,
            "layers": 2,
        },
    }
    for architecture in PLAIN_FILES.values():
        assert architecture in open_clip.list_models()
        configs = open_clip.factory._MODEL_CONFIGS
        monkeypatch.setitem(configs, architecture, settings)
    return settings


@pytest.mark.parametrize("name", PLAIN_FILES)
@torch.no_grad()
def test_a_plain_file_of_an_architecture(
    name: str,
    small_architectures: dict[str, Any],
    tmp_path: Path,
    hub: Path,
) -> None:
    torch.manual_seed(0)
    network = open_clip.CLIP(**small_architectures).eval()
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    content: dict[str, Any] = {"epoch": 5, "state_dict": state}
    shown: tuple[str, str | None, str]
    if name == "bmc-clip":
        folder = tmp_path / "published"
        folder.mkdir()
        torch.save(content, folder / "BMC_CLIP_CF.pt")
        put_into_hub_cache(folder, hub, "BIOMEDICA/BMC_CLIP_CF")
        shown = ("hf:BIOMEDICA/BMC_CLIP_CF", "a" * 40, "MIT")
    else:
        (tmp_path / "weights").mkdir()
        torch.save(network.state_dict(), tmp_path / "weights/pathgenclip.pt")
        page = "https://github.com/PathFoundation/PathGen-1.6M"
        shown = (page, None, "CC BY 2.0")
    model = load_model(name, device="cpu", download=False, cache_dir=tmp_path)
    card = model.card
    assert (card.source, card.revision, card.licence) == shown
    assert card.activation == "gelu"
    transform = open_clip.image_transform(
        48,
        is_train=False,
        mean=open_clip.OPENAI_DATASET_MEAN,
        std=open_clip.OPENAI_DATASET_STD,
    )
    words = open_clip.get_tokenizer("ViT-B-32")
    require_same(
        model,
        network.encode_image(transform(picture())[None]),
        network.encode_text(words(list(TEXTS))),
    )
    # The user's own file of that layout.
    torch.save(content, tmp_path / "mine.pt")
    mine = load_model(name, checkpoint=tmp_path / "mine.pt", device="cpu")
    assert torch.equal(image_row(mine), image_row(model))
    assert (mine.card.source, mine.card.licence) == ("checkpoint:mine.pt", None)


# What is not here, and what cannot be


def test_all_names_are_checked_here() -> None:
    catalogue = Catalogues().models
    assert set(NAMES) <= set(catalogue.names())
    alone: list[str] = []

    class Listed:
        def add(self, entry: Any) -> None:
            alone.append(entry.name)

    register(Listed())  # type: ignore[arg-type]
    assert sorted(alone) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_says_how_to_get_it(
    name: str, tmp_path: Path, hub: Path
) -> None:
    request = LoadRequest(may_download=False, cache_dir=tmp_path)
    missing = Catalogues().models.get(name).missing
    assert missing is not None
    reason = str(missing(request))
    assert f"the weights of {name}" in reason
    assert re.search(r"; .*(get them with|download \S+ from) ", reason)
    with pytest.raises(NotOnThisMachineError):
        load_model(name, device="cpu", download=False, cache_dir=tmp_path)
    assert not hub.exists()


@pytest.mark.parametrize(
    ("tower", "settings", "message"),
    [
        ("vision_cfg", {"pretrain_path": "data/x.pth"}, "load it as dermlip-panderm"),
        ("text_cfg", {"proj": "mlp"}, r"text_cfg\.proj\. Rename it hf_proj_type"),
        ("text_cfg", {"of_a_fork": 1}, r"text_cfg\.of_a_fork\. Install the open_clip"),
    ],
)
def test_settings_that_open_clip_does_not_know(
    tower: str,
    settings: dict[str, Any],
    message: str,
    both_ways: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(both_ways[1], folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"][tower] |= settings
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        load_model(f"local-dir:{folder}", device="cpu")
