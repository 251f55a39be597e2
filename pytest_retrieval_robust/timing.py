"""What the occlusion timer times: one batch, encoded as it is and encoded with a share hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .clock import InterleavedRounds
from .sweep import pairs_of, to_unit_scale

if TYPE_CHECKING:
    from .case import Case
    from .datasets import RetrievalDataset
    from .models import DualEncoder
    from .occluders import Occluder


def timed_rounds(
    model: DualEncoder, dataset: RetrievalDataset, occluder: Occluder, case: Case, images: int
) -> tuple[InterleavedRounds, int]:
    """Rounds over the data set's first `images` images, and how many there are."""
    pairs = pairs_of(dataset, images)
    prepared = [model.prepare(dataset.image(int(index))) for index in pairs.images]
    pixels = to_unit_scale(np.stack([one.pixels for one in prepared]), model.device)
    frames, ids, buffer = [one.frame for one in prepared], pairs.image_ids, torch.empty_like(pixels)

    def clean() -> None:
        model.encode_images(pixels)

    def occluded() -> None:
        model.encode_images(occluder.occlude(pixels, ids, case.level, case.seed, frames, out=buffer))

    return InterleavedRounds(clean, clean if case.level == 0 else occluded, model.device), len(prepared)
