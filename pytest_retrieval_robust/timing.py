"""What the occlusion timer times: one batch, encoded as it is and encoded with a share hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .clock import InterleavedRounds
from .sweep import pairs_of, to_unit_scale

if TYPE_CHECKING:
    from .case import Case
    from .datasets import RetrievalDataset
    from .models import DualEncoder
    from .occluders import Box, Occluder


@dataclass(frozen=True)
class TimedBatch:
    """A data set's first images, prepared by a model: (B, 3, S, S) on the 0..1 scale, on the model's device."""

    pixels: torch.Tensor
    frames: list[Box]
    ids: Sequence[str]


def prepare_batch(model: DualEncoder, dataset: RetrievalDataset, images: int) -> TimedBatch:
    """The data set's first `images` images."""
    pairs = pairs_of(dataset, images)
    prepared = [model.prepare(dataset.image(int(index))) for index in pairs.images]
    pixels = to_unit_scale(np.stack([one.pixels for one in prepared]), model.device)
    return TimedBatch(pixels, [one.frame for one in prepared], pairs.image_ids)


def timed_rounds(model: DualEncoder, batch: TimedBatch, occluder: Occluder, case: Case) -> InterleavedRounds:
    """Rounds over the batch as it is and with a share hidden."""
    buffer = torch.empty_like(batch.pixels)

    def clean() -> None:
        model.encode_images(batch.pixels)

    def occluded() -> None:
        hidden = occluder.occlude(batch.pixels, batch.ids, case.level, case.seed, batch.frames, out=buffer)
        model.encode_images(hidden)

    return InterleavedRounds(clean, clean if case.level == 0 else occluded, model.device)
