"""Stand-ins for the interfaces of libraries that recipes name, and what they should give.

Their transforms are torchvision's, as the authors write them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import InterpolationMode

WIDTH = 6
COMMIT = "0123456789abcdef" * 2 + "01234567"
"""The revision that a user has filled in."""


def picture() -> Image.Image:
    noise = np.random.default_rng(5).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((900, 600), Image.Resampling.BICUBIC)


def features_of_images(pixels: Tensor) -> Tensor:
    """(B, 6): means and spreads of the channels, by place, which no crop leaves alone."""
    assert pixels.dtype == torch.float32
    left, right = pixels.chunk(2, dim=3)
    return torch.cat([left.mean(dim=(2, 3)), right.std(dim=(2, 3))], dim=1)


def features_of_texts(ids: Tensor) -> Tensor:
    """(B, 6) of token ids that are padded to one length."""
    places = torch.arange(ids.shape[1], dtype=torch.float32)
    waves = torch.stack([(places * step / 9).cos() for step in range(WIDTH)], dim=1)
    return ids.float() @ waves


def token_ids(texts: Sequence[str], length: int) -> Tensor:
    """A character each, padded with zeros."""
    rows = [[ord(sign) for sign in text][:length] for text in texts]
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=1)


@dataclass(frozen=True)
class Library:
    name: str
    block: int
    install: Callable[[pytest.MonkeyPatch], None]
    steps: tuple[Any, ...]
    """The authors' transform."""
    length: int
    """Tokens that they pad a text to."""
    weights: str
    """The name in its recipe of the place of its weights; or of its commit on the hub."""
    is_folder: bool = False

    def bring(self, names: dict[str, Any], folder: Path) -> None:
        """Put in place what the recipe's `missing` looks for, below `folder`."""
        if self.weights == "REVISION":
            cache = folder / "models--JerrryNie--ConceptCLIP/snapshots" / COMMIT
            cache.mkdir(parents=True)
            (cache / "config.json").write_text("{}")
            return
        place: Path = names[self.weights]
        files = [place]
        if self.is_folder:
            files = [place / f"{key}s" / names[key] for key in ("VISION", "LANGUAGE")]
        for file in files:
            file.parent.mkdir(parents=True)
            file.touch()

    def fill_in(self, names: dict[str, Any], folder: Path) -> None:
        """What a user changes in the recipe: where the weights lie, or which commit."""
        is_commit = self.weights == "REVISION"
        names[self.weights] = COMMIT if is_commit else folder / "there" / self.name

    def image_row(self, image: Image.Image) -> Tensor:
        return unit(features_of_images(transforms.Compose(self.steps)(image)[None]))

    def text_rows(self, texts: Sequence[str]) -> Tensor:
        return unit(features_of_texts(token_ids(texts, self.length)))


def _conch(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(name: str, checkpoint: str, device: str) -> tuple[Any, object]:
        assert (name, device) == ("conch_ViT-B-16", "cpu")
        assert Path(checkpoint).is_file()
        model = SimpleNamespace(
            eval=lambda: None,
            encode_image=lambda images: unit(features_of_images(images)),
            encode_text=lambda ids: unit(features_of_texts(ids)),
        )
        return model, object()

    def tokenize(tokenizer: str, texts: list[str]) -> Tensor:
        assert tokenizer == "words"
        return token_ids(texts, 128)

    custom = ModuleType("conch.open_clip_custom")
    custom.__dict__.update(
        create_model_from_pretrained=create,
        get_tokenizer=lambda: "words",
        tokenize=tokenize,
    )
    package = ModuleType("conch")
    package.__dict__["open_clip_custom"] = custom
    monkeypatch.setitem(sys.modules, "conch", package)
    monkeypatch.setitem(sys.modules, "conch.open_clip_custom", custom)


class _ConceptClip:
    """Towers that answer as the authors' script expects: a dictionary, and a tuple."""

    def to(self, device: str) -> _ConceptClip:
        assert device == "cpu"
        return self

    def eval(self) -> _ConceptClip:
        return self

    def encode_image(self, images: Tensor) -> dict[str, Tensor]:
        return {"image_features": features_of_images(images)}

    def encode_text(self, ids: Tensor) -> tuple[Tensor, None]:
        return features_of_texts(ids), None


def _conceptclip(monkeypatch: pytest.MonkeyPatch) -> None:
    def processor(text: list[str], max_length: int, **options: Any) -> Any:
        padded = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
        assert options == padded
        return {"input_ids": token_ids(text, max_length)}

    def from_hub(result: object) -> Any:
        def load(repository: str, **options: object) -> object:
            assert repository == "JerrryNie/ConceptCLIP"
            assert options == {
                "revision": COMMIT,
                "trust_remote_code": True,
                "local_files_only": True,
            }
            return result

        return SimpleNamespace(from_pretrained=load)

    monkeypatch.setattr("transformers.AutoModel", from_hub(_ConceptClip()))
    monkeypatch.setattr("transformers.AutoProcessor", from_hub(processor))


class _MedImageInsight:
    def __init__(
        self, model_dir: str, vision_model_name: str, language_model_name: str
    ) -> None:
        assert Path(model_dir).is_dir()
        assert vision_model_name.endswith(".pt")
        assert language_model_name.endswith(".pth")
        self.device: str | None = None

    def load_model(self) -> None:
        self.device = "cpu"
        self.model = SimpleNamespace(eval=lambda: None, encode_image=features_of_images)

    def encode(self, texts: list[str]) -> dict[str, Any]:
        rows = features_of_texts(token_ids(texts, 77)).numpy()
        return {"image_embeddings": None, "text_embeddings": rows}


def _medimageinsight(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("medimageinsightmodel")
    module.__dict__["MedImageInsight"] = _MedImageInsight
    monkeypatch.setitem(sys.modules, "medimageinsightmodel", module)


def _resize(size: int | tuple[int, int]) -> Any:
    return transforms.Resize(size, interpolation=InterpolationMode.BICUBIC)


_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
LIBRARIES = (
    Library(
        name="conch",
        block=0,
        install=_conch,
        steps=(
            _resize(448),
            transforms.CenterCrop(448),
            transforms.ToTensor(),
            transforms.Normalize(*_CLIP),
        ),
        length=128,
        weights="WEIGHTS",
    ),
    Library(
        name="conceptclip",
        block=1,
        install=_conceptclip,
        steps=(
            _resize((384, 384)),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ),
        length=77,
        weights="REVISION",
    ),
    Library(
        name="medimageinsight",
        block=2,
        install=_medimageinsight,
        steps=(
            _resize((480, 480)),
            transforms.ToTensor(),
            transforms.Normalize(*_IMAGENET),
        ),
        length=77,
        weights="FOLDER",
        is_folder=True,
    ),
)
