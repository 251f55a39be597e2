"""GLoRIA (Huang et al., 2021): ResNet-50 with Bio_ClinicalBERT, its global embeddings,
from the authors' files.

After https://github.com/marshuang80/gloria (416466a). The authors never switch the
network to evaluation; here it is, so that an image's embedding does not depend on its
batch. The local similarity is left out: in their code it fails for texts of more than
96 characters. The text feature's direction needs no words: it is the sum over the
tokens, CLS and SEP included, of the last four layers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from .. import LoadRequest, Prepared
from .._files.weights_file import weights_in
from .pictures import Picture, eight_bit, require_shape
from .recipe import Recipe
from .towers import bert, hidden_states, resnet50, table_size
from .wordpiece import CLINICAL_BERT, WordPieces, load_word_pieces

_PREFIX, _BERT = "gloria.", "text_encoder.model."
_SIDE, _CROP, _INSIDE, _CONTEXT, _LAYERS = 256, 224, 299, 97, 4


class _Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = resnet50(None)
        self.global_embedder = nn.Linear(2048, 768)
        self.local_embedder = nn.Conv2d(
            1024, 768, 1, bias=False
        )  # in the file; the global embedding does not use it

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
        return (
            sum((layer.sum(dim=1) for layer in layers[1:]), layers[0].sum(dim=1))
            / _CONTEXT
        )


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.img_encoder = _Images()
        self.text_encoder = _Texts(tensors)


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    found = weights_in(content)
    # Kept where it is no GLoRIA, so that the message can say what it is.
    if not any(key.startswith(_PREFIX) for key in found):
        return found
    return {key.removeprefix(_PREFIX): tensor for key, tensor in found.items()}


def clean(text: str) -> str:
    """The authors' cleaning: sentences of two words or more, in lower-case ASCII,
    without punctuation.

    As theirs does, it takes the whole part of a decimal for a list's number ("4.5 cm"
    becomes "5 cm"), and drops sentences of one word, so that "Cardiomegaly." becomes
    the empty text.
    """
    sentences = []
    for numbered in re.split(r"[0-9]+\.", text.replace("\n", " ")):
        for sentence in numbered.split("."):
            words = re.findall(r"\w+", sentence.replace("\ufffd\ufffd", " ").lower())
            kept = [
                word
                for word in (
                    word.encode("ascii", "ignore").decode("ascii") for word in words
                )
                if word
            ]
            if len(words) > 1:
                sentences.append(" ".join(kept))
    return " ".join(sentences)


def _prepare(image: Image.Image) -> Prepared:
    """Grey, the longer side to 256 by area, padded with black, the middle 224 kept."""
    grey = grey_of(eight_bit(image))
    height, width = grey.shape
    longer = max(width, height)
    new_width, new_height = (
        _SIDE if side == longer else int(side * _SIDE / longer)
        for side in (width, height)
    )
    require_shape(image, new_width, new_height)
    square = padded(by_area(grey, new_width, new_height))
    left, top = (_SIDE - new_width) // 2, (_SIDE - new_height) // 2
    margin = (_SIDE - _CROP) // 2
    cut = square[margin : margin + _CROP, margin : margin + _CROP]
    frame = tuple(
        (edge - margin) / _CROP
        for edge in (left, top, left + new_width, top + new_height)
    )
    return Prepared(np.repeat(cut[None], 3, axis=0), frame)  # type: ignore[arg-type]  # four of them


def grey_of(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W): grey as it is, colour by the truncating 15-bit rule with which libpng
    reads it for the authors.
    """
    if image.mode == "L":
        return np.asarray(image)
    red, green, blue = np.asarray(image).astype(np.int64).transpose(2, 0, 1)
    return np.asarray((9797 * red + 19234 * green + 3737 * blue) >> 15).astype(np.uint8)


