"""DermLIP PanDerm (Yan et al., ICCV 2025): PanDerm's ViT-B/16 and PubMedBERT.

After the authors' fork of open_clip (SiyuanYan1/Derm1M, 92d8fa9). open_clip itself
refuses their configuration, which names a tower of their own: a BEiT with fixed
positions. The mean of its patches passes the last norm twice, before and after it is
taken, and so it does here. A text is the mean of all its states through a projection of
two layers; 256 tokens. Images as in CLIP, which is what the fork's defaults are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from open_clip.tokenizer import basic_clean, whitespace_clean
from timm.models.beit import Beit
from torch import Tensor, nn
from transformers import BertTokenizerFast

from .. import LoadRequest
from .._files.weights_file import weights_in
from .openai_clip import clip_ways
from .pictures import Picture
from .recipe import Recipe
from .towers import bert, last_state, require_signs, vision_sizes
from .wordpiece import bert_tokens

TOKENIZER = "neuml/pubmedbert-base-embeddings"
_BERT = "text.transformer."
_CONTEXT = 256
_SIGNS = (
    "visual.blocks.0.attn.qkv.weight",
    "visual.patch_embed.proj.weight",
    "visual.pos_embed",
    "visual.head.weight",
    "text.proj.2.weight",
    "text.transformer.embeddings.word_embeddings.weight",
    "text.transformer.embeddings.position_embeddings.weight",
)


class _Images(Beit):  # type: ignore[misc]
    """BEiT with PanDerm's way from its patches to a row."""

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.forward_features(pixels)[:, 1:]
        rows: Tensor = self.head(self.norm(patches.mean(dim=1)))
        return rows


class _Texts(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.transformer = bert(tensors, _BERT)
        outputs, middle = tensors["text.proj.2.weight"].shape
        self.proj = nn.Sequential(
            nn.Linear(self.transformer.config.hidden_size, middle, bias=False),
            nn.GELU(),
            nn.Linear(middle, outputs, bias=False),
        )

    def forward(self, ids: Tensor) -> Tensor:
        # Nothing is padded, so that the mean is over the text's own tokens.
        rows: Tensor = self.proj(last_state(self.transformer, ids).mean(dim=1))
        return rows


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        require_signs("DermLIP PanDerm", tensors, _SIGNS)
        sizes = vision_sizes(tensors, "visual.")
        self.visual = _Images(
            **sizes.arguments,
            num_classes=tensors["visual.head.weight"].shape[0],
            # Neither a pooling nor a norm of its own: see `_Images`.
            global_pool="",
            # The value only says that layers are scaled: the file has the scales.
            init_values=0.1,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        )
        self.text = _Texts(tensors)
        self.logit_scale = nn.Parameter(torch.zeros(()))


def _picture(_: str, tensors: Mapping[str, Tensor], __: LoadRequest) -> Picture:
    return clip_ways(vision_sizes(tensors, "visual.").side)["openai"]


DERMLIP_PANDERM = Recipe(
    licence="CC BY-NC 4.0 (non-commercial)",
    anchor="visual.patch_embed.proj.weight",
    tensors=weights_in,
    network=_Network,
    images=lambda network: network.visual,
    texts=lambda network: network.text,
    picture=_picture,
    tokens=bert_tokens(
        TOKENIZER,
        _BERT,
        context=_CONTEXT,
        clean=lambda text: str(whitespace_clean(basic_clean(text))),
        reader=BertTokenizerFast,
    ),
)
"""Option: `context_length` (256, to 512)."""
