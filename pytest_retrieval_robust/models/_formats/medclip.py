"""MedCLIP (Wang et al., 2022): ResNet-50 or Swin-Tiny with Bio_ClinicalBERT.

From the authors' files, after https://github.com/RyanWangZf/MedCLIP. In their code a
text's feature depends on the padding of its batch. Every text is encoded without
padding, as if alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL.Image import Resampling
from torch import Tensor, nn

from .. import LoadRequest
from .._files.weights_file import weights_in
from .pictures import Picture, pad_and_resize
from .recipe import Recipe, chosen
from .towers import bert, hidden_states, renamed_swin, resnet50, swin_tiny
from .wordpiece import CLINICAL_BERT, bert_tokens

_SWIN = "vision_model.model."
_BERT = "text_model.model."
_CONTEXT = 77
_LAYERS = (1, 2, 12)
_FILTERS = {"processor": Resampling.BICUBIC, "dataset": Resampling.BILINEAR}
_SIDE = 224
# The authors' statistics of grey values.
_MEAN = 0.5862785803043838
_STD = 0.27950088968644304


class _Images(nn.Module):
    """ResNet-50 whose last layer is the projection, or Swin's pooled output and a
    projection; one grey channel.
    """

    def __init__(self, swin: bool) -> None:
        super().__init__()
        self.model = swin_tiny() if swin else resnet50(512)
        if swin:
            self.projection_head = nn.Linear(768, 512, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        # In ResNet-50 the last layer is the projection.
        if hasattr(self, "projection_head"):
            rows: Tensor = self.projection_head(self.model(pixels).pooler_output)
        else:
            rows = self.model(pixels)
        return rows


class _Texts(nn.Module):
    """The mean over all positions of layers 1, 2 and 12, then the mean of the three,
    then a projection.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.model = bert(tensors, _BERT)
        self.projection_head = nn.Linear(768, 512, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        states = hidden_states(self.model, ids)
        means = torch.stack([states[layer] for layer in _LAYERS]).mean(dim=(0, 2))
        rows: Tensor = self.projection_head(means)
        return rows


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        # Only the Swin variant has a projection of its own.
        self.vision_model = _Images("vision_model.projection_head.weight" in tensors)
        self.text_model = _Texts(tensors)
        self.logit_scale = nn.Parameter(torch.zeros(()))


def _picture(name: str, _: Mapping[str, Tensor], request: LoadRequest) -> Picture:
    filter_ = chosen(name, request, _FILTERS)
    return Picture(pad_and_resize(_SIDE, filter_), _SIDE, (_MEAN,) * 3, (_STD,) * 3)


MEDCLIP = Recipe(
    licence="BSD (setup.py of the authors' repository; it has no licence file)",
    anchor="text_model.projection_head.weight",
    tensors=lambda content: renamed_swin(weights_in(content), _SWIN),
    network=_Network,
    images=lambda network: network.vision_model,
    texts=lambda network: network.text_model,
    picture=_picture,
    tokens=bert_tokens(CLINICAL_BERT, _BERT, context=_CONTEXT),
)
"""Options: `preprocessing` and `context_length` (77, to 512).

`preprocessing` is "processor" (bicubic, the authors' MedCLIPProcessor; default) or
"dataset" (bilinear, their training and evaluation data sets).
"""
