"""Searches for the smallest breaking occlusion, on the device and on the processor."""

from __future__ import annotations

import numpy as np
import torch

from pytest_retrieval_robust import find_breaking
from pytest_retrieval_robust.core.calling import image_rows
from pytest_retrieval_robust.models import DualEncoder

from ..side_by_side import waited
from .encoders import Projection, patterns, vit
from .ranks import high_products
from .steps import Notebook, Setting, Target

_K = 10
_SAME_SHARES = 0.95


def run(setting: Setting, notebook: Notebook) -> None:
    images = setting.size(64, 6)
    grid = setting.size(16, 4)
    data = patterns(setting.size(2000, 60))
    expected = find_breaking(Projection("cpu"), data, k=_K, grid=grid, images=images)
    model = Projection(setting.device)
    got = find_breaking(model, data, k=_K, grid=grid, images=images)
    same = np.isclose(got.shares, expected.shares, equal_nan=True).mean()
    notebook.check("breaking shares", same >= _SAME_SHARES, f"{same:.3f} are equal")
    with high_products():
        high = find_breaking(model, data, k=_K, grid=grid, images=images)
    for name, result in (("as usual", got), ("float32 products set high", high)):
        was_found = result.ranks_before <= _K
        is_broken = was_found & (result.shares < 1)
        notebook.check(
            f"what is broken is broken, {name}",
            (result.ranks_after[is_broken] > _K).all(),
            f"{int(is_broken.sum())} images",
        )
    if setting.on_real_gpu:
        _rate(vit(setting.device, "bf16", setting.folder), setting, notebook)


def _rate(model: DualEncoder, setting: Setting, notebook: Notebook) -> None:
    """Encodings per second of a search beside the plain forward's."""
    data = patterns(64, side=224)
    batch = 256
    pixels = torch.rand(batch, 3, 224, 224, device=setting.device)
    image_rows(model, pixels)
    forward = [
        waited(lambda: image_rows(model, pixels), setting.device) / batch
        for _ in range(5)
    ]
    encodings = 0

    def search() -> None:
        nonlocal encodings
        result = find_breaking(model, data, k=_K, images=32, budget=768)
        encodings = int(result.encodings.sum())

    seconds = waited(search, setting.device)
    per_encoding = seconds / max(1, encodings)
    ratios = [per_encoding / one for one in forward]
    notebook.figure("an encoding of a search to a forward's", ratios, "", Target(1.25))
    notebook.figure("encodings of a search", encodings / seconds, "per s")
