"""Writes a trained encoder as a directory in a standard format, in half precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, PreTrainedTokenizerFast

from training.network import MEAN, STD, ClipTowers, Towers, open_clip_config
from training.recipes import SIZE


def save(towers: Towers, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights, configuration, tokenizer and preprocessing into `folder`.

    A CLIP goes into the layout of `transformers`, the other into open_clip's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    if isinstance(towers, ClipTowers):
        _save_clip(towers, folder)
    else:
        _save_open_clip(towers, len(tokenizer), folder)
    for file in folder.glob("*config.json"):
        _tidy(file)
    for file in folder.iterdir():
        file.chmod(0o644)


def _save_clip(towers: ClipTowers, folder: Path) -> None:
    towers.inner.to(torch.float16).save_pretrained(folder)
    CLIPImageProcessor(
        size={"shortest_edge": SIZE},
        crop_size={"height": SIZE, "width": SIZE},
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
        resample=3,
        do_convert_rgb=True,
    ).save_pretrained(folder)


def _save_open_clip(towers: Towers, vocabulary: int, folder: Path) -> None:
    weights = {
        name: weight.half().contiguous()
        for name, weight in towers.inner.state_dict().items()
        # open_clip counts no batches at inference.
        if not name.endswith("num_batches_tracked")
    }
    save_file(weights, folder / "open_clip_model.safetensors")
    config = {
        "model_cfg": open_clip_config(vocabulary),
        "preprocess_cfg": {
            "size": [SIZE, SIZE],
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }
    (folder / "open_clip_config.json").write_text(
        json.dumps(config, indent=2) + "\n", encoding="utf-8"
    )


def _tidy(file: Path) -> None:
    """Remove where the file was written, and name the tokenizer's class as every
    release knows it.
    """
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for key in ("_name_or_path", "name_or_path"):
        content.pop(key, None)
    if "tokenizer_class" in content:
        content["tokenizer_class"] = "PreTrainedTokenizerFast"
    file.write_text(
        json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
