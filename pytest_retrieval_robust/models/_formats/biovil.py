"""BioViL and BioViL-T (Boecking et al., 2022; Bannur et al., 2023): a ResNet-50 with
CXR-BERT, as published.

After https://github.com/microsoft/hi-ml (b67c1d2), hi-ml-multimodal: one image, no
prior study. A folder laid out as the hub repository holds both sides: the image weights
(`biovil_t_image_model_proj_size_128.pt` or `biovil_image_resnet50_proj_size_128.pt`)
and the text model (`config.json`, `vocab.txt`, `pytorch_model.bin`). Or the checkpoint
is the image file, and the tokenizer the folder of the text model.

A report is encoded whole; the authors' prompts are single sentences. They do not cut
texts and fail above 512 tokens; here such a report is cut and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ...errors import ModelError
from .. import LoadRequest, ModelCard, Prepared
from .._files.attempt import shown_path
from .._files.checkpoint import require_regular_members, weight_files
from .._files.identify import looks_like
from .._files.prefixes import without_prefix
from .._files.weights_file import read_weights, weights_in
from .building import Fit, build, fill
from .composed import ComposedEncoder
from .pictures import Picture, eight_bit, resize_and_crop
from .towers import bert, last_state, resnet50, table_size
from .wordpiece import load_word_pieces

_LICENCE = "MIT"
_IMAGE_FILES = (
    "biovil_t_image_model_proj_size_128.pt",
    "biovil_image_resnet50_proj_size_128.pt",
)
IMAGE_ANCHOR, TEXT_ANCHOR = (
    "encoder.encoder.conv1.weight",
    "cls_projection_head.dense_to_hidden.weight",
)
_CROPS = {True: 448, False: 480}
_SPECIAL = ("[CLS]", "[SEP]", "[PAD]", "[UNK]")


class _Trunk(nn.Module):
    """ResNet-50 to its last map, and in BioViL-T the reduction that is joined by "no
    prior image".
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.encoder: Any = resnet50(None)
        self.encoder.fc = nn.Linear(2048, 1000)  # in the file, and never used
        if _is_t(tensors):
            self.backbone_to_vit = nn.Conv2d(2048, 256, 1, bias=False)
            self.missing_previous_emb = nn.Parameter(torch.zeros(1, 256, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        network = self.encoder
        found: Tensor = network.maxpool(
            network.relu(network.bn1(network.conv1(pixels)))
        )
        for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
            found = stage(found)
        if not hasattr(self, "backbone_to_vit"):
            return found
        reduced: Tensor = self.backbone_to_vit(found)
        return torch.cat([reduced, self.missing_previous_emb.expand_as(reduced)], dim=1)


class _Projector(nn.Module):
    """Applied to each place of the map; its outputs are averaged afterwards."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 128, 1),
        )

    def forward(self, found: Tensor) -> Tensor:
        rows: Tensor = self.model(found).mean(dim=(2, 3))
        return rows


class _Images(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.encoder = _Trunk(tensors)
        self.projector = _Projector(512 if _is_t(tensors) else 2048)

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.projector(self.encoder(pixels))
        return rows


class _Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense_to_hidden = nn.Linear(768, 128)
        self.LayerNorm = nn.LayerNorm(128, eps=1e-12)
        self.dense_to_output = nn.Linear(128, 128)

    def forward(self, state: Tensor) -> Tensor:
        rows: Tensor = self.dense_to_output(
            self.LayerNorm(nn.functional.gelu(self.dense_to_hidden(state)))
        )
        return rows


class _Texts(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.bert = bert(tensors, "bert.")
        self.cls_projection_head = _Head()

    def forward(self, ids: Tensor) -> Tensor:
        rows: Tensor = self.cls_projection_head(last_state(self.bert, ids)[:, 0])
        return rows


def _is_t(tensors: Mapping[str, Tensor]) -> bool:
    return "encoder.backbone_to_vit.weight" in tensors


def load(
    name: str, file: Path, request: LoadRequest, *, source: str
) -> ComposedEncoder:
    """Load either model; which one is read from the keys of the image file.

    Raises `ModelError` where the folder lacks a side, or a file is damaged or another model's.
    """
    name = request.name or name
    image_file, text_folder = _places(name, file, request)
    require_regular_members(name, text_folder)
    images, image_fit, image_sha, side = _load_images(name, image_file)
    texts, text_fit, text_sha, (rows, positions) = _load_texts(name, text_folder)
    card = ModelCard(
        source=source,
        sha256=f"{image_sha}+{text_sha}",
        licence=_LICENCE,
        parameters=sum(
            parameter.numel()
            for tower in (images, texts)
            for parameter in tower.parameters()
        ),
        key_prefix=image_fit.prefix or text_fit.prefix or None,
        unexpected_keys=image_fit.unexpected + text_fit.unexpected,
        dropped_keys=image_fit.dropped + text_fit.dropped,
    )
    words = replace(request, tokenizer=str(text_folder))
    tokens = load_word_pieces(
        name,
        str(text_folder),
        words,
        rows=rows,
        positions=positions,
        context=positions,
        clean=_without_stop(name),
    )
    picture = Picture(_prepare(side), side, (0.0,) * 3, (1.0,) * 3)
    return ComposedEncoder(
        name, card, request, picture=picture, images=images, tokens=tokens, texts=texts
    )


def _places(name: str, file: Path, request: LoadRequest) -> tuple[Path, Path]:
    if not file.is_dir():
        if request.tokenizer is None or not Path(request.tokenizer).is_dir():
            given = None if request.tokenizer is None else shown_path(request.tokenizer)
            raise ModelError(
                "Expected the folder of the text model beside the image weights"
                f" {file.name} of {name}, got tokenizer={given!r}. Pass the folder of"
                " the hub repository as tokenizer or as checkpoint."
            )
        return file, Path(request.tokenizer)
    found = [
        file / candidate for candidate in _IMAGE_FILES if (file / candidate).is_file()
    ]
    if len(found) != 1:
        raise ModelError(
            f"Expected one file of image weights in {file.name} for {name}, got"
            f" {len(found)} of {', '.join(_IMAGE_FILES)}. Copy it beside the text"
            " model, or pass the file itself as the checkpoint."
        )
    return found[0], Path(request.tokenizer) if request.tokenizer else file


def _load_images(name: str, file: Path) -> tuple[_Images, Fit, str, int]:
    with read_weights(name, file) as stored:
        tensors, prefix = without_prefix(
            name, weights_in(stored.content), (IMAGE_ANCHOR,)
        )
        network = build(lambda: _Images(tensors))
        # The module that would join a prior study: with one image it is never asked.
        used = {
            key: tensor
            for key, tensor in tensors.items()
            if not key.startswith("encoder.vit_pooler.")
        }
        fit = fill(name, network, used, stored, looks_like(tensors))
        dropped = tuple(sorted(tensors.keys() - used.keys()))
        return (
            network,
            replace(fit, dropped=fit.dropped + dropped, prefix=prefix),
            stored.sha256,
            _CROPS[_is_t(tensors)],
        )


def _load_texts(name: str, folder: Path) -> tuple[_Texts, Fit, str, tuple[int, int]]:
    files = [file for file in weight_files(folder) if file.name not in _IMAGE_FILES]
    if len(files) != 1:
        raise ModelError(
            "Expected the text model's model.safetensors or pytorch_model.bin in"
            f" {folder.name} for {name}, got {len(files)} of them. Copy the whole"
            " folder of the hub repository."
        )
    with read_weights(name, files[0]) as stored:
        tensors, prefix = without_prefix(
            name, weights_in(stored.content), (TEXT_ANCHOR,)
        )
        network = build(lambda: _Texts(tensors))
        # The head of masked language modelling belongs to the file, and to no embedding.
        used = {
            key: tensor
            for key, tensor in tensors.items()
            if not key.startswith("cls.predictions.")
        }
        fit = fill(name, network, used, stored, looks_like(tensors))
        dropped = tuple(sorted(tensors.keys() - used.keys()))
        size = table_size(tensors, "bert.embeddings.")
        return (
            network,
            replace(fit, dropped=fit.dropped + dropped, prefix=prefix),
            stored.sha256,
            size,
        )


def _without_stop(name: str) -> Any:
    def clean(text: str) -> str:
        if any(token in text for token in _SPECIAL):
            raise ModelError(
                "Expected reports without BERT's special tokens"
                f" ({', '.join(_SPECIAL)}) for {name}, got one with such a token. Leave"
                " the report out, or take the token out of it."
            )
        return text.rstrip("!?.")

    return clean


def _prepare(crop: int) -> Any:
    """The image's own extremes stretched to 0..255 over all channels together, grey,
    512 on the short side, cropped.
    """
    shape = resize_and_crop(512, crop, Image.Resampling.BILINEAR, grey=True)

    def prepare(image: Image.Image) -> Prepared:
        values = np.asarray(eight_bit(image)).astype(np.float64)
        lowest, span = values.min(), np.ptp(values)
        # A constant image has no extremes; the authors' code divides by zero there, and gets black.
        stretched = (
            np.zeros_like(values) if span == 0 else (values - lowest) / span * 255
        )
        return shape(Image.fromarray(stretched.astype(np.uint8)))

    return prepare
