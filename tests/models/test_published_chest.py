"""XrayCLIP, XraySigLIP and CheXficient by name, from their published layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.transforms import (
    CenterCrop,
    Compose,
    InterpolationMode,
    Normalize,
    Resize,
    ToTensor,
)
from transformers import AutoImageProcessor, AutoModel, BertTokenizer

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models import DualEncoder, LoadRequest, truncated_by

from . import published
from .checkpoints import put_into_hub_cache
from .chest import SIDE, CheXficient, make_chexficient, save_xray_clip
from .hub_cache import use_only_hub_cache
from .pil_processors import pil_version
from .real_tokenizers import CONTEXT, TEXTS, save_model, save_sentencepiece

# Both losses were used with each of the four.
ENDS = (
    "vit-b-16__laion2b-s34b-b88k",
    "vit-l-14__laion2b-s32b-b82k",
    "vit-b-16-siglip-512__webli",
    "vit-l-16-siglip-384__webli",
)
REPOSITORIES = {
    f"{loss.lower()}-{end.partition('__')[0]}": f"StanfordAIMI/{loss}__{end}"
    for loss in ("XrayCLIP", "XraySigLIP")
    for end in ENDS
}
WORDS = 400


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own."""
    return use_only_hub_cache(monkeypatch, tmp_path / "cache")


def pictures() -> list[Any]:
    return [published.picture(number) for number in range(6)]


def prepared(model: DualEncoder) -> Tensor:
    """(6, 3, S, S) on the 0..1 scale."""
    squares = [model.prepare(picture).pixels for picture in pictures()]
    return torch.from_numpy(np.stack(squares)) / 255


def clip_transform(side: int) -> Callable[[Any], Tensor]:
    """CLIP's transform, of torchvision's steps."""
    steps = Compose(
        [
            Resize(side, interpolation=InterpolationMode.BICUBIC),
            CenterCrop(side),
            ToTensor(),
            Normalize(open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD),
        ]
    )
    return lambda picture: torch.as_tensor(steps(picture.convert("RGB")))


def load_by_name(name: str, folder: Path, hub: Path) -> DualEncoder:
    repository = REPOSITORIES.get(name, "StanfordAIMI/CheXficient")
    put_into_hub_cache(folder, hub, repository)
    model = load_model(name, device="cpu", download=False)
    assert model.name == name
    assert model.card.source == f"hf:{repository}"
    return model


@pytest.fixture(scope="module")
def xray_clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("xray") / "clip"
    return folder, save_xray_clip(folder)


def test_those_of_clips_kind_embed_as_open_clip_does(
    xray_clip: tuple[Path, Any], hub: Path
) -> None:
    folder, network = xray_clip
    model = load_by_name("xrayclip-vit-b-16", folder, hub)
    transform = clip_transform(SIDE)
    pixels = torch.stack([transform(picture) for picture in pictures()])
    ids = open_clip.tokenizer.tokenize(list(TEXTS))
    with torch.no_grad():
        images = network.encode_image(pixels, normalize=True)
        texts = network.encode_text(ids, normalize=True)
    normalise: Any = getattr(model, "normalise")  # noqa: B009 - of these encoders alone
    assert torch.allclose(normalise(prepared(model)), pixels, atol=1e-6)
    assert (model.encode_images(prepared(model)) - images).abs().max() < 1e-5
    assert (model.encode_reports(TEXTS) - texts).abs().max() < 1e-5
    assert model.card.licence == "cc-by-nc-4.0"
    assert truncated_by(model, ["word " * 80, "word"]) == 1


@pytest.fixture(scope="module")
def xray_siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(save_sentencepiece(tmp_path_factory.mktemp("xray") / "siglip"))


def test_those_of_siglips_kind_embed_as_transformers_does(
    xray_siglip: Path, hub: Path
) -> None:
    import sentencepiece

    model = load_by_name("xraysiglip-vit-l-16-siglip-384", xray_siglip, hub)
    reference = AutoModel.from_pretrained(xray_siglip).eval()
    processor = pil_version(AutoImageProcessor.from_pretrained(xray_siglip))
    colour = [picture.convert("RGB") for picture in pictures()]
    pixels = processor(images=colour, return_tensors="pt")["pixel_values"]
    pieces = sentencepiece.SentencePieceProcessor(
        model_file=str(xray_siglip / "spiece.model")
    )
    clean = open_clip.tokenizer.get_clean_fn("canonicalize")
    rows = [[*pieces.encode(clean(text))[: CONTEXT - 1], 1] for text in TEXTS]
    ids = torch.tensor([row + [1] * (CONTEXT - len(row)) for row in rows])
    with torch.no_grad():
        images = reference.vision_model(pixel_values=pixels).pooler_output
        texts = reference.text_model(input_ids=ids).pooler_output
    unit = torch.nn.functional.normalize
    assert (model.encode_images(prepared(model)) - unit(images)).abs().max() < 1e-5
    assert (model.encode_reports(TEXTS) - unit(texts)).abs().max() < 1e-5
    # The folder has no card of its own here.
    assert model.card.licence == "CC BY-NC 4.0 (non-commercial)"


