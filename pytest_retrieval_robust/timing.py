"""What the occlusion timer times: one batch, encoded as it is and encoded with a share hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .clock import InterleavedRounds
from .errors import DatasetError, UnreadableImageError
from .occluders._scene import Scene, Setting, unit_scale
from .sweep import Pairs

if TYPE_CHECKING:
    from .case import Case
    from .datasets import RetrievalDataset
    from .models import DualEncoder
    from .occluders import Box, Occluder


@dataclass(frozen=True)
class TimedBatch:
    """A data set's first images, prepared by a model, with the reports that are right for them."""

    scene: Scene
    pairs: Pairs

    @property
    def pixels(self) -> torch.Tensor:
        """(B, 3, S, S) on the 0..1 scale, on the model's device."""
        return self.scene.pixels

    @property
    def frames(self) -> list[Box]:
        return list(self.scene.frames)

    @property
    def ids(self) -> Sequence[str]:
        return self.scene.ids


def prepare_batch(model: DualEncoder, dataset: RetrievalDataset, images: int) -> TimedBatch:
    """The data set's first `images` images; broken ones are left out where the data set skips them."""
    kept, prepared = [], []
    for index in range(len(dataset.image_ids)):
        try:
            prepared.append(model.prepare(dataset.image(index)))
        except UnreadableImageError:
            if not getattr(dataset, "skips_unreadable", False):
                raise
            continue
        kept.append(index)
        if len(kept) == images:
            break
    if not kept:
        raise DatasetError(f"Expected images that can be read in {dataset.name}, got none. Mend its files or its root.")
    right = np.isin(dataset.report_groups, dataset.image_groups[kept])
    pairs = Pairs(dataset, np.array(kept), np.flatnonzero(right))
    scene = Scene(
        Setting(model, dataset, model.encode_reports(pairs.texts), pairs.report_groups),
        kept,
        pairs.image_ids,
        unit_scale(np.stack([one.pixels for one in prepared]), model.device),
        [one.frame for one in prepared],
        pairs.image_groups,
    )
    return TimedBatch(scene, pairs)


def timed_rounds(model: DualEncoder, batch: TimedBatch, occluder: Occluder, case: Case) -> InterleavedRounds:
    """Rounds over the batch as it is and with a share hidden."""
    buffer = torch.empty_like(batch.pixels)
    # What an occluder finds out beforehand, a search by the model for one, is not what hiding costs.
    bound = occluder.bind(batch.scene)

    def clean() -> None:
        model.encode_images(batch.pixels)

    def occluded() -> None:
        hidden = bound.occlude(batch.pixels, batch.ids, case.level, case.seed, batch.frames, out=buffer)
        model.encode_images(hidden)

    return InterleavedRounds(clean, clean if case.level == 0 else occluded, model.device)
