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

TEXTS = (
    "heart is large",
    "no pleural effusion",
    "effusion",
    "heart heart heart heart heart heart heart heart heart",
)
_WORDS = sorted({word for text in TEXTS for word in text.split()})
_CONTEXT = 8
_TOWER = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {
        word: number
        for number, word in enumerate(["<pad>", "<unk>", "<s>", *_WORDS, "</s>"])
    }
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
    text = {
        **_TOWER,
        "vocab_size": len(words),
        "max_position_embeddings": _CONTEXT,
        "eos_token_id": len(words) - 1,
    }
    vision = {**_TOWER, "image_size": 32, "patch_size": 8}
    model = CLIPModel(
        CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
    )
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
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 16,
        "head_width": 8,
        "patch_size": 8,
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 2,
    },
}


def save_open_clip(folder: Path) -> Path:
    """An open_clip folder as `push_to_hub` lays it out."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    preprocess = {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "resize_mode": "squash",
    }
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": OPEN_CLIP_ARCHITECTURE, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    architecture: Any = OPEN_CLIP_ARCHITECTURE
    model = open_clip.CLIP(**architecture)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def put_into_hub_cache(
    folder: Path, cache: Path, repository: str, revision: str = "a" * 40
) -> None:
    """Lay a folder out as the hub's cache does: refs and snapshots."""
    home = cache / f"models--{repository.replace('/', '--')}"
    shutil.copytree(folder, home / "snapshots" / revision)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(revision)


def save_biomedclip(folder: Path) -> Path:
    """BiomedCLIP's layout, small: a timm vision transformer, and a BERT text tower.

    The text tower has a projection of two layers. The published configuration names its
    repository; this one names a folder.
    """
    import open_clip
    from safetensors.torch import save_file
    from transformers import AutoTokenizer, BertConfig

    from . import published

    torch.manual_seed(0)
    tower = published.save_tokenizer(folder / "tower", rows=400)
    words = len(published.vocabulary())
    # The repository has its tokenizer beside the weights.
    AutoTokenizer.from_pretrained(tower).save_pretrained(folder)
    settings = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
    }
    BertConfig(
        **settings, vocab_size=words, max_position_embeddings=64
    ).save_pretrained(tower)
    text = {
        "hf_model_name": str(tower),
        "hf_tokenizer_name": str(tower),
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 24,
    }
    vision = {
        "timm_model_name": "vit_tiny_patch16_224",
        "timm_pool": "",
        "timm_proj": "linear",
        "image_size": 224,
    }
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    preprocess = {
        "mean": open_clip.OPENAI_DATASET_MEAN,
        "std": open_clip.OPENAI_DATASET_STD,
    }
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    )
    named: Any = {**config, "text_cfg": {**text, "hf_model_pretrained": False}}
    model = open_clip.CustomTextCLIP(**named)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    # Old libraries saved this one too.
    state["text.transformer.embeddings.position_ids"] = torch.arange(64)[None]
    save_file(state, folder / "open_clip_model.safetensors")
    return folder


def save_clip_both_ways(folder: Path) -> tuple[Path, Path]:
    """A small CLIP with OpenAI's vocabulary, as transformers and as open_clip saves it."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    side = 48
    width = 64
    vision: Any = {"image_size": side, "layers": 2, "width": width, "patch_size": 16}
    text: Any = {
        "context_length": 77,
        "vocab_size": 49408,
        "width": width,
        "heads": 1,
        "layers": 2,
    }
    network = open_clip.CLIP(24, vision, text, quick_gelu=True)
    of_open_clip = folder / "open_clip"
    of_transformers = folder / "transformers"
    of_open_clip.mkdir(parents=True)
    published = {
        "mean": open_clip.OPENAI_DATASET_MEAN,
        "std": open_clip.OPENAI_DATASET_STD,
    }
    config = {
        "model_cfg": {
            "embed_dim": 24,
            "quick_gelu": True,
            "vision_cfg": vision,
            "text_cfg": text,
        },
        "preprocess_cfg": published,
    }
    (of_open_clip / "open_clip_config.json").write_text(json.dumps(config))
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()},
        of_open_clip / "open_clip_model.safetensors",
    )
    tower = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
    }
    model = CLIPModel(
        CLIPConfig(
            text_config={
                **tower,
                "vocab_size": 49408,
                "max_position_embeddings": 77,
                "eos_token_id": 49407,
            },
            vision_config={**tower, "image_size": side, "patch_size": 16},
            projection_dim=24,
        )
    )
    model.load_state_dict(transformers_keys(network.state_dict()))
    pairs = open_clip.tokenizer.SimpleTokenizer()
    ends = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {
        ends.get(piece, piece): number for piece, number in pairs.encoder.items()
    }
    of_transformers.mkdir()
    words = _clip_tokenizer(of_transformers, vocabulary, list(pairs.bpe_ranks))
    size: Any = {"shortest_edge": side}
    processor = CLIPImageProcessor(
        size=size,
        crop_size={"height": side, "width": side},
        image_mean=published["mean"],
        image_std=published["std"],
    )
    return _save(of_transformers, model, processor, words), of_open_clip


def _clip_tokenizer(
    folder: Path, vocabulary: dict[str, int], merges: list[tuple[str, str]]
) -> Any:
    """From OpenAI's own files, which transformers 4 and 5 read."""
    from transformers import CLIPTokenizerFast

    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(lines))
    return CLIPTokenizerFast.from_pretrained(folder, model_max_length=77)


def transformers_keys(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """OpenAI's keys of a CLIP as transformers names them."""
    renamed = {
        "logit_scale": state["logit_scale"],
        "text_projection.weight": state["text_projection"].T,
        "visual_projection.weight": state["visual.proj"].T,
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state[
            "positional_embedding"
        ],
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.position_embedding.weight": state[
            "visual.positional_embedding"
        ],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
    }
    norms = {
        "ln_final": "text_model.final_layer_norm",
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
    }
    parts = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    for prefix, tower in (
        ("transformer", "text_model"),
        ("visual.transformer", "vision_model"),
    ):
        for layer in range(2):
            old = f"{prefix}.resblocks.{layer}"
            new = f"{tower}.encoder.layers.{layer}"
            norms |= {f"{old}.{part}": f"{new}.{name}" for part, name in parts.items()}
            norms[f"{old}.attn.out_proj"] = f"{new}.self_attn.out_proj"
            for kind in ("weight", "bias"):
                thirds = state[f"{old}.attn.in_proj_{kind}"].chunk(3)
                for which, third in zip("qkv", thirds, strict=True):
                    renamed[f"{new}.self_attn.{which}_proj.{kind}"] = third
    for old, new in norms.items():
        renamed |= {
            f"{new}.{kind}": state[f"{old}.{kind}"] for kind in ("weight", "bias")
        }
    return {key: value.contiguous() for key, value in renamed.items()}
