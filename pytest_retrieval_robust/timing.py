"""What the occlusion timer times: a batch as it is, with a share hidden, and beside another model; one image alone.

Every timed call encodes pixels: what is timed never comes from stored embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .case import Latency
from .clock import InterleavedRounds, latency_of
from .device import synchronise
from .hardware import peak_memory
from .scenes import first_images

if TYPE_CHECKING:
    from .case import Case
    from .datasets import RetrievalDataset
    from .models import DualEncoder
    from .occluders import Box, Occluder
    from .occluders._scene import Scene
    from .pairs import Pairs


@dataclass(frozen=True, repr=False)
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


@dataclass(frozen=True)
class Alone:
    """What a model takes with nothing hidden."""

    latency: Latency
    peak_memory_bytes: int | None


def prepare_batch(model: DualEncoder, dataset: RetrievalDataset, images: int, gallery: int = 0) -> TimedBatch:
    """The data set's first `images` images, to be found among the reports of at least the first `gallery`.

    Broken ones are left out where the data set skips them.
    """
    return TimedBatch(*first_images(model, dataset, images, gallery))


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


def rounds_beside(
    other: DualEncoder, model: DualEncoder, dataset: RetrievalDataset, batch: TimedBatch
) -> InterleavedRounds:
    """Rounds over the batch's images, nothing hidden, by the other model (the baseline) and by this one."""
    theirs = prepare_batch(other, dataset, len(batch.ids))

    def by_the_other() -> None:
        other.encode_images(theirs.pixels)
        synchronise(other.device)  # the rounds wait for this model's device, which may be another one

    return InterleavedRounds(by_the_other, lambda: model.encode_images(batch.pixels), model.device)


def measure_alone(model: DualEncoder, batch: TimedBatch, calls: int) -> Alone:
    """Latency of the batch's first image over `calls` calls, and peak memory of the whole batch."""
    first = batch.pixels[:1]
    # Memory first: its one batch is a warm-up too.
    peak = peak_memory(lambda: model.encode_images(batch.pixels), model.device)
    return Alone(latency_of(lambda: model.encode_images(first), model.device, calls), peak)
