"""The timed actions: a batch as it is, with a share hidden, beside another model; one image.

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
    from ...occluders.scene import Scene
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
    """The data set's first `images` images, and the reports of at least its first `gallery`.

    Broken images are left out if the data set skips them.
    """
    return TimedBatch(*first_images(model, dataset, images, gallery))


def timed_rounds(
    model: DualEncoder, batch: TimedBatch, occluder: Occluder, case: Case
) -> InterleavedRounds:
    """Rounds over the batch as it is and with a share hidden."""
    clean = _EncoderInput(model, batch.pixels)
    buffer = torch.empty_like(batch.pixels)
    # What an occluder finds out beforehand, such as by a search with the model, is not
    # what hiding costs.
    bound = occluder.bind(batch.scene)

    def encode_hidden() -> None:
        hidden = bound.occlude(
            batch.pixels, batch.ids, case.level, case.seed, batch.frames, out=buffer
        )
        run_encoder(model, hidden)

    compared = clean.encode if case.level == 0 else encode_hidden
    return InterleavedRounds(clean.encode, compared, model.device, before=clean.renew)


def rounds_beside(
    other: DualEncoder, model: DualEncoder, dataset: RetrievalDataset, batch: TimedBatch
) -> InterleavedRounds:
    """Rounds over the batch's images with nothing hidden: by `other`, and by `model`.

    The other model is the baseline. It prepares the same images itself.
    """
    other_batch = prepare_batch(other, dataset, len(batch.ids))
    other_input = _EncoderInput(other, other_batch.pixels)
    model_input = _EncoderInput(model, batch.pixels)

    def encode_by_other() -> None:
        other_input.encode()
        # The rounds wait for this model's device, which may be another one.
        synchronise(other.device)

    def renew() -> None:
        other_input.renew()
        model_input.renew()

    return InterleavedRounds(
        encode_by_other, model_input.encode, model.device, before=renew
    )


def measure_alone(model: DualEncoder, batch: TimedBatch, calls: int) -> Alone:
    """Latency of the batch's first image over `calls` calls, and peak memory of the whole batch."""
    # Memory first: its one batch is a warm-up too. A copy on the device would count in
    # it, one on the host does not.
    unchanged = batch.pixels.to("cpu", copy=True)
    peak = peak_memory(lambda: run_encoder(model, batch.pixels), model.device)
    with torch.no_grad():
        batch.pixels.copy_(unchanged)
    first = _EncoderInput(model, batch.pixels[:1])
    latency = latency_of(first.encode, model.device, calls, before=first.renew)
    return Alone(latency, peak)


class _EncoderInput:
    """Pixels that an encoder may change: renewed before each call, outside of its time."""

    def __init__(self, model: DualEncoder, pixels: torch.Tensor) -> None:
        self._model = model
        self._pixels = pixels
        self._copy = pixels.clone()

    def renew(self) -> None:
        with torch.no_grad():
            self._copy.copy_(self._pixels)

    def encode(self) -> None:
        run_encoder(self._model, self._copy)
