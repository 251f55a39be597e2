"""XrayCLIP's and CheXficient's published layouts, in small."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel, Dinov2Config, Dinov2Model

from .checkpoints import transformers_keys

SIDE = 48
WIDTH = 64
_MARKS = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
_END = "<|endoftext|>"


def filled(module: nn.Module) -> nn.Module:
    """Every weight away from its start, so that none of them can be left out unseen."""
    for name, parameter in module.named_parameters():
        is_scale = parameter.ndim == 1 and name.endswith(("weight", "lambda1"))
        parameter.data.normal_(1.0 if is_scale else 0.0, 0.1)
    return module.eval()


def save_xray_clip(folder: Path) -> Any:
    """The files of an XrayCLIP repository; the network of open_clip with its weights.

    They began as LAION's weights, whose activation is the plain GELU. There is no
    tokenizer.json.
    """
    torch.manual_seed(0)
    vision: Any = {"image_size": SIDE, "layers": 2, "width": WIDTH, "patch_size": 16}
    text: Any = {"width": WIDTH, "heads": 1, "layers": 2}
    network = open_clip.CLIP(24, vision, text).eval()
    folder.mkdir(parents=True)
    tower = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "hidden_act": "gelu",
    }
    config = {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": 24,
        "text_config": {**tower, "model_type": "clip_text_model"},
        "vision_config": {
            **tower,
            "model_type": "clip_vision_model",
            "image_size": SIDE,
            "patch_size": 16,
        },
    }
    _write(folder / "config.json", config)
    state = transformers_keys(network.state_dict())
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    _save_byte_pairs(folder)
    constants = {
        "image_mean": list(open_clip.OPENAI_DATASET_MEAN),
        "image_std": list(open_clip.OPENAI_DATASET_STD),
    }
    steps = {
        f"do_{step}": True
        for step in ("center_crop", "convert_rgb", "normalize", "rescale", "resize")
    }
    size = {
        "crop_size": {"height": SIDE, "width": SIDE},
        "size": {"shortest_edge": SIDE},
        "resample": 3,
        "rescale_factor": 1 / 255,
    }
    kind = {"image_processor_type": "CLIPImageProcessor"}
    _write(folder / "preprocessor_config.json", {**kind, **steps, **size, **constants})
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    return network


def _save_byte_pairs(folder: Path) -> None:
    pairs = open_clip.tokenizer.SimpleTokenizer()
    words = {_MARKS.get(word, word): number for word, number in pairs.encoder.items()}
    _write(folder / "vocab.json", words)
    merges = "\n".join(" ".join(pair) for pair in pairs.bpe_ranks)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    special = {
        "bos_token": "<|startoftext|>",
        **{f"{name}_token": _END for name in ("eos", "pad", "unk")},
    }
    _write(folder / "special_tokens_map.json", special)
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "do_lower_case": True,
        "model_max_length": 77,
        "errors": "replace",
    }
    _write(folder / "tokenizer_config.json", {**settings, **special})


def _write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")


@dataclass(frozen=True)
class CheXficient:
    """The authors' forward pass over transformers' own networks."""

    vision: Any
    text: Any
    image_projection: nn.Linear
    text_projection: nn.Linear

    @torch.no_grad()
    def images(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised pixels -> unit rows: the class token, projected."""
        states = self.vision(pixel_values=pixels).last_hidden_state
        rows = self.image_projection(states[:, 0])
        unit: Tensor = rows / rows.norm(dim=1, keepdim=True)
        return unit

    @torch.no_grad()
    def texts(self, tokens: Any) -> Tensor:
        """A padded batch of tokens -> unit rows: the last token that is no padding."""
        states = self.text(**tokens).last_hidden_state
        last = tokens["attention_mask"].sum(dim=1) - 1
        rows = self.text_projection(states[torch.arange(len(last)), last])
        unit: Tensor = rows / rows.norm(dim=1, keepdim=True)
        return unit

    def state(self) -> dict[str, Tensor]:
        """The weights under the authors' keys, with what only their training needs."""
        parts = {
            "image_encoder.model": _dinov2_keys(_saved(self.vision)),
            "text_encoder.model": self.text.state_dict(),
            "image_projection.projection": self.image_projection.state_dict(),
            "text_projection.projection": self.text_projection.state_dict(),
        }
        state = {
            f"{prefix}.{key}": value.clone()
            for prefix, part in parts.items()
            for key, value in part.items()
        }
        return {
            **state,
            "logit_scale": torch.tensor(4.6),
            "prototypes": torch.rand(6, 48),
            "prototype_usage": torch.zeros(6),
            "step_count": torch.zeros(1, dtype=torch.long),
            "batch_prototype_updates": torch.zeros(6, 48),
            "batch_update_weight_stats": torch.zeros(1, 2),
            "pending_ema_features": torch.zeros(0, 48),
            "pending_ema_similarities": torch.zeros(0, 6),
        }


def make_chexficient(words: int) -> CheXficient:
    """Random weights of CheXficient's kind: 28 pixels, two layers in each tower."""
    torch.manual_seed(0)
    sizes: Any = {
        "hidden_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    vision = Dinov2Config(**sizes, image_size=28, patch_size=14, mlp_ratio=4)
    text = BertConfig(
        **sizes, intermediate_size=96, vocab_size=words, max_position_embeddings=300
    )
    return CheXficient(
        vision=filled(Dinov2Model(vision)),
        text=filled(BertModel(text)),
        image_projection=nn.Linear(128, 24),
        text_projection=nn.Linear(128, 24),
    )


def _saved(network: Any) -> dict[str, Tensor]:
    """The weights as every version of transformers names them in a file.

    In memory, version 5 has names of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        return load_file(Path(folder) / "model.safetensors")


def _dinov2_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The keys of transformers' DINOv2 as its authors have them: one matrix for q, k, v."""
    renamed = {
        "cls_token": state["embeddings.cls_token"],
        "mask_token": state["embeddings.mask_token"],
        "pos_embed": state["embeddings.position_embeddings"],
    }
    for kind in ("weight", "bias"):
        kernel = f"embeddings.patch_embeddings.projection.{kind}"
        renamed[f"patch_embed.proj.{kind}"] = state[kernel]
        renamed[f"norm.{kind}"] = state[f"layernorm.{kind}"]
        for layer in range(2):
            old = f"encoder.layer.{layer}"
            new = f"blocks.{layer}"
            parts = [
                state[f"{old}.attention.attention.{part}.{kind}"]
                for part in ("query", "key", "value")
            ]
            renamed[f"{new}.attn.qkv.{kind}"] = torch.cat(parts)
            proj = f"{old}.attention.output.dense.{kind}"
            renamed[f"{new}.attn.proj.{kind}"] = state[proj]
            for part in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                renamed[f"{new}.{part}.{kind}"] = state[f"{old}.{part}.{kind}"]
    for layer in range(2):
        for number in (1, 2):
            scale = f"encoder.layer.{layer}.layer_scale{number}.lambda1"
            renamed[f"blocks.{layer}.ls{number}.gamma"] = state[scale]
    return renamed
