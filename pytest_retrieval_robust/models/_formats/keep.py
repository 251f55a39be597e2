"""KEEP (Zhou et al., Cancer Cell 2026): a ViT-L/16 and a BERT for pathology.

After the authors' repository (MAGIC-AI4Med/KEEP, a346a70): the class token through a
projection of two layers for an image, BERT's pooled output without one for a text, 256
tokens; short side to 224 (bicubic), centre crop, the constants of ImageNet. Their
configuration is code, which is not run: sizes are read from the weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL.Image import Resampling
from torch import Tensor, nn
from transformers import BertTokenizerFast

from .. import LoadRequest
from .._files.weights_file import weights_in
from .pictures import Picture, resize_and_crop
from .recipe import Recipe
from .towers import bert, require_signs, vision_sizes
from .wordpiece import bert_tokens

REPOSITORY = "Astaxanthin/KEEP"
_BERT = "text."
_CONTEXT = 256
_SIGNS = (
    "visual_head.2.weight",
    "visual.patch_embed.proj.weight",
    "visual.pos_embed",
    "text.embeddings.word_embeddings.weight",
    "text.embeddings.position_embeddings.weight",
    "text.pooler.dense.weight",
)
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class _Images(nn.Module):
    """The tower and its head, which the file keeps apart."""

    def __init__(self, visual: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.visual = visual
        self.head = head

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.head(self.visual(pixels))
        return rows


class _Texts(nn.Module):
    def __init__(self, text: nn.Module) -> None:
        super().__init__()
        self.text = text

    def forward(self, ids: Tensor) -> Tensor:
        rows: Tensor = self.text(input_ids=ids).pooler_output
        return rows


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        from timm import create_model

        require_signs("KEEP", tensors, _SIGNS)
        sizes = vision_sizes(tensors, "visual.")
        # The value only says that layers are scaled: the file has the scales.
        self.visual = create_model(
            "vit_large_patch16_224", num_classes=0, init_values=1e-5, **sizes.arguments
        )
        outputs = tensors["visual_head.2.weight"].shape[0]
        self.visual_head = nn.Sequential(
            nn.Linear(sizes.width, outputs), nn.GELU(), nn.Linear(outputs, outputs)
        )
        self.text = bert(tensors, _BERT)
        self.logit_scale = nn.Parameter(torch.zeros(()))


def _picture(_: str, tensors: Mapping[str, Tensor], __: LoadRequest) -> Picture:
    side = vision_sizes(tensors, "visual.").side
    prepare = resize_and_crop(side, side, Resampling.BICUBIC)
    return Picture(prepare, side, _MEAN, _STD)


KEEP = Recipe(
    licence="MIT",
    anchor="visual_head.2.weight",
    tensors=weights_in,
    network=_Network,
    images=lambda network: _Images(network.visual, network.visual_head),
    texts=lambda network: _Texts(network.text),
    picture=_picture,
    tokens=bert_tokens(REPOSITORY, _BERT, context=_CONTEXT, reader=BertTokenizerFast),
)
"""Option: `context_length` (256, to 512)."""
