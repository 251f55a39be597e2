"""BioViL and BioViL-T (Boecking et al., 2022; Bannur et al., 2023): ResNet-50 with CXR-BERT.

After https://github.com/microsoft/hi-ml (b67c1d2), hi-ml-multimodal: one image, no
prior study. A folder laid out as the hub repository holds both sides: the image weights
(`biovil_t_image_model_proj_size_128.pt` or `biovil_image_resnet50_proj_size_128.pt`)
and the text model (`config.json`, `vocab.txt`, `pytorch_model.bin`). Or the checkpoint
is the image file, and the tokenizer the folder of the text model.

A report is encoded whole; the authors' prompts are single sentences. Their code does
not cut texts and fails above 512 tokens; this loader cuts and counts such a report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ...core.errors import ModelError
from .. import LoadRequest, ModelCard, Prepared
from .._files.attempt import shown_path
from .._files.checkpoint import require_regular_members, weight_files
from .._files.identify import looks_like
from .._files.prefixes import without_prefix
from .._files.weights_file import read_weights, weights_in
from .building import Fit, build, fill
from .composed import ComposedEncoder, Parts
from .pictures import Picture, Way, eight_bit, resize_and_crop
from .towers import TableSizes, bert, last_state, resnet50
from .wordpiece import WordPieces, load_word_pieces

N = TypeVar("N", bound=nn.Module)

_LICENCE = "MIT"
_IMAGE_FILES = (
    "biovil_t_image_model_proj_size_128.pt",
    "biovil_image_resnet50_proj_size_128.pt",
)
IMAGE_ANCHOR = "encoder.encoder.conv1.weight"
TEXT_ANCHOR = "cls_projection_head.dense_to_hidden.weight"
_OF_PRIOR_STUDY = "encoder.vit_pooler."
"""Keys of the module that would join a prior study: one image never runs it."""
_OF_MASKED_WORDS = "cls.predictions."
"""Keys of the head of masked language modelling, which no embedding passes."""
_SIDE = 512
"""Pixels of the shorter side after the resize."""
_CROP = 480
_CROP_OF_T = 448
_WIDTH = 128
_SPECIAL = ("[CLS]", "[SEP]", "[PAD]", "[UNK]")


# The networks. Attributes have the names of the authors' keys.
class _Trunk(nn.Module):
    """ResNet-50 to its last map; in BioViL-T reduced and joined by "no prior image"."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.encoder: Any = resnet50(None)
        self.encoder.fc = nn.Linear(2048, 1000)  # in the file, and never used
        if _is_t(tensors):
            self.backbone_to_vit = nn.Conv2d(2048, 256, 1, bias=False)
            self.missing_previous_emb = nn.Parameter(torch.zeros(1, 256, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        network = self.encoder
        features: Tensor = network.relu(network.bn1(network.conv1(pixels)))
        features = network.maxpool(features)
        for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
            features = stage(features)
        # BioViL ends at the map itself.
        if not hasattr(self, "backbone_to_vit"):
            return features
        reduced: Tensor = self.backbone_to_vit(features)
        return torch.cat([reduced, self.missing_previous_emb.expand_as(reduced)], dim=1)


class _Projector(nn.Module):
    """Applied to each position of the map; its outputs are averaged afterwards."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(channels, _WIDTH, 1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, _WIDTH, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        rows: Tensor = self.model(features).mean(dim=(2, 3))
        return rows


class _Images(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.encoder = _Trunk(tensors)
        if _is_t(tensors):
            self.projector = _Projector(512)
            self.crop = _CROP_OF_T
        else:
            self.projector = _Projector(2048)
            self.crop = _CROP

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.projector(self.encoder(pixels))
        return rows


class _Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense_to_hidden = nn.Linear(768, _WIDTH)
        self.LayerNorm = nn.LayerNorm(_WIDTH, eps=1e-12)
        self.dense_to_output = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, state: Tensor) -> Tensor:
        # The order of CXR-BERT: activation, norm, linear.
        hidden = nn.functional.gelu(self.dense_to_hidden(state))
        rows: Tensor = self.dense_to_output(self.LayerNorm(hidden))
        return rows


class _Texts(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.bert = bert(tensors, "bert.")
        self.cls_projection_head = _Head()

    @property
    def tables(self) -> TableSizes:
        config = self.bert.config
        return TableSizes(config.vocab_size, config.max_position_embeddings)

    def forward(self, ids: Tensor) -> Tensor:
        rows: Tensor = self.cls_projection_head(last_state(self.bert, ids)[:, 0])
        return rows


def _is_t(tensors: Mapping[str, Tensor]) -> bool:
    return "encoder.backbone_to_vit.weight" in tensors


# Loading
@dataclass(frozen=True)
class _Side(Generic[N]):
    """The image or text half of a model, filled from its file."""

    tower: N
    fit: Fit
    sha256: str


def load(
    name: str, file: Path, request: LoadRequest, *, source: str
) -> ComposedEncoder:
    """Load either model; which one is read from the keys of the image file.

    Raises `ModelError` if the folder lacks a side, or a file is damaged or another
    model's.
    """
    name = request.name or name
    image_file, text_folder = _files_of(name, file, request)
    require_regular_members(name, text_folder)
    images = _load_side(
        name, image_file, _Images, anchor=IMAGE_ANCHOR, unused=_OF_PRIOR_STUDY
    )
    texts = _load_side(
        name,
        _text_file(name, text_folder),
        _Texts,
        anchor=TEXT_ANCHOR,
        unused=_OF_MASKED_WORDS,
    )
    side = images.tower.crop
    parts = Parts(
        picture=Picture(_Stretched(side), side, mean=(0.0,) * 3, std=(1.0,) * 3),
        image_tower=images.tower,
        tokens=_tokens(name, text_folder, request, texts.tower.tables),
        text_tower=texts.tower,
    )
    return ComposedEncoder(name, _card(source, images, texts), request, parts)


def _files_of(name: str, file: Path, request: LoadRequest) -> tuple[Path, Path]:
    """The file of the image weights, and the folder of the text model."""
    if not file.is_dir():
        return file, _named_text_folder(name, file, request)
    image_files = [file / image_file for image_file in _IMAGE_FILES]
    # Exactly one: with both, nobody could tell which model is meant.
    image_files = [image_file for image_file in image_files if image_file.is_file()]
    if len(image_files) != 1:
        raise ModelError(
            f"Expected one file of image weights in {file.name} for {name}, got"
            f" {len(image_files)} of {', '.join(_IMAGE_FILES)}. Copy it beside the text"
            " model, or pass the file itself as the checkpoint."
        )
    text_folder = Path(request.tokenizer) if request.tokenizer else file
    return image_files[0], text_folder


def _named_text_folder(name: str, file: Path, request: LoadRequest) -> Path:
    """The folder of the text model that the request names as its tokenizer."""
    if request.tokenizer is not None and Path(request.tokenizer).is_dir():
        return Path(request.tokenizer)
    shown = None if request.tokenizer is None else shown_path(request.tokenizer)
    raise ModelError(
        "Expected the folder of the text model beside the image weights"
        f" {file.name} of {name}, got tokenizer={shown!r}. Pass the folder of"
        " the hub repository as tokenizer or as checkpoint."
    )


def _text_file(name: str, folder: Path) -> Path:
    files = [file for file in weight_files(folder) if file.name not in _IMAGE_FILES]
    if len(files) != 1:
        raise ModelError(
            "Expected the text model's model.safetensors or pytorch_model.bin in"
            f" {folder.name} for {name}, got {len(files)} of them. Copy the whole"
            " folder of the hub repository."
        )
    return files[0]


def _load_side(
    name: str,
    file: Path,
    network: Callable[[Mapping[str, Tensor]], N],
    *,
    anchor: str,
    unused: str,
) -> _Side[N]:
    """One side, without the keys that begin with `unused`."""
    with read_weights(name, file) as stored:
        tensors, prefix = without_prefix(name, weights_in(stored.content), (anchor,))
        tower = build(lambda: network(tensors))
        # Weights that no embedding passes have no place in the network.
        used = {
            key: tensor for key, tensor in tensors.items() if not key.startswith(unused)
        }
        fit = fill(name, tower, used, stored, looks_like(tensors))
        sha256 = stored.sha256
    dropped = tuple(sorted(tensors.keys() - used.keys()))
    fit = replace(fit, dropped=fit.dropped + dropped, prefix=prefix)
    return _Side(tower, fit, sha256)


def _tokens(
    name: str, folder: Path, request: LoadRequest, tables: TableSizes
) -> WordPieces:
    return load_word_pieces(
        name,
        str(folder),
        replace(request, tokenizer=str(folder)),
        tables,
        context=tables.positions,
        clean=_without_stop(name),
    )


def _card(source: str, images: _Side[_Images], texts: _Side[_Texts]) -> ModelCard:
    parameters = [*images.tower.parameters(), *texts.tower.parameters()]
    # Two files make one model, so that its hash is of both.
    return ModelCard(
        source=source,
        sha256=f"{images.sha256}+{texts.sha256}",
        licence=_LICENCE,
        parameters=sum(parameter.numel() for parameter in parameters),
        key_prefix=images.fit.prefix or texts.fit.prefix or None,
        unexpected_keys=images.fit.unexpected + texts.fit.unexpected,
        dropped_keys=images.fit.dropped + texts.fit.dropped,
    )


def _without_stop(name: str) -> Callable[[str], str]:
    """The authors' cleaning: without the marks at the end of a report."""

    def clean(text: str) -> str:
        # The tokenizer would read it as a token of its own, not as words.
        if any(token in text for token in _SPECIAL):
            raise ModelError(
                "Expected reports without BERT's special tokens"
                f" ({', '.join(_SPECIAL)}) for {name}, got one with such a token. Leave"
                " the report out, or take the token out of it."
            )
        return text.rstrip("!?.")

    return clean


@dataclass(frozen=True)
class _Stretched(Way):
    """The image's own extremes stretched to 0..255, grey, 512 on the short side, cropped.

    Extremes are those over all channels together.
    """

    crop: int

    def __call__(self, image: Image.Image) -> Prepared:
        source = eight_bit(image)
        extremes = np.asarray(source.getextrema())
        levels = stretched_levels(int(extremes.min()), int(extremes.max()))
        # A level decides the new one, so that each is computed once.
        stretched = source.point(levels * len(source.getbands()))
        filter_ = Image.Resampling.BILINEAR
        return resize_and_crop(_SIDE, self.crop, filter_, grey=True)(stretched)


def stretched_levels(least: int, greatest: int) -> list[int]:
    """What each of the 256 levels becomes: `least` 0 and `greatest` 255.

    Levels between them are cut to whole numbers, as the authors' code does.
    """
    # A constant image is black: the authors' code divides by zero, and gets that.
    if least == greatest:
        return [0] * 256
    levels = np.arange(256, dtype=np.float64)
    stretched = (levels - least) / (greatest - least) * 255
    # Levels beyond the extremes do not occur.
    return [int(level) for level in stretched.clip(0, 255)]
