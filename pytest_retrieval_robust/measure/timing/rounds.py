"""What the occlusion timer times: a batch as it is, with a share hidden, and beside
another model; one image alone.

Every timed call encodes pixels: what is timed never comes from stored embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ...core.calling import run_encoder
from ...core.costs import Latency
from ...core.device import synchronise
from ..batches import first_images
from .clock import InterleavedRounds, latency_of
from .hardware import peak_memory

if TYPE_CHECKING:
    from ...core.cases import Case
    from ...datasets import RetrievalDataset
    from ...models import DualEncoder
    from ...occluders import Box, Occluder
    from ...occluders._scene import Scene
    from ..pairs import Pairs


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


def prepare_batch(
    model: DualEncoder, dataset: RetrievalDataset, images: int, gallery: int = 0
) -> TimedBatch:
    """The data set's first `images` images, to be found among the reports of at least
    the first `gallery`.

    Broken ones are left out where the data set skips them.
    """
    return TimedBatch(*first_images(model, dataset, images, gallery))


def timed_rounds(
    model: DualEncoder, batch: TimedBatch, occluder: Occluder, case: Case
) -> InterleavedRounds:
    """Rounds over the batch as it is and with a share hidden."""
    buffer = torch.empty_like(batch.pixels)
    given = _Given(model, batch.pixels)
    # What an occluder finds out beforehand, a search by the model for one, is not what
    # hiding costs.
    bound = occluder.bind(batch.scene)

    def occluded() -> None:
        hidden = bound.occlude(
            batch.pixels, batch.ids, case.level, case.seed, batch.frames, out=buffer
        )
        run_encoder(model, hidden)

    compared = given.encode if case.level == 0 else occluded
    return InterleavedRounds(given.encode, compared, model.device, before=given.renew)


def rounds_beside(
    other: DualEncoder, model: DualEncoder, dataset: RetrievalDataset, batch: TimedBatch
) -> InterleavedRounds:
    """Rounds over the batch's images, nothing hidden, by the other model (the baseline)
    and by this one.
    """
    theirs = _Given(other, prepare_batch(other, dataset, len(batch.ids)).pixels)
    ours = _Given(model, batch.pixels)

    def by_the_other() -> None:
        theirs.encode()
        synchronise(
            other.device
        )  # the rounds wait for this model's device, which may be another one

    def renew() -> None:
        theirs.renew()
        ours.renew()

    return InterleavedRounds(by_the_other, ours.encode, model.device, before=renew)


def measure_alone(model: DualEncoder, batch: TimedBatch, calls: int) -> Alone:
    """Latency of the batch's first image over `calls` calls, and peak memory of the whole batch."""
    # Memory first: its one batch is a warm-up too. A copy on the device would count in
    # it, one on the host does not.
    before = batch.pixels.to("cpu", copy=True)
    peak = peak_memory(lambda: run_encoder(model, batch.pixels), model.device)
    with torch.no_grad():
        batch.pixels.copy_(before)
    first = _Given(model, batch.pixels[:1])
    return Alone(
        latency_of(first.encode, model.device, calls, before=first.renew), peak
    )


class _Given:
    """Pixels that an encoder may change: they are made new before each call, outside of
    the time that it takes.
    """

    def __init__(self, model: DualEncoder, pixels: torch.Tensor) -> None:
        self._model, self._pixels = model, pixels
        self._copy = pixels.clone()

    def renew(self) -> None:
        with torch.no_grad():
            self._copy.copy_(self._pixels)

    def encode(self) -> None:
        run_encoder(self._model, self._copy)
