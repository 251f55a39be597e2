"""UniMedCLIP (Khattak et al., 2024): CLIP's vision transformer with BiomedBERT.

From the authors' files, after https://github.com/mbzuai-oryx/UniMed-CLIP (6f09177), a
fork of open_clip: QuickGELU in the image tower, the first token's last state through a
projection of two layers for a text, 256 tokens, CLIP's own transform for images. The
authors load without strictness; this loader requires every weight. Their ViT-L/14 has
the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from open_clip.tokenizer import basic_clean, whitespace_clean
from torch import Tensor, nn

from ...core.errors import ModelError
from .. import LoadRequest
from .._files.identify import looks_like
from .._files.weights_file import weights_in
from .openai_clip import clip_ways, image_tower, side_of
from .pictures import Picture
from .recipe import Recipe
from .towers import bert, last_state
from .wordpiece import BIOMED_BERT, bert_tokens

_BERT = "text_encoder.transformer."
_CONTEXT = 256
_SIGNS = (
    "visual.conv1.weight",
    "visual.proj",
    "visual.positional_embedding",
    "text_encoder.proj.2.weight",
)


class _Texts(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.transformer = bert(tensors, _BERT)
        # The two layers' widths differ between ViT-B/16 and ViT-L/14.
        outputs, middle = tensors["text_encoder.proj.2.weight"].shape
        width = self.transformer.config.hidden_size
        self.proj = nn.Sequential(
            nn.Linear(width, middle, bias=False),
            nn.GELU(),
            nn.Linear(middle, outputs, bias=False),
        )

    def forward(self, ids: Tensor) -> Tensor:
        rows: Tensor = self.proj(last_state(self.transformer, ids)[:, 0])
        return rows


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        # Before any shape is read: these decide the sizes of both towers.
        absent = [key for key in _SIGNS if key not in tensors]
        if absent:
            raise ModelError(
                "Expected a checkpoint of UniMedCLIP, got one that looks like"
                f" {looks_like(tensors)} (no {absent[0]}). Use the authors' file, or"
                " load this one under its own name."
            )
        self.visual = image_tower(tensors)
        self.text_encoder = _Texts(tensors)
        self.logit_scale = nn.Parameter(torch.zeros(()))


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    weights = weights_in(content)
    return {key.removeprefix("module."): tensor for key, tensor in weights.items()}


def _picture(_: str, tensors: Mapping[str, Tensor], __: LoadRequest) -> Picture:
    return clip_ways(side_of(tensors))["openai"]


UNIMEDCLIP = Recipe(
    licence="CC BY-NC 4.0 (non-commercial)",
    anchor="text_encoder.proj.2.weight",
    tensors=_tensors,
    network=_Network,
    images=lambda network: network.visual,
    texts=lambda network: network.text_encoder,
    picture=_picture,
    tokens=bert_tokens(
        BIOMED_BERT,
        _BERT,
        context=_CONTEXT,
        clean=lambda text: str(whitespace_clean(basic_clean(text))),
    ),
)
"""Option: `context_length` (256, to 512)."""
