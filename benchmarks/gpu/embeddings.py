"""Embeddings on the device beside the processor's, and what changes their bits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from pytest_retrieval_robust import load_dataset, load_model
from pytest_retrieval_robust.core.calling import encode_images, encode_reports
from pytest_retrieval_robust.core.encoding import open_image, stacked, unit_scale
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.models import DualEncoder, Precision

from .encoders import vit
from .steps import Notebook, Setting

_TINY = ("tiny-cxr-clip", "tiny-cxr-openclip")
_HALVES: tuple[Precision, ...] = ("bf16", "fp16")
_FARTHEST = 3e-5
"""Of a number of a row in float32: sums in another order, with room."""
_LEAST_COSINE = 1 - 1e-6
_LEAST_HALF_COSINE = 0.999


def run(setting: Setting, notebook: Notebook) -> None:
    if setting.on_gpu and not setting.on_real_gpu:
        notebook.skip("embeddings of networks", "an emulated device runs none")
        return
    data = load_dataset("synthetic-cxr", pairs=setting.size(64, 20))
    names = _TINY[:1] if setting.quick else (*_TINY, "ViT-B-16")
    for name in names:
        _of_model(name, data, setting, notebook)


def _of_model(
    name: str, data: RetrievalDataset, setting: Setting, notebook: Notebook
) -> None:
    exact = _load(name, setting.device, "fp32", setting)
    rows = _rows(exact, data)
    expected = _rows(_load(name, "cpu", "fp32", setting), data)
    farthest = max(
        float((mine - other).abs().max())
        for mine, other in zip(rows, expected, strict=True)
    )
    notebook.check(f"{name}: fp32", farthest <= _FARTHEST, f"largest {farthest:.1e}")
    cosine = _least_cosine(rows, expected)
    notebook.check(f"{name}: fp32 cosine", cosine >= _LEAST_COSINE, f"{cosine:.8f}")
    again = _rows(exact, data)
    is_same = all(map(torch.equal, rows, again))
    notebook.check(f"{name}: twice the same bits", is_same)
    for precision in _HALVES:
        half = _rows(_load(name, setting.device, precision, setting), data)
        cosine = _least_cosine(half, expected)
        notebook.check(
            f"{name}: {precision} cosine", cosine >= _LEAST_HALF_COSINE, f"{cosine:.6f}"
        )
    _by_batch(name, exact, data, rows[0], notebook)
    if setting.on_real_gpu:
        _with_defaults(name, exact, data, expected[0], notebook)


def _by_batch(
    name: str,
    model: DualEncoder,
    data: RetrievalDataset,
    whole: Tensor,
    notebook: Notebook,
) -> None:
    """Whether images that are encoded in fewer at a time have other bits."""
    for size in (16, 1):
        parts = _image_rows(model, data, size)
        changed = float((parts != whole).any(1).float().mean())
        farthest = float((parts - whole).abs().max())
        notebook.figure(f"{name}: rows changed by batches of {size}", changed, "share")
        notebook.figure(f"{name}: largest change, batches of {size}", farthest)


def _with_defaults(
    name: str,
    model: DualEncoder,
    data: RetrievalDataset,
    expected: Tensor,
    notebook: Notebook,
) -> None:
    """The same network called past the package, which turns TF32 off."""
    pixels = _pixels(model, data, range(len(data.image_ids)))
    backends: Any = torch.backends
    precision = backends.cudnn.conv.fp32_precision
    rows = model.encode_images(pixels).float().cpu()
    farthest = float((rows - expected).abs().max())
    notebook.figure(f"{name}: fp32 with convolutions in {precision}", farthest)


def _rows(model: DualEncoder, data: RetrievalDataset) -> tuple[Tensor, Tensor]:
    images = _image_rows(model, data, len(data.image_ids))
    reports = encode_reports(model, list(islice(data.reports, 64))).rows.cpu()
    return images, reports


def _image_rows(model: DualEncoder, data: RetrievalDataset, size: int) -> Tensor:
    numbers = range(len(data.image_ids))
    parts = []
    for start in range(0, len(numbers), size):
        pixels = _pixels(model, data, numbers[start : start + size])
        parts.append(encode_images(model, pixels).rows.cpu())
    return torch.cat(parts)


def _pixels(
    model: DualEncoder, data: RetrievalDataset, numbers: Sequence[int]
) -> Tensor:
    prepared = [model.prepare(open_image(data, n, f"image {n}")) for n in numbers]
    return unit_scale(stacked(prepared, model.name), model.device)


def _least_cosine(rows: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    least = 1.0
    for mine, other in zip(rows, others, strict=True):
        cosines = torch.nn.functional.cosine_similarity(mine.double(), other.double())
        least = min(least, float(cosines.min()))
    return least


def _load(
    name: str, device: str, precision: Precision, setting: Setting
) -> DualEncoder:
    if name.startswith("ViT"):
        return vit(device, precision, setting.folder, name)
    return load_model(name, device=device, precision=precision)
