"""Published models by their catalogue names, on this machine's caches and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from transformers import BertConfig, BertModel

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import NotOnThisMachineError
from pytest_retrieval_robust.models import DualEncoder, LoadRequest
from pytest_retrieval_robust.models.published import CLIP_REPOSITORY

from . import published
from .checkpoints import (
    TEXTS,
    put_into_hub_cache,
    save_biomedclip,
    save_clip,
    save_open_clip,
    save_siglip,
)
from .hub_cache import use_hub_cache
from .test_own import save_openai_layout

# name: repository, its layout in small
HOSTED = {
    "clip": (CLIP_REPOSITORY, save_clip),
    "pubmedclip": ("flaviagiammarino/pubmed-clip-vit-base-patch32", save_clip),
    "medsiglip": ("google/medsiglip-448", save_siglip),
    "whyxrayclip": ("yyupenn/whyxrayclip", save_open_clip),
    "biomedclip": (
        "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        save_biomedclip,
    ),
}
PLAIN = (
    "cxr-repair",
    "medclip",
    "medclip-vit",
    "cxr-clip",
    "cxr-clip-r50",
    "chexzero",
    "gloria",
    "medprobclip",
    "unimedclip",
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own."""
    use_hub_cache(monkeypatch, tmp_path / "cache")
    return tmp_path / "cache"


def rows(model: DualEncoder) -> list[torch.Tensor]:
    pixels = torch.from_numpy(model.prepare(published.picture(2)).pixels)[None] / 255
    return [model.encode_images(pixels), model.encode_reports(TEXTS)]


@pytest.mark.parametrize("name", HOSTED)
def test_a_hosted_model_is_found_in_the_cache_by_its_name(
    name: str, tmp_path: Path, hub: Path
) -> None:
    repository, save = HOSTED[name]
    folder = save(tmp_path / "published")
    put_into_hub_cache(folder, hub, repository)
    model = load_model(name, device="cpu", download=False)
    assert (model.name, model.card.source, model.card.revision) == (
        name,
        f"hf:{repository}",
        "a" * 40,
    )
    # The same as the folder, which is checked against the libraries themselves; also as
    # a checkpoint of that layout.
    for same in (
        load_model(f"local-dir:{folder}", device="cpu"),
        load_model(name, checkpoint=folder, device="cpu"),
    ):
        assert all(
            torch.equal(ours, theirs)
            for ours, theirs in zip(rows(model), rows(same), strict=True)
        )


@pytest.mark.parametrize("name", [*HOSTED, *PLAIN, "biovil", "biovil-t"])
def test_what_is_missing_says_how_to_get_it(
    name: str, tmp_path: Path, hub: Path
) -> None:
    request = LoadRequest(may_download=False, cache_dir=tmp_path)
    missing = Catalogues().models.get(name).missing
    assert missing is not None
    reason = missing(request)
    assert reason is not None
    assert f"the weights of {name}" in reason
    assert re.search(r"; .*(get them with|download \S+ from) ", reason)
    with pytest.raises(NotOnThisMachineError):
        load_model(name, device="cpu", download=False, cache_dir=tmp_path)
    assert not hub.exists()


def test_weights_without_their_tokenizer_say_so(tmp_path: Path, hub: Path) -> None:
    assert not hub.exists()
    entry = Catalogues().models.get("medclip")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/medclip-pretrained.zip").touch()
    assert entry.missing is not None
    reason = entry.missing(LoadRequest(cache_dir=tmp_path))
    assert reason is not None
    assert "the tokenizer of medclip (emilyalsentzer/Bio_ClinicalBERT)" in reason
    assert entry.missing(LoadRequest(cache_dir=tmp_path, tokenizer="folder")) is None


def test_a_plain_file_in_the_cache_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    save_openai_layout(tmp_path / "weights/clip-imp-pretrained_128_6_after_4.pt")
    model = load_model("cxr-repair", device="cpu", cache_dir=tmp_path, download=False)
    assert model.card.source.startswith("https://stanfordmedicine.box.com/")


