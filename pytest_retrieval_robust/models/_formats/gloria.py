"""GLoRIA (Huang et al., 2021): ResNet-50 with Bio_ClinicalBERT, its global embeddings.

From the authors' files, after https://github.com/marshuang80/gloria (416466a). The
authors never switch the network to evaluation. This loader does, so that an image's
embedding does not depend on its batch. The local similarity is left out: in their code
it fails for texts of more than 96 characters. The text feature is the sum over the
tokens, CLS and SEP included, of the last four layers, whose direction does not depend
on how tokens are merged into words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from .. import LoadRequest, Prepared
from .._files.weights_file import weights_in
from .opencv import by_area, grey_of
from .pictures import Picture, Way, eight_bit, require_shape
from .recipe import Recipe
from .towers import bert, hidden_states, resnet50
from .wordpiece import CLINICAL_BERT, bert_tokens

_PREFIX = "gloria."
_BERT = "text_encoder.model."
_CONTEXT = 97
_LAYERS = 4
# Pixels per side: of the padded square, of the crop, and of the network's own input.
_SIDE = 256
_CROP = 224
_INSIDE = 299


class _Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = resnet50(None)
        self.global_embedder = nn.Linear(2048, 768)
        # In the file, although the global embedding does not use it.
        self.local_embedder = nn.Conv2d(1024, 768, 1, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        enlarged = nn.functional.interpolate(
            pixels, size=(_INSIDE, _INSIDE), mode="bilinear", align_corners=True
        )
        rows: Tensor = self.global_embedder(self.model(enlarged))
        return rows


class _Texts(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.model = bert(tensors, _BERT)

    def forward(self, ids: Tensor) -> Tensor:
        layers = hidden_states(self.model, ids)[-_LAYERS:]
        # Layer after layer: another order of sums rounds differently.
        total = layers[0].sum(dim=1)
        for layer in layers[1:]:
            total = total + layer.sum(dim=1)
        return total / _CONTEXT


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.img_encoder = _Images()
        self.text_encoder = _Texts(tensors)


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    weights = weights_in(content)
    # Another model's keys stay as they are, so that the message can say what it is.
    if not any(key.startswith(_PREFIX) for key in weights):
        return weights
    return {key.removeprefix(_PREFIX): tensor for key, tensor in weights.items()}


def clean(text: str) -> str:
    """The authors' cleaning: sentences of two words or more, in lower-case ASCII,
    without punctuation.

    Like theirs, it takes the whole part of a decimal for a list's number ("4.5 cm"
    becomes "5 cm"), and drops sentences of one word, so that "Cardiomegaly." becomes
    the empty text.
    """
    sentences = []
    for numbered in re.split(r"[0-9]+\.", text.replace("\n", " ")):
        for sentence in numbered.split("."):
            words = re.findall(r"\w+", sentence.replace("\ufffd\ufffd", " ").lower())
            # Words are counted before the letters outside of ASCII are dropped.
            if len(words) > 1:
                ascii_words = [
                    word.encode("ascii", "ignore").decode("ascii") for word in words
                ]
                sentences.append(" ".join(word for word in ascii_words if word))
    return " ".join(sentences)


@dataclass(frozen=True)
class _Fitted(Way):
    """Grey, the longer side to 256 by area, padded with black, the middle 224 kept."""

    def __call__(self, image: Image.Image) -> Prepared:
        grey = grey_of(eight_bit(image))
        height, width = grey.shape
        new_width, new_height = _resized(width, height)
        require_shape(image, new_width, new_height)
        square = padded(by_area(grey, new_width, new_height))
        margin = (_SIDE - _CROP) // 2
        cut = square[margin : margin + _CROP, margin : margin + _CROP]
        left = (_SIDE - new_width) // 2 - margin
        top = (_SIDE - new_height) // 2 - margin
        frame = (
            left / _CROP,
            top / _CROP,
            (left + new_width) / _CROP,
            (top + new_height) / _CROP,
        )
        return Prepared(np.repeat(cut[None], 3, axis=0), frame)


def _resized(width: int, height: int) -> tuple[int, int]:
    """(width, height) with the longer side at 256; the shorter one is rounded down."""
    longer = max(width, height)
    new_width = _SIDE if width == longer else int(width * _SIDE / longer)
    new_height = _SIDE if height == longer else int(height * _SIDE / longer)
    return new_width, new_height


def padded(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """In the middle of a black square of 256; an odd pixel goes right and below."""
    height, width = grey.shape
    top = (_SIDE - height) // 2
    left = (_SIDE - width) // 2
    return np.pad(grey, ((top, _SIDE - height - top), (left, _SIDE - width - left)))


def _picture(_: str, __: Mapping[str, Tensor], ___: LoadRequest) -> Picture:
    return Picture(_Fitted(), _CROP, (0.5,) * 3, (0.5,) * 3)


GLORIA = Recipe(
    licence="Apache-2.0",
    anchor="gloria.img_encoder.global_embedder.weight",
    tensors=_tensors,
    network=_Network,
    images=lambda network: network.img_encoder,
    texts=lambda network: network.text_encoder,
    picture=_picture,
    tokens=bert_tokens(CLINICAL_BERT, _BERT, context=_CONTEXT, clean=clean),
)
"""Option: `context_length` (97, to 512)."""
