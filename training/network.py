"""The reference network: a small CLIP, started so that it learns within minutes on a CPU."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from training.text import CONTEXT

SIZE, PATCH = 96, 12
MEAN, STD = 0.45, 0.26
_WIDTH = 160


def build_network(tokenizer: PreTrainedTokenizerFast) -> CLIPModel:
    """A CLIP of about two million parameters; eager attention, whose backward pass is faster on a CPU."""
    tokens = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "max_position_embeddings": CONTEXT,
    }
    text = _tower(128, 3, 4) | tokens
    vision = _tower(_WIDTH, 4, 5) | {"image_size": SIZE, "patch_size": PATCH}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=128, attn_implementation="eager")
    model = CLIPModel(config)
    with torch.no_grad():
        _place_patches(model.vision_model.embeddings.position_embedding.weight)
        for name, weight in model.vision_model.named_parameters():
            if name.endswith(("q_proj.weight", "k_proj.weight")):
                # Sharper attention from the start: otherwise the tower averages over the picture for long.
                weight.mul_(4)
    return model


def normalise(pictures: Tensor) -> Tensor:
    """(batch, size, size) grey levels 0..255 to the (batch, 3, size, size) input of the vision tower."""
    scaled = (pictures.float() / 255 - MEAN) / STD
    return scaled[:, None].expand(-1, 3, -1, -1)


def embed_images(model: CLIPModel, pixels: Tensor) -> Tensor:
    """(batch, 128) unit rows."""
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    return nn.functional.normalize(model.visual_projection(pooled).float(), dim=-1)


def embed_texts(model: CLIPModel, ids: Tensor) -> Tensor:
    """(batch, 128) unit rows. Attention is causal and the end pools, so padding behind it needs no mask."""
    pooled = model.text_model(input_ids=ids).pooler_output
    return nn.functional.normalize(model.text_projection(pooled).float(), dim=-1)


def _tower(width: int, layers: int, heads: int) -> dict[str, object]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "projection_dim": 128,
    }


def _place_patches(weight: Tensor) -> None:
    """Start the (1 + patches, width) position table with sines and cosines of each patch's row and column."""
    side, quarter = SIZE // PATCH, weight.shape[1] // 4
    place = torch.arange(side, dtype=torch.float32) * 8 / side
    waves = place[:, None] * 3 / 50 ** (torch.arange(quarter) / quarter)
    y, x = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    table = torch.cat([y.sin(), y.cos(), x.sin(), x.cos()], dim=-1).reshape(side * side, 4 * quarter)
    weight[1:] = 0.5 * table
    nn.init.normal_(weight[:1], std=1 / math.sqrt(weight.shape[1]))
