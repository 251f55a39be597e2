"""Small checkpoints of KEEP, DermLIP PanDerm and BMC-LongCLIP in their published layouts,
and their authors' forward passes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from timm import create_model
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    BertTokenizer,
    ModernBertConfig,
    ModernBertModel,
)

from . import published
from .real_tokenizers import save_modern_bert

WIDTH = 128
SIDE = 32
OUTPUTS = 24
_BERT = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
}
BERT_ROWS = 400


def filled(module: nn.Module) -> nn.Module:
    """Every weight away from its start, so that none of them can be left out unseen."""
    for name, parameter in module.named_parameters():
        spread = 0.3 if "norm" in name.lower() or "gamma" in name else 0.08
        parameter.data.normal_(0, spread)
        if parameter.ndim == 1 and name.endswith(("weight", "gamma")):
            parameter.data += 1
    return module.eval()


def two_layers(width: int, outputs: int, *, bias: bool) -> nn.Module:
    """A projection of two layers with a GELU between them."""
    middle = outputs if bias else (width + outputs) // 2
    return filled(
        nn.Sequential(
            nn.Linear(width, middle, bias=bias),
            nn.GELU(),
            nn.Linear(middle, outputs, bias=bias),
        )
    )


@dataclass(frozen=True)
class Reference:
    """A checkpoint's parts, and what its authors make of them."""

    parts: dict[str, nn.Module]
    """By the prefix of their keys."""
    tokenizer: Path
    kind: Any = BertTokenizer

    @property
    def state(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {"logit_scale": torch.tensor(3.2)}
        for prefix, part in self.parts.items():
            for key, tensor in part.state_dict().items():
                state[f"{prefix}.{key}"] = tensor.contiguous()
        return state

    def tokens(self, texts: Sequence[str], context: int) -> dict[str, Tensor]:
        """Padded to the context, as all three of them do."""
        words = self.kind.from_pretrained(self.tokenizer)
        tokens = words(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=context,
            return_tensors="pt",
        )
        return {key: tokens[key] for key in ("input_ids", "attention_mask")}


def mean_of_states(states: Tensor, mask: Tensor) -> Tensor:
    """The mean over the tokens that are no padding, as open_clip's `MeanPooler`."""
    return (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


# KEEP


def keep(folder: Path) -> Reference:
    torch.manual_seed(0)
    # The arguments of the authors' own code, with smaller numbers.
    visual = create_model(
        "vit_large_patch16_224",
        pretrained=False,
        img_size=SIDE,
        patch_size=16,
        init_values=1e-5,
        num_classes=0,
        dynamic_img_size=True,
        embed_dim=WIDTH,
        depth=2,
        num_heads=2,
    )
    parts = {
        "visual": filled(visual),
        "visual_head": two_layers(WIDTH, 64, bias=True),
        "text": filled(BertModel(BertConfig(vocab_size=BERT_ROWS, **_BERT))),
    }
    tokenizer = published.save_tokenizer(folder, rows=BERT_ROWS)
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "keep",
                "auto_map": {"AutoModel": "modeling_keep.KEEPModel"},
                "text_config": {"vocab_size": BERT_ROWS, **_BERT},
                "projection_dim": 64,
            }
        )
    )
    # Code of the repository, which nothing here may run.
    (folder / "modeling_keep.py").write_text("raise SystemExit('run')\n")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    return Reference(parts, tokenizer)


@torch.no_grad()
def keep_rows(reference: Reference, pixels: Tensor, texts: Sequence[str]) -> list[Any]:
    """As `encode_image` and `encode_text` of the authors' `modeling_keep.py`."""
    parts = reference.parts
    images = parts["visual_head"](parts["visual"](pixels))
    tokens = reference.tokens(texts, context=64)
    pooled = parts["text"](**tokens).pooler_output
    return [nn.functional.normalize(rows, dim=-1) for rows in (images, pooled)]


# DermLIP PanDerm


