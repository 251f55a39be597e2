"""MedProbCLIP: a vision transformer and BiomedBERT that give distributions.

Ranked by the authors' own match score, after their repository (ff80f22). A row holds a
mean and a log variance, (B, 1024), and is not of length 1. The score of a pair is
-a d + b with d = 1/2 sum((m - n)^2 / (s + t) + log(s + t + 1e-6)), where s and t are the
two variances. The cosine of the means ranks differently. On a GPU the authors ran the
encoders in half precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from PIL.Image import Resampling
from torch import Tensor, nn

from .. import LoadRequest, ModelCard
from .._files.weights_file import weights_in
from .composed import ComposedEncoder, Parts
from .pictures import Picture, resize_and_crop
from .recipe import Recipe
from .towers import bert, last_state
from .wordpiece import BIOMED_BERT, bert_tokens

_BERT = "txt_enc.bert."
_WIDTH = 512
_CONTEXT = 256
_SIDE = 224
_LARGEST_LOG = 6.0
_LEAST_VARIANCE = 1e-6
_LEAST_SCALE = 1e-3
_TILE_VALUES = 1 << 24
"""How many differences of means a step of scoring may hold: 64 MB."""


class _Projection(nn.Module):
    """One linear layer for both halves; the log variance is clamped."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(768, 2 * _WIDTH)

    def forward(self, features: Tensor) -> Tensor:
        # Clamped as in the authors' code, so that no variance under- or overflows.
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
        self.img_enc = _Images()
        self.txt_enc = _Texts(tensors)
        # The learned scale and offset of the score, by the names of the file.
        self.a = nn.Parameter(torch.ones(()))
        self.b = nn.Parameter(torch.zeros(()))


class MedProbClip(ComposedEncoder):
    """A `ComposedEncoder` of distributions that scores pairs itself.

    `scale` and `offset` are the learned a and b of the score.
    """

    def __init__(
        self,
        name: str,
        card: ModelCard,
        request: LoadRequest,
        parts: Parts,
        *,
        scale: float,
        offset: float,
    ) -> None:
        super().__init__(name, card, request, parts)
        self._scale = max(scale, _LEAST_SCALE)
        self._offset = offset

    def _rows(self, features: Tensor) -> Tensor:
        return features.float()

    def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
        """(Q, 1024) and (G, 1024) rows -> (Q, G) match scores, float32.

        Symmetric in its two sides.
        """
        # The differences of all pairs are (Q, G, 512): a few queries at a time, to bound memory.
        step = max(1, _TILE_VALUES // (len(gallery) * _WIDTH))
        distances = [
            _distance(queries[start : start + step], gallery)
            for start in range(0, len(queries), step)
        ]
        return self._offset - self._scale * torch.cat(distances)


def _distance(queries: Tensor, gallery: Tensor) -> Tensor:
    query_mean, query_variance = _moments(queries)
    gallery_mean, gallery_variance = _moments(gallery)
    variance = query_variance[:, None] + gallery_variance[None]
    # In place, because each of these is as large as a step may be.
    squared = (query_mean[:, None] - gallery_mean[None]).square_()
    log_variance = (variance + _LEAST_VARIANCE).log_()
    return 0.5 * (squared.div_(variance) + log_variance).sum(dim=-1)


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the variance of each row's distribution."""
    mean, log_variance = rows.float().chunk(2, dim=-1)
    return mean, log_variance.exp().clamp_min(_LEAST_VARIANCE)


def _picture(_: str, __: Mapping[str, Tensor], ___: LoadRequest) -> Picture:
    prepare = resize_and_crop(_SIDE, _SIDE, Resampling.BICUBIC, grey=True)
    return Picture(prepare, _SIDE, mean=(0.5,) * 3, std=(0.25,) * 3)


MEDPROBCLIP = Recipe(
    licence="MIT",
    anchor="txt_enc.proj.net.weight",
    tensors=weights_in,
    network=_Network,
    images=lambda network: network.img_enc,
    texts=lambda network: network.txt_enc,
    picture=_picture,
    tokens=bert_tokens(
        f"{BIOMED_BERT}-fulltext",
        _BERT,
        context=_CONTEXT,
        clean=lambda text: " ".join(text.split()),
    ),
    encoder=lambda network: partial(
        MedProbClip, scale=float(network.a), offset=float(network.b)
    ),
)
"""Option: `context_length` (256, to 512)."""
