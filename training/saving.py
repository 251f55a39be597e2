"""Writes a trained encoder as a directory that `transformers` loads, and measures it from there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoImageProcessor, AutoTokenizer, CLIPImageProcessor, CLIPModel, PreTrainedTokenizerFast

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from training.network import MEAN, SIZE, STD, embed_images, embed_texts

CUTS = (1, 5, 10)


@dataclass(frozen=True)
class Recall:
    """Recall at 1, 5 and 10 (0..1) in both directions, on `pairs` held-out pairs."""

    pairs: int
    image_to_report: tuple[float, ...]
    report_to_image: tuple[float, ...]

    def lines(self) -> list[str]:
        """One line for each direction."""
        rows = (("image to report", self.image_to_report), ("report to image", self.report_to_image))
        return [f"{name}: " + ", ".join(f"{value:.3f}" for value in values) for name, values in rows]


def save(model: CLIPModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights in half precision, configuration, tokenizer and image processor into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor = CLIPImageProcessor(
        size={"shortest_edge": SIZE},
        crop_size={"height": SIZE, "width": SIZE},
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
        resample=3,
        do_convert_rgb=True,
    )
    processor.save_pretrained(folder)
    _tidy(folder / "config.json")
    _tidy(folder / "tokenizer_config.json")
    for file in folder.iterdir():
        file.chmod(0o644)


@torch.inference_mode()
def measure(folder: Path, data: SyntheticCxr) -> Recall:
    """Recall of the saved encoder in `folder` on `data`, through its own image processor and tokenizer."""
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer, processor = AutoTokenizer.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    ids = tokenizer(list(data.reports), padding=True, truncation=True, return_tensors="pt")["input_ids"]
    texts = torch.cat([embed_texts(model, part) for part in ids.split(50)])
    images = torch.cat([_images(model, processor, data, start) for start in range(0, len(data.reports), 50)])
    scores = images @ texts.T
    return Recall(len(scores), _recalls(scores), _recalls(scores.T))


def _images(model: CLIPModel, processor: CLIPImageProcessor, data: SyntheticCxr, start: int) -> Tensor:
    pictures = [data.image(index) for index in range(start, min(start + 50, len(data.reports)))]
    return embed_images(model, processor(pictures, return_tensors="pt")["pixel_values"])


def _recalls(scores: Tensor) -> tuple[float, ...]:
    """Ties count against the model."""
    ranks = (scores >= scores.diagonal()[:, None]).sum(dim=1)
    return tuple((ranks <= cut).float().mean().item() for cut in CUTS)


def _tidy(file: Path) -> None:
    """Keep where the files were written out of them, and name the tokenizer's class as every release knows it."""
    content = json.loads(file.read_text(encoding="utf-8"))
    for key in ("_name_or_path", "name_or_path"):
        content.pop(key, None)
    if "tokenizer_class" in content:
        content["tokenizer_class"] = "PreTrainedTokenizerFast"
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