class Cae(nn.Module):
    """The parameters of PanDerm's tower under their published names."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (SIDE // 16) ** 2, WIDTH))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, WIDTH, 16, 16)})
        self.blocks = nn.ModuleList(_CaeBlock() for _ in range(2))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Linear(WIDTH, OUTPUTS)


class _CaeBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma_1 = nn.Parameter(torch.zeros(WIDTH))
        self.gamma_2 = nn.Parameter(torch.zeros(WIDTH))
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = nn.ParameterDict(
            {"q_bias": torch.zeros(WIDTH), "v_bias": torch.zeros(WIDTH)}
        )
        self.attn.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.attn.proj = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(WIDTH, 4 * WIDTH), "fc2": nn.Linear(4 * WIDTH, WIDTH)}
        )


def panderm(folder: Path) -> Reference:
    torch.manual_seed(1)
    bert = BertModel(BertConfig(vocab_size=BERT_ROWS, **_BERT), add_pooling_layer=False)
    parts = {
        "visual": filled(Cae()),
        "text.transformer": filled(bert),
        "text.proj": two_layers(64, OUTPUTS, bias=False),
    }
    return Reference(parts, published.save_tokenizer(folder, rows=BERT_ROWS))


@torch.no_grad()
def panderm_rows(
    reference: Reference, pixels: Tensor, texts: Sequence[str]
) -> list[Any]:
    """The tower of `modeling_finetune.py` and the text tower of the fork, written out."""
    visual: Any = reference.parts["visual"]
    patches = visual.patch_embed["proj"](pixels).flatten(2).transpose(1, 2)
    first = visual.cls_token.expand(len(pixels), -1, -1)
    states = torch.cat([first, patches], dim=1) + visual.pos_embed
    for block in visual.blocks:
        states = states + block.gamma_1 * _attention(block.attn, block.norm1(states))
        hidden = nn.functional.gelu(block.mlp["fc1"](block.norm2(states)))
        states = states + block.gamma_2 * block.mlp["fc2"](hidden)
    # One norm, which the authors' code applies to the states and to their mean.
    mean = visual.norm(visual.norm(states)[:, 1:].mean(dim=1))
    tokens = reference.tokens([_clean(text) for text in texts], context=64)
    hidden = reference.parts["text.transformer"](**tokens).last_hidden_state
    pooled = mean_of_states(hidden, tokens["attention_mask"])
    rows = [visual.head(mean), reference.parts["text.proj"](pooled)]
    return [nn.functional.normalize(part, dim=-1) for part in rows]


def _attention(attention: Any, states: Tensor) -> Tensor:
    batch, length, _ = states.shape
    # Keys have no bias.
    bias = torch.cat([attention["q_bias"], torch.zeros(WIDTH), attention["v_bias"]])
    mixed = nn.functional.linear(states, attention.qkv.weight, bias)
    queries, keys, values = mixed.reshape(batch, length, 3, 2, 64).permute(
        2, 0, 3, 1, 4
    )
    weights = (queries * 64**-0.5 @ keys.transpose(-2, -1)).softmax(dim=-1)
    joined: Tensor = attention.proj(
        (weights @ values).transpose(1, 2).reshape(batch, length, WIDTH)
    )
    return joined


def _clean(text: str) -> str:
    """open_clip's cleaning of a text for a tokenizer of transformers."""
    return " ".join(text.replace("&amp;", "&").split())


# BMC-LongCLIP


def longclip(folder: Path) -> Reference:
    torch.manual_seed(2)
    trunk = create_model(
        "vit_large_patch14_clip_224",
        img_size=28,
        embed_dim=WIDTH,
        depth=2,
        num_heads=2,
        num_classes=0,
    )
    tokenizer = save_modern_bert(folder)
    rows = len(AutoTokenizer.from_pretrained(tokenizer)) + 8
    # The settings of ModernBERT's published configuration, but for its sizes.
    bert = ModernBertModel(
        ModernBertConfig(
            vocab_size=rows,
            hidden_size=64,
            intermediate_size=48,
            num_hidden_layers=5,
            num_attention_heads=1,
            max_position_embeddings=8192,
            local_attention=128,
            global_attn_every_n_layers=3,
            global_rope_theta=160000.0,
            local_rope_theta=10000.0,
            norm_eps=1e-5,
            norm_bias=False,
            attention_bias=False,
            mlp_bias=False,
            hidden_activation="gelu",
            pad_token_id=0,
            attn_implementation="eager",
        )
    )
    parts = {
        "visual.trunk": filled(trunk),
        "visual.head.proj": filled(nn.Linear(WIDTH, OUTPUTS, bias=False)),
        "text.transformer": filled(bert),
        "text.proj": two_layers(64, OUTPUTS, bias=False),
    }
    return Reference(parts, tokenizer, AutoTokenizer)


@torch.no_grad()
def longclip_rows(
    reference: Reference, pixels: Tensor, texts: Sequence[str]
) -> list[Any]:
    """As the fork's `TimmModel` and `HFTextEncoder` with their `MeanPooler`."""
    parts = reference.parts
    images = parts["visual.head.proj"](parts["visual.trunk"](pixels))
    tokens = reference.tokens([_clean(text) for text in texts], context=512)
    hidden = parts["text.transformer"](**tokens).last_hidden_state
    pooled = parts["text.proj"](mean_of_states(hidden, tokens["attention_mask"]))
    return [nn.functional.normalize(rows, dim=-1) for rows in (images, pooled)]