def test_the_file_of_pubmedclips_authors(tmp_path: Path) -> None:
    """A dictionary with the state dict, in OpenAI's keys, against open_clip's network."""
    file = save_openai_layout(tmp_path / "plain.pt")
    state = torch.load(file, weights_only=True)
    torch.save({"state_dict": state, "epoch": 4}, tmp_path / "PubMedCLIP_ViT32.pth")
    model = load_model(
        "pubmedclip", checkpoint=tmp_path / "PubMedCLIP_ViT32.pth", device="cpu"
    )
    vision = open_clip.model.CLIPVisionCfg(
        layers=2, width=64, patch_size=32, image_size=64
    )
    text = open_clip.model.CLIPTextCfg(width=64, heads=1, layers=2)
    network = open_clip.CLIP(32, vision, text, quick_gelu=True).eval()
    network.load_state_dict(state)
    with torch.no_grad():
        expected = network.encode_text(
            open_clip.tokenizer.tokenize(list(published.TEXTS)), normalize=True
        )
    assert torch.allclose(model.encode_reports(published.TEXTS), expected, atol=1e-6)


def test_unimedclips_layout(tmp_path: Path) -> None:
    """Its forward pass written out: QuickGELU's tower, the first token's state, two
    layers, whitespace cleaned.
    """
    torch.manual_seed(0)
    tokenizer = published.save_tokenizer(tmp_path / "tokenizer", rows=400)
    vision = open_clip.model.CLIPVisionCfg(
        layers=2, width=64, patch_size=16, image_size=32
    )
    visual = open_clip.CLIP(
        24,
        vision,
        open_clip.model.CLIPTextCfg(width=64, heads=1, layers=1),
        quick_gelu=True,
    ).visual
    settings: Any = {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "intermediate_size": 96,
    }
    bert = BertModel(
        BertConfig(vocab_size=400, max_position_embeddings=64, **settings),
        add_pooling_layer=False,
    )
    proj = torch.nn.Sequential(
        torch.nn.Linear(64, 44, bias=False),
        torch.nn.GELU(),
        torch.nn.Linear(44, 24, bias=False),
    )
    state = {"logit_scale": torch.tensor(2.6)}
    for prefix, part in (
        ("visual", visual),
        ("text_encoder.transformer", bert),
        ("text_encoder.proj", proj),
    ):
        state |= {
            f"module.{prefix}.{key}": value for key, value in part.state_dict().items()
        }
    state = {
        key if key.startswith("module.") else f"module.{key}": value
        for key, value in state.items()
    }
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "unimed_clip_vit_b16.pt")
    model = load_model(
        "unimedclip",
        checkpoint=tmp_path / "unimed_clip_vit_b16.pt",
        tokenizer=tokenizer,
        device="cpu",
    )
    assert (
        model.card.input_size,
        model.card.context_length,
        model.card.unexpected_keys,
    ) == (32, 64, ())
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(tokenizer)
    texts = [" ".join(text.replace("&amp;", "&").split()) for text in published.TEXTS]
    ids = words(
        texts, padding="max_length", truncation=True, max_length=64, return_tensors="pt"
    )["input_ids"]
    with torch.no_grad():
        hidden = bert.eval()(
            input_ids=ids, attention_mask=(ids != 0).long()
        ).last_hidden_state[:, 0]
        expected_texts = torch.nn.functional.normalize(proj(hidden), dim=-1)
        pixels = (
            torch.from_numpy(
                np.stack([model.prepare(published.picture(n)).pixels for n in range(6)])
            )
            / 255
        )
        mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN)[:, None, None]
        std = torch.tensor(open_clip.OPENAI_DATASET_STD)[:, None, None]
        expected_images = torch.nn.functional.normalize(
            visual.eval()((pixels - mean) / std), dim=-1
        )
    assert (model.encode_reports(published.TEXTS) - expected_texts).abs().max() < 1e-5
    assert (model.encode_images(pixels) - expected_images).abs().max() < 1e-5


def text_tower_only(tmp_path: Path, hub: Path, *files: str) -> None:
    """BiomedCLIP's weights without a tokenizer of their own, and these files of its
    text tower's repository.
    """
    folder = save_biomedclip(tmp_path / "published")
    # transformers 4 writes the words into a file of their own too.
    for file in (*folder.glob("*token*"), folder / "vocab.txt"):
        file.unlink(missing_ok=True)
    tower = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    config = (folder / "open_clip_config.json").read_text()
    (folder / "open_clip_config.json").write_text(
        config.replace(str(folder / "tower"), tower)
    )
    part = tmp_path / "part"
    part.mkdir()
    for name in files:
        (part / name).write_bytes((folder / "tower" / name).read_bytes())
    put_into_hub_cache(part, hub, tower)
    put_into_hub_cache(
        folder, hub, "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
    )