def by_area(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """OpenCV's INTER_AREA to the last grey level: areas where it shrinks, its
    fixed-point bilinear where it enlarges.

    Halves are decided by its order of sums and by its precision, so both are kept.
    """
    rows, columns = grey.shape
    if (rows, columns) == (height, width):
        return grey
    if (rows, columns) == (
        2 * height,
        2 * width,
    ):  # it has a faster way there, which rounds halves up
        fours = grey.reshape(height, 2, width, 2).sum(axis=(1, 3), dtype=np.uint16)
        return np.asarray((fours + 2) >> 2, dtype=np.uint8)
    if width <= columns and height <= rows:
        across = _weighted(grey.T.astype(np.float32), *_shares(columns, width)).T
        return np.clip(
            np.rint(_weighted(across, *_shares(rows, height))), 0, 255
        ).astype(np.uint8)
    first, second, near, far = _between(columns, width)
    pixels = grey.astype(np.int64)
    across_fixed = pixels[:, first] * near + pixels[:, second] * far
    first, second, near, far = (
        part[:, None] if part.ndim == 1 else part for part in _between(rows, height)
    )
    above, below = across_fixed[first[:, 0]] >> 4, across_fixed[second[:, 0]] >> 4
    found = (((near * above) >> 16) + ((far * below) >> 16) + 2) >> 2
    return np.asarray(np.clip(found, 0, 255), dtype=np.uint8)


def _weighted(
    rows: NDArray[np.float32], taps: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sums of weighted rows, tap after tap in float32."""
    found = rows[taps[:, 0]] * weights[:, :1]
    for tap in range(1, taps.shape[1]):
        found += rows[taps[:, tap]] * weights[:, tap : tap + 1]
    return found


def _shares(before: int, after: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each new pixel the source pixels that it covers, and its share of each;
    unused taps weigh nothing.
    """
    scale = 1 / (after / before)
    edges = np.arange(after) * scale
    taps = np.floor(edges)[:, None].astype(np.int64) + np.arange(
        int(np.ceil(scale)) + 1
    )
    inside = np.minimum(edges[:, None] + scale, taps + 1) - np.maximum(
        edges[:, None], taps
    )
    inside[inside <= 1e-3] = 0  # slivers are left out there
    cells = np.minimum(scale, before - edges)[:, None]
    return np.clip(taps, 0, before - 1), (inside / cells).astype(np.float32)


def _between(before: int, after: int) -> tuple[NDArray[np.int64], ...]:
    """For each new pixel its two source pixels and their weights of 2048ths."""
    enlarged, new = after / before, np.arange(after)
    first = np.floor(new * (1 / enlarged)).astype(
        np.int64
    )  # not before / after: its rounding is another
    share = ((new + 1) - (first + 1) * enlarged).astype(np.float32)
    share = np.where(share <= 0, np.float32(0), share - np.floor(share))
    share[first >= before - 1] = 0
    near, far = (
        np.rint(part * np.float32(2048)).astype(np.int64) for part in (1 - share, share)
    )
    return np.clip(first, 0, before - 1), np.clip(first + 1, 0, before - 1), near, far


def padded(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """In the middle of a black square of 256; an odd pixel goes right and below."""
    height, width = grey.shape
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    return np.pad(grey, ((top, _SIDE - height - top), (left, _SIDE - width - left)))


def _picture(_: str, __: Mapping[str, Tensor], ___: LoadRequest) -> Picture:
    return Picture(_prepare, _CROP, (0.5,) * 3, (0.5,) * 3)


def _tokens(
    name: str, tensors: Mapping[str, Tensor], request: LoadRequest
) -> WordPieces:
    rows, positions = table_size(tensors, f"{_BERT}embeddings.")
    return load_word_pieces(
        name,
        CLINICAL_BERT,
        request,
        rows=rows,
        positions=positions,
        context=_CONTEXT,
        clean=clean,
    )


GLORIA = Recipe(
    licence="Apache-2.0",
    anchor="gloria.img_encoder.global_embedder.weight",
    tensors=_tensors,
    network=_Network,
    images=lambda network: network.img_encoder,
    texts=lambda network: network.text_encoder,
    picture=_picture,
    tokens=_tokens,
)
"""Option: `context_length` (97, to 512)."""
