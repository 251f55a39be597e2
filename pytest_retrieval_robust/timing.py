"""What the occlusion timer times: one batch, encoded as it is and encoded with a share hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .clock import InterleavedRounds
from .scenes import first_images

if TYPE_CHECKING:
    from .case import Case
    from .datasets import RetrievalDataset
    from .models import DualEncoder
    from .occluders import Box, Occluder
    from .occluders._scene import Scene
    from .sweep import Pairs


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
    return TimedBatch(*first_images(model, dataset, images))


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
