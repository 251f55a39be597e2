"""Small checkpoints in the published layouts, made by the libraries that publish them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

TEXTS = ("heart is large", "no pleural effusion", "effusion", "heart heart heart heart heart heart heart heart heart")
_WORDS = sorted({word for text in TEXTS for word in text.split()})
_CONTEXT = 8
_TOWER = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: number for number, word in enumerate(["<pad>", "<unk>", "<s>", *_WORDS, "</s>"])}
    inner = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = Whitespace()
    ends = [("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    inner.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=_CONTEXT,
    )


def save_clip(folder: Path, projection: int = 8) -> Path:
    """A transformers CLIP folder with a 32-pixel input and a context of 8 tokens."""
    torch.manual_seed(0)
    words = tokenizer()
    text = {**_TOWER, "vocab_size": len(words), "max_position_embeddings": _CONTEXT, "eos_token_id": len(words) - 1}
    vision = {**_TOWER, "image_size": 32, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection))
    size: Any = {"shortest_edge": 32}
    processor = CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32})
    return _save(folder, model, processor, words)


def save_siglip(folder: Path) -> Path:
    """A transformers SigLIP folder: stretched input, no attention mask, padded texts."""
    torch.manual_seed(0)
    words = tokenizer()
    text = {**_TOWER, "vocab_size": len(words), "max_position_embeddings": _CONTEXT}
    vision = {**_TOWER, "image_size": 32, "patch_size": 8}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    size: Any = {"height": 32, "width": 32}
    return _save(folder, model, SiglipImageProcessor(size=size), words)


def _save(folder: Path, model: Any, processor: Any, words: Any) -> Path:
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    words.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    return folder


OPEN_CLIP_ARCHITECTURE = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def save_open_clip(folder: Path) -> Path:
    """An open_clip folder as `push_to_hub` lays it out."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "resize_mode": "squash"}
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": OPEN_CLIP_ARCHITECTURE, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    architecture: Any = OPEN_CLIP_ARCHITECTURE
    model = open_clip.CLIP(**architecture)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def put_into_hub_cache(folder: Path, cache: Path, repository: str, revision: str = "a" * 40) -> None:
    """Lay a folder out as the hub's cache does: refs and snapshots."""
    home = cache / f"models--{repository.replace('/', '--')}"
    shutil.copytree(folder, home / "snapshots" / revision)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(revision)
