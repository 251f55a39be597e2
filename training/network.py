"""The reference networks: small towers, started so that they learn within minutes on a CPU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from training.recipes import SIZE
from training.text import CONTEXT

PATCH = 12
PROJECTION = 128
MEAN = 0.45
STD = 0.26
_WIDTH = 160


class Towers(nn.Module):
    """An image and a text tower behind one interface; `inner` is what gets saved."""

    logit_scale: Tensor

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def images(self, pixels: Tensor) -> Tensor:
        """(batch, 3, size, size) normalised pixels to (batch, 128) unit rows."""
        raise NotImplementedError

    def texts(self, ids: Tensor) -> Tensor:
        """(batch, tokens) ids to (batch, 128) unit rows.

        Causal attention, pooled at the end: padding needs no mask.
        """
        raise NotImplementedError


class ClipTowers(Towers):
    """A `transformers` CLIPModel of about two million parameters."""

    inner: CLIPModel

    def images(self, pixels: Tensor) -> Tensor:
        pooled = self.inner.vision_model(pixel_values=pixels).pooler_output
        return nn.functional.normalize(
            self.inner.visual_projection(pooled).float(), dim=-1
        )

    def texts(self, ids: Tensor) -> Tensor:
        pooled = self.inner.text_model(input_ids=ids).pooler_output
        return nn.functional.normalize(
            self.inner.text_projection(pooled).float(), dim=-1
        )

    @property
    def logit_scale(self) -> Tensor:  # type: ignore[override]
        return self.inner.logit_scale  # type: ignore[no-any-return]


class OpenClipTowers(Towers):
    """open_clip's residual network with attention pooling, and its text transformer."""

    inner: Any

    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        # Four times as fast on a CPU.
        self.inner.visual.to(memory_format=torch.channels_last)

    def images(self, pixels: Tensor) -> Tensor:
        last = pixels.contiguous(memory_format=torch.channels_last)
        return nn.functional.normalize(self.inner.encode_image(last).float(), dim=-1)

    def texts(self, ids: Tensor) -> Tensor:
        # What `encode_text` does, for contexts of any length, and in float32: torch's
        # fused attention is slow in bfloat16 on a CPU. The end has the highest id.
        inner = self.inner
        length = ids.shape[1]
        with torch.autocast("cpu", enabled=False):
            rows = inner.token_embedding(ids) + inner.positional_embedding[:length]
            causal = inner.attn_mask[:length, :length]
            rows = inner.ln_final(inner.transformer(rows, attn_mask=causal))
            ends = rows[torch.arange(len(ids)), ids.argmax(dim=1)]
            pooled = ends @ inner.text_projection
        return nn.functional.normalize(pooled, dim=-1)

    @property
    def logit_scale(self) -> Tensor:  # type: ignore[override]
        return self.inner.logit_scale  # type: ignore[no-any-return]


def build_towers(kind: str, tokenizer: PreTrainedTokenizerFast) -> Towers:
    """The untrained towers of a recipe's `network`."""
    return _clip(tokenizer) if kind == "clip" else _open_clip(tokenizer)


def on_unit_scale(pictures: NDArray[np.uint8]) -> Tensor:
    """(batch, size, size[, 3]) grey levels or RGB to (batch, 3, size, size) on the 0..1 scale."""
    scaled = torch.from_numpy(pictures).float() / 255
    if scaled.ndim == 4:
        return scaled.permute(0, 3, 1, 2)
    return scaled[:, None].expand(-1, 3, -1, -1)


def normalise(pixels: Tensor) -> Tensor:
    """What an image tower takes, from (batch, 3, size, size) pixels on the 0..1 scale."""
    return (pixels - MEAN) / STD


def open_clip_config(vocabulary: int) -> dict[str, Any]:
    """The architecture in open_clip's own JSON.

    A tokenizer beside it is loaded by the folder's path.
    """
    return {
        "embed_dim": PROJECTION,
        "vision_cfg": {
            "image_size": SIZE,
            "layers": [2, 2, 2, 1],
            "width": 16,
            "head_width": 16,
            "patch_size": None,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": vocabulary,
            "width": 128,
            "heads": 4,
            "layers": 3,
            "hf_tokenizer_name": "tokenizer in this folder",
        },
    }


def _open_clip(tokenizer: PreTrainedTokenizerFast) -> OpenClipTowers:
    config = open_clip_config(len(tokenizer))
    # The network is built without a tokenizer, which is not saved yet.
    text = dict(config["text_cfg"])
    del text["hf_tokenizer_name"]
    network = open_clip.CLIP(
        embed_dim=config["embed_dim"], vision_cfg=config["vision_cfg"], text_cfg=text
    )
    return OpenClipTowers(network)


def _clip(tokenizer: PreTrainedTokenizerFast) -> ClipTowers:
    """Eager attention: its backward pass is faster on a CPU."""
    tokens = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "max_position_embeddings": CONTEXT,
    }
    text = _tower(128, 3, 4) | tokens
    vision = _tower(_WIDTH, 4, 5) | {"image_size": SIZE, "patch_size": PATCH}
    config = CLIPConfig(
        text_config=text,
        vision_config=vision,
        projection_dim=PROJECTION,
        attn_implementation="eager",
    )
    model = CLIPModel(config)
    with torch.no_grad():
        _place_patches(model.vision_model.embeddings.position_embedding.weight)
        for name, weight in model.vision_model.named_parameters():
            if name.endswith(("q_proj.weight", "k_proj.weight")):
                # Sharper attention from the start: otherwise the tower averages over
                # the picture for long.
                weight.mul_(4)
    return ClipTowers(model)


def _tower(width: int, layers: int, heads: int) -> dict[str, object]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "projection_dim": PROJECTION,
        # One kernel; CLIP's own quick_gelu takes three, and a tenth of the training time.
        "hidden_act": "gelu",
    }


def _place_patches(weight: Tensor) -> None:
    """Start the (1 + patches, width) position table with waves over rows and columns."""
    side = SIZE // PATCH
    quarter = weight.shape[1] // 4
    steps = torch.arange(side, dtype=torch.float32) * 8 / side
    waves = steps[:, None] * 3 / 50 ** (torch.arange(quarter) / quarter)
    y = waves[:, None].expand(-1, side, -1)
    x = waves[None].expand(side, -1, -1)
    table = torch.cat([y.sin(), y.cos(), x.sin(), x.cos()], dim=-1).reshape(
        side * side, 4 * quarter
    )
    weight[1:] = 0.5 * table
    nn.init.normal_(weight[:1], std=1 / math.sqrt(weight.shape[1]))
