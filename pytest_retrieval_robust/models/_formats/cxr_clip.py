"""CXR-CLIP (You et al., 2023): ResNet-50 or Swin-Tiny with Bio_ClinicalBERT.

From the authors' files, after https://github.com/Soombit-ai/cxr-clip, as they evaluate
it: 256 tokens, the last token's state for a text, and for Swin the state of token 0,
which is the top left cell of its 7 x 7 grid and no class token.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL.Image import Resampling
from torch import Tensor, nn

from .. import LoadRequest
from .._files.weights_file import weights_in
from .pictures import Picture, resize_and_crop
from .recipe import Recipe
from .towers import bert, last_state, renamed_swin, resnet50, swin_tiny
from .wordpiece import CLINICAL_BERT, bert_tokens

_SWIN = "image_encoder.image_encoder."
_BERT = "text_encoder.text_encoder."
_CONTEXT = 256
_SIDE = 224
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_HALF = (0.5,) * 3


class _ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.resnet = resnet50(None)

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.resnet(pixels)
        return rows


class _Swin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = swin_tiny()

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.image_encoder(pixels).last_hidden_state[:, 0]
        return rows


class _Text(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.text_encoder = bert(tensors, _BERT)

    def forward(self, ids: Tensor) -> Tensor:
        # The last token is [SEP], because nothing is padded.
        return last_state(self.text_encoder, ids)[:, -1]


class _Projection(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.projection = nn.Linear(features, 512)

    def forward(self, features: Tensor) -> Tensor:
        rows: Tensor = self.projection(features)
        return rows


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        # Swin gives 768 features, ResNet-50 gives 2048.
        if _is_swin(tensors):
            self.image_encoder: nn.Module = _Swin()
            self.image_projection = _Projection(768)
        else:
            self.image_encoder = _ResNet()
            self.image_projection = _Projection(2048)
        self.text_encoder = _Text(tensors)
        self.text_projection = _Projection(768)
        self.logit_scale = nn.Parameter(torch.zeros(()))


def _is_swin(tensors: Mapping[str, Tensor]) -> bool:
    return any(key.startswith(_SWIN) for key in tensors)


def _picture(_: str, tensors: Mapping[str, Tensor], __: LoadRequest) -> Picture:
    # The authors normalise with 0.5 for Swin, and with ImageNet's constants for ResNet-50.
    prepare = resize_and_crop(_SIDE, _SIDE, Resampling.BILINEAR)
    if _is_swin(tensors):
        return Picture(prepare, _SIDE, _HALF, _HALF)
    return Picture(prepare, _SIDE, _IMAGENET_MEAN, _IMAGENET_STD)


CXR_CLIP = Recipe(
    licence="CC BY-NC-SA 4.0 (non-commercial)",
    anchor="text_projection.projection.weight",
    tensors=lambda content: renamed_swin(weights_in(content), _SWIN),
    network=_Network,
    images=lambda network: nn.Sequential(
        network.image_encoder, network.image_projection
    ),
    texts=lambda network: nn.Sequential(network.text_encoder, network.text_projection),
    picture=_picture,
    tokens=bert_tokens(CLINICAL_BERT, _BERT, context=_CONTEXT),
)
"""Option: `context_length` (256, to 512)."""