@pytest.fixture(scope="module")
def chexficient() -> CheXficient:
    return make_chexficient(WORDS)


def assert_authors_embeddings(
    model: DualEncoder, authors: CheXficient, words: Path
) -> None:
    transform = clip_transform(28)
    pixels = torch.stack([transform(picture) for picture in pictures()])
    tokens = BertTokenizer.from_pretrained(str(words))(
        list(published.TEXTS),
        padding="longest",
        truncation=True,
        max_length=256,
        return_tensors="pt",
    )
    images = authors.images(pixels)
    texts = authors.texts(tokens)
    assert (model.encode_images(prepared(model)) - images).abs().max() < 1e-5
    assert (model.encode_reports(published.TEXTS) - texts).abs().max() < 1e-5


def test_chexficients_training_file(tmp_path: Path, chexficient: CheXficient) -> None:
    """As their main.py saves it, with the tokenizer of Bio_ClinicalBERT's kind."""
    words = published.save_tokenizer(tmp_path / "words", rows=WORDS)
    file = tmp_path / "pytorch_model.pth"
    torch.save({"model": chexficient.state(), "epoch": 3}, file)
    model = load_model("chexficient", checkpoint=file, tokenizer=words, device="cpu")
    assert_authors_embeddings(model, chexficient, words)
    card = model.card
    assert (card.input_size, card.context_length, card.licence) == (28, 256, "MIT")
    assert card.unexpected_keys == ()
    assert "image_encoder.model.mask_token" in card.dropped_keys
    assert "pending_ema_features" in card.dropped_keys
    # A portrait is cut above and below.
    left, top, right, bottom = model.prepare(published.picture(1)).frame
    assert (left, right) == (0, 1)
    assert top < 0 < 1 < bottom


def test_chexficient_on_the_hub(
    tmp_path: Path, hub: Path, chexficient: CheXficient
) -> None:
    """Its repository names code of its own, which is not run, and has its own tokenizer."""
    folder = published.save_tokenizer(tmp_path / "published", rows=WORDS)
    BertTokenizer.from_pretrained(str(folder)).save_pretrained(folder)
    state = {f"model.{key}": value for key, value in chexficient.state().items()}
    save_file(state, folder / "model.safetensors")
    (folder / "modeling.py").write_text("raise SystemExit")
    model = load_by_name("chexficient", folder, hub)
    assert_authors_embeddings(model, chexficient, folder)
    assert model.card.key_prefix == "model."
    assert model.card.revision == "a" * 40


@pytest.mark.parametrize(
    "key",
    ["image_encoder.model.blocks.1.ls2.gamma", "text_projection.projection.bias"],
)
def test_a_chexficient_without_a_weight_is_refused(
    key: str, tmp_path: Path, chexficient: CheXficient
) -> None:
    words = published.save_tokenizer(tmp_path / "words", rows=WORDS)
    state = {name: value for name, value in chexficient.state().items() if name != key}
    torch.save({"model": state}, tmp_path / "cut.pth")
    with pytest.raises(ModelError, match=f"missing_keys=1: {key}"):
        load_model(
            "chexficient",
            checkpoint=tmp_path / "cut.pth",
            tokenizer=words,
            device="cpu",
        )


def test_another_models_file_is_named(tmp_path: Path, xray_clip: Any) -> None:
    torch.save(load_file(xray_clip[0] / "model.safetensors"), tmp_path / "other.pth")
    with pytest.raises(ModelError, match="looks like a transformers CLIP or SigLIP"):
        load_model("chexficient", checkpoint=tmp_path / "other.pth", device="cpu")


def test_each_name_is_a_repository_of_its_own(hub: Path) -> None:
    expected = {**REPOSITORIES, "chexficient": "StanfordAIMI/CheXficient"}
    assert not hub.exists()
    for name, repository in expected.items():
        missing = Catalogues().models.get(name).missing
        assert missing is not None
        assert str(missing(LoadRequest())).endswith(f"`hf download {repository}`")
