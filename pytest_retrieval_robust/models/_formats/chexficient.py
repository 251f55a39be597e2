"""CheXficient (Wang et al., 2026): DINOv2's ViT-B/14 with Bio_ClinicalBERT.

After https://github.com/cwangrun/CheXficient (93b55e9, MIT), as the authors evaluate it:
the class token of a DINOv2 without registers for an image, the last token's state for a
text, 256 tokens, each through one linear layer; short side to 378 pixels (bicubic),
centre crop, CLIP's constants. The prototypes of their training are not read.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import BertTokenizerFast

from .. import LoadRequest
from .._files.weights_file import weights_in
from .openai_clip import clip_ways
from .pictures import Picture
from .recipe import Recipe
from .towers import bert, last_state, require_signs, vision_sizes
from .wordpiece import CLINICAL_BERT, bert_tokens

_VISION = "image_encoder.model."
_BERT = "text_encoder.model."
_CONTEXT = 256
_SIGNS = (
    f"{_VISION}patch_embed.proj.weight",
    f"{_VISION}pos_embed",
    f"{_BERT}embeddings.word_embeddings.weight",
    f"{_BERT}embeddings.position_embeddings.weight",
    "image_projection.projection.weight",
    "text_projection.projection.weight",
)
_TRAINING = (
    # DINOv2's own training hid patches by it.
    f"{_VISION}mask_token",
    "prototype",
    "step_count",
    "batch_prototype_updates",
    "batch_update_weight_stats",
    "pending_ema_",
)


class _Images(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        from timm import create_model

        sizes = vision_sizes(tensors, _VISION)
        # The value only says that layers are scaled: the file has the scales.
        self.model = create_model(
            "vit_base_patch14_dinov2", num_classes=0, init_values=1.0, **sizes.arguments
        )

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.model(pixels)
        return rows


class _Texts(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.model = bert(tensors, _BERT)

    def forward(self, ids: Tensor) -> Tensor:
        # The last token is [SEP], because nothing is padded.
        return last_state(self.model, ids)[:, -1]


class _Projection(nn.Module):
    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        outputs, features = weight.shape
        self.projection = nn.Linear(features, outputs)

    def forward(self, features: Tensor) -> Tensor:
        rows: Tensor = self.projection(features)
        return rows


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        require_signs("CheXficient", tensors, _SIGNS)
        self.image_encoder = _Images(tensors)
        self.text_encoder = _Texts(tensors)
        self.image_projection = _Projection(
            tensors["image_projection.projection.weight"]
        )
        self.text_projection = _Projection(tensors["text_projection.projection.weight"])
        self.logit_scale = nn.Parameter(torch.zeros(()))


def _picture(_: str, tensors: Mapping[str, Tensor], __: LoadRequest) -> Picture:
    return clip_ways(vision_sizes(tensors, _VISION).side)["openai"]


CHEXFICIENT = Recipe(
    licence="MIT",
    anchor="image_projection.projection.weight",
    tensors=weights_in,
    network=_Network,
    images=lambda network: nn.Sequential(
        network.image_encoder, network.image_projection
    ),
    texts=lambda network: nn.Sequential(network.text_encoder, network.text_projection),
    picture=_picture,
    tokens=bert_tokens(
        CLINICAL_BERT,
        _BERT,
        context=_CONTEXT,
        # Its repository may hold tokenizer.json alone, which this class reads.
        reader=BertTokenizerFast,
    ),
    unused=_TRAINING,
)
"""Option: `context_length` (256, to 512)."""
