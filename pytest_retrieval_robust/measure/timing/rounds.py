"""The timed actions: a batch as it is, with a share hidden, beside another model; one image.

Every timed call encodes pixels: what is timed never comes from stored embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

import torch

from ...core.calling import run_encoder
from ...core.costs import Latency
from ...core.device import synchronise
from ..batches import first_images, setting_on
from ..in_turn import Stop, in_turn
from ..sweep.changes import changed_pixels
from .clock import InterleavedRounds, latency_of
from .hardware import peak_memory

if TYPE_CHECKING:
    from ...core.cases import Case
    from ...datasets import RetrievalDataset
    from ...models import DualEncoder
    from ...occluders import Box
    from ...occluders.scene import Scene
    from ..pairs import Pairs
    from ..sweep.changes import ImageChange


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

    def on(self, model: DualEncoder) -> TimedBatch:
        """The same images and reports for a copy of the model, on its own device."""
        scene = self.scene
        on_device = replace(
            scene,
            setting=setting_on(scene.setting, model),
            pixels=scene.pixels.to(model.device),
        )
        return TimedBatch(on_device, self.pairs)


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
    model: DualEncoder, batch: TimedBatch, change: ImageChange, case: Case
) -> InterleavedRounds:
    """Rounds over the batch as it is, and hidden in part or corrupted."""
    clean = _EncoderInput(model, batch.pixels)
    buffer = torch.empty_like(batch.pixels)
    # What an occluder finds out beforehand, such as by a search with the model, is not
    # what hiding costs.
    bound = change.bind(batch.scene)
    cell = case.cell

    def encode_hidden() -> None:
        hidden = changed_pixels(
            bound, cell, batch.pixels, batch.ids, batch.frames, out=buffer
        )
        run_encoder(model, hidden)

    compared = clean.encode if case.level == 0 else encode_hidden
    return InterleavedRounds(clean.encode, compared, model.device, before=clean.renew)


def rounds_on_copies(
    models: Sequence[DualEncoder], batch: TimedBatch, change: ImageChange, case: Case
) -> RoundsInTurn:
    """The rounds of `timed_rounds` on every copy of a model, of which the first has the batch."""

    def rounds_on(model: DualEncoder) -> InterleavedRounds:
        own_batch = batch if model is models[0] else batch.on(model)
        return timed_rounds(model, own_batch, change, case)

    # Searches of occluders are not timed, so that the devices may work side by side.
    devices = [model.device for model in models]
    workers = [rounds_on for _ in models]
    return RoundsInTurn(list(in_turn(devices, workers, models, Stop())))


class RoundsInTurn:
    """Interleaved rounds on one or more devices: each round on the next device.

    Only one device works at a time: two would share the host, and disturb each other.
    """

    def __init__(self, on_devices: Sequence[InterleavedRounds]) -> None:
        self._on_devices = on_devices
        self._begun = 0
        self.pairs: list[tuple[float, float]] = []
        """(baseline, compared) seconds of each round, in the order measured."""

    def warm_up(self) -> None:
        for rounds in self._on_devices:
            rounds.warm_up()

    def measure_baseline(self) -> None:
        self._begun += 1
        self._current.measure_baseline()

    def measure_compared(self) -> None:
        """Ends a round: to be called after `measure_baseline`."""
        current = self._current
        current.measure_compared()
        self.pairs.append(current.pairs[-1])

    def measure(self, rounds: int) -> None:
        for _ in range(rounds):
            self.measure_baseline()
            self.measure_compared()

    def keep(self, rounds: int) -> None:
        """Drop all but the first `rounds`."""
        del self.pairs[rounds:]

    @property
    def rounds(self) -> int:
        return len(self.pairs)

    @property
    def baseline_seconds(self) -> float:
        return median(baseline for baseline, _ in self.pairs)

    @property
    def compared_seconds(self) -> float:
        return median(compared for _, compared in self.pairs)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Compared / baseline of each round, in the order measured."""
        return tuple(compared / baseline for baseline, compared in self.pairs)

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return median(self.ratios)

    @property
    def _current(self) -> InterleavedRounds:
        """The device of the round that was begun last."""
        return self._on_devices[(self._begun - 1) % len(self._on_devices)]


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