def test_a_text_tower_without_its_vocabulary_is_not_here(
    tmp_path: Path, hub: Path
) -> None:
    """The library would make up five words, and every report would read the same."""
    text_tower_only(tmp_path, hub, "config.json")
    missing = Catalogues().models.get("biomedclip").missing
    assert missing is not None
    reason = missing(LoadRequest(may_download=False))
    assert reason is not None
    assert "BiomedBERT-base-uncased-abstract (tokenizer)" in reason
    with pytest.raises(NotOnThisMachineError, match=r"\(tokenizer\)"):
        load_model("biomedclip", device="cpu", download=False)


def test_a_text_tower_of_another_repository(tmp_path: Path, hub: Path) -> None:
    text_tower_only(tmp_path, hub, "config.json", "vocab.txt")
    model = load_model("biomedclip", device="cpu", download=False)
    whole = load_model(f"local-dir:{save_biomedclip(tmp_path / 'whole')}", device="cpu")
    assert torch.equal(model.encode_reports(TEXTS), whole.encode_reports(TEXTS))


def test_what_biomedclip_needs_is_said_at_once(hub: Path) -> None:
    missing = Catalogues().models.get("biomedclip").missing
    assert missing is not None
    reason = str(missing(LoadRequest()))
    assert not hub.exists()
    assert "hf download microsoft/BiomedCLIP" in reason
    assert "hf download microsoft/BiomedNLP" in reason


def test_terms_come_before_the_download(hub: Path) -> None:
    missing = Catalogues().models.get("medsiglip").missing
    assert missing is not None
    assert not hub.exists()
    assert "accept its terms on its page of the hub and log in" in str(
        missing(LoadRequest())
    )


def test_a_card_states_the_licence_and_the_terms(tmp_path: Path, hub: Path) -> None:
    """What the repository's own card says goes before what the catalogue knows."""
    folder = save_siglip(tmp_path / "published")
    named = "---\nlicense: other\nlicense_name: terms-of-tomorrow\n---\n"
    (folder / "README.md").write_text(named)
    put_into_hub_cache(folder, hub, "google/medsiglip-448")
    card = load_model("medsiglip", device="cpu", download=False).card
    assert card.licence == "terms-of-tomorrow"
    assert card.terms == "to be accepted on its page of the hub"
    own = load_model("medsiglip", checkpoint=folder, device="cpu").card
    assert own.terms is None
    next(hub.glob("**/README.md")).unlink()
    card = load_model("medsiglip", device="cpu", download=False).card
    assert card.licence == "Health AI Developer Foundations terms of use"


def test_a_gated_repository_says_to_accept_its_terms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pytest_retrieval_robust.models._files.hub import how_to_download

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    advice = how_to_download(
        "google/medsiglip-448", OSError("You are trying to access a gated repo.")
    )
    assert advice.startswith("Accept its terms")
    assert how_to_download("a/b").startswith("Run `hf download a/b`")


@pytest.mark.parametrize("shape", [(448, 448), (700, 500), (97, 333), (1, 40)])
def test_medsiglips_card_resizes_without_antialiasing(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    """Half-pixel bilinear sampling between four neighbours, in float64, cut to whole levels."""
    folder = save_siglip(tmp_path)
    options: dict[str, Any] = {"interpolation": "bilinear-no-antialias"}
    model = load_model(
        "medsiglip", checkpoint=folder, preprocessing=options, device="cpu"
    )
    side = model.card.input_size
    assert side is not None
    noise = np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)

    def samples(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((np.arange(side) + 0.5) * length / side - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, length - 1), at - low

    top, bottom, down = samples(shape[0])
    left, right, across = samples(shape[1])
    rows = noise[top] * (1 - down)[:, None, None] + noise[bottom] * down[:, None, None]
    expected = rows[:, left] * (1 - across)[:, None] + rows[:, right] * across[:, None]
    ours = model.prepare(Image.fromarray(noise)).pixels.astype(float)
    cut = np.floor(expected.transpose(2, 0, 1))
    close = (
        np.abs(expected.transpose(2, 0, 1) - np.round(expected.transpose(2, 0, 1)))
        < 1e-3
    )
    assert np.array_equal(ours[~close], cut[~close])
    assert np.abs(ours - expected.transpose(2, 0, 1)).max() < 1.001
