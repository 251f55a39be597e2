"""MedProbCLIP: a vision transformer and BiomedBERT that give distributions, ranked by
the authors' own match score.

After the authors' repository (ff80f22). A row holds a mean and a log variance, (B,
1024), and is not of length 1; the score of a pair is -a d + b with d = 1/2 sum((m -
n)^2 / (s + t) + log(s + t + 1e-6)), s and t the two variances. The cosine of the means
ranks differently. On a GPU the authors ran the encoders in half precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from PIL.Image import Resampling
from torch import Tensor, nn

from .. import LoadRequest
from .._files.weights_file import weights_in
from .composed import ComposedEncoder
from .pictures import Picture, resize_and_crop
from .recipe import Recipe
from .towers import bert, last_state, table_size
from .wordpiece import BIOMED_BERT, WordPieces, load_word_pieces

_BERT = "txt_enc.bert."
_WIDTH, _CONTEXT, _LARGEST_LOG = 512, 256, 6.0
_LEAST_VARIANCE, _LEAST_SCALE = 1e-6, 1e-3
_TILE_VALUES = 1 << 24
"""How many differences a tile of scores may hold at a time: 64 MB."""


class _Projection(nn.Module):
    """One linear layer for both halves; the log variance is clamped."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(768, 2 * _WIDTH)

    def forward(self, features: Tensor) -> Tensor:
        mean, log_variance = self.net(features).chunk(2, dim=-1)
        return torch.cat(
            [mean, log_variance.clamp(-_LARGEST_LOG, _LARGEST_LOG)], dim=-1
        )


class _Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from timm import create_model

        # The mean of the patches, the class token left out, and a norm after it.
        self.backbone = create_model(
            "vit_base_patch16_224", pretrained=False, num_classes=0, global_pool="avg"
        )
        self.proj = _Projection()

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.proj(self.backbone(pixels))
        return rows


class _Texts(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.bert = bert(tensors, _BERT)
        self.proj = _Projection()

    def forward(self, ids: Tensor) -> Tensor:
        rows: Tensor = self.proj(last_state(self.bert, ids)[:, 0])
        return rows


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.img_enc, self.txt_enc = _Images(), _Texts(tensors)
        self.a, self.b = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))


class MedProbClip(ComposedEncoder):
    """A `ComposedEncoder` of distributions; `scale` and `offset` are the learned a and
    b of the score.
    """

    def __init__(self, *parts: Any, scale: float, offset: float, **named: Any) -> None:
        super().__init__(*parts, **named)
        self._scale, self._offset = max(scale, _LEAST_SCALE), offset

    def _rows(self, features: Tensor) -> Tensor:
        return features.float()

    def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
        """(Q, 1024) and (G, 1024) rows -> (Q, G) match scores, float32; symmetric in
        its two sides.
        """
        step = max(1, _TILE_VALUES // (len(gallery) * _WIDTH))
        parts = [
            self._distance(queries[start : start + step], gallery)
            for start in range(0, len(queries), step)
        ]
        return self._offset - self._scale * torch.cat(parts)

    def _distance(self, queries: Tensor, gallery: Tensor) -> Tensor:
        (mean, variance), (other, its_variance) = _moments(queries), _moments(gallery)
        both = variance[:, None] + its_variance[None]
        squared = (mean[:, None] - other[None]).square_()
        return 0.5 * (squared.div_(both) + (both + _LEAST_VARIANCE).log_()).sum(dim=-1)


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_variance = rows.float().chunk(2, dim=-1)
    return mean, log_variance.exp().clamp_min(_LEAST_VARIANCE)


def _tokens(
    name: str, tensors: Mapping[str, Tensor], request: LoadRequest
) -> WordPieces:
    rows, positions = table_size(tensors, f"{_BERT}embeddings.")
    return load_word_pieces(
        name,
        f"{BIOMED_BERT}-fulltext",
        request,
        rows=rows,
        positions=positions,
        context=min(_CONTEXT, positions),
        clean=lambda text: " ".join(text.split()),
    )


def _picture(_: str, __: Mapping[str, Tensor], ___: LoadRequest) -> Picture:
    return Picture(
        resize_and_crop(224, 224, Resampling.BICUBIC, grey=True),
        224,
        (0.5,) * 3,
        (0.25,) * 3,
    )


MEDPROBCLIP = Recipe(
    licence="MIT",
    anchor="txt_enc.proj.net.weight",
    tensors=weights_in,
    network=_Network,
    images=lambda network: network.img_enc,
    texts=lambda network: network.txt_enc,
    picture=_picture,
    tokens=_tokens,
    encoder=lambda network: partial(
        MedProbClip, scale=float(network.a), offset=float(network.b)
    ),
)
"""Option: `context_length` (256, to 512)."""
