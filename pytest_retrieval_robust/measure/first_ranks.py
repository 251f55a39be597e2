"""Ranks of a data set's first images, with nothing hidden and with something hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.encoding import batch_size, encode
from ..core.errors import RobustError
from ..models import similarity_of
from ..occluders._frames import visible_level
from ..occluders.scene import Scene
from ..retrieval.ranking import positive_ranks
from .batches import first_prepared, scene_on, setting_of
from .pairs import pairs_of
from .sweep.scores import in_tiles

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder
    from ..occluders import Occluder
    from .embeddings.shards import ModelShards

IMAGES = 50
TOP = 10
"""A right report counts as found up to this rank: the largest usual k."""


@dataclass(frozen=True, order=True)
class RankChange:
    """The right report's rank for one image, before and after hiding."""

    image: int
    """The image's number in the data set, from 0: an id may be a patient's."""
    before: int
    after: int

    @property
    def is_lost(self) -> bool:
        """Whether the right report was found before hiding, and is not found after."""
        return self.before <= TOP < self.after

    def __str__(self) -> str:
        return f"image {self.image}: {self.before} -> {self.after}"


@dataclass(frozen=True, repr=False)
class HiddenRanks:
    """What hiding did to the ranks."""

    share: float
    """The share of the source images that is hidden, mean."""
    visible_share: float
    """The share of their visible part that is hidden, mean."""
    changes: Sequence[RankChange]
    """One per image, in the order of the data set."""

    @property
    def found(self) -> int:
        """How many right reports are found with nothing hidden."""
        return sum(change.before <= TOP for change in self.changes)

    @property
    def kept(self) -> int:
        """How many of these are still found after hiding."""
        return self.found - len(self.lost)

    @property
    def lost(self) -> list[RankChange]:
        """The images whose right report is no longer found, the worst hit first."""
        lost = [change for change in self.changes if change.is_lost]
        return sorted(lost, key=lambda change: (-change.after, change.image))


class FirstRanks:
    """A model's exact ranking of all of a data set's reports, for its first images."""

    def __init__(
        self,
        model: DualEncoder,
        dataset: RetrievalDataset,
        images: int = IMAGES,
        shards: ModelShards | None = None,
    ) -> None:
        """`shards` is what the embedding store has of the model: reports are taken from it."""
        if images < 1:
            raise RobustError(
                f"Expected at least one image, got images={images}. Give 50."
            )
        self._model = model
        self.dataset = dataset
        # The images are ranked among all reports, not only among their own.
        pairs = pairs_of(dataset)
        setting = setting_of(model, pairs, shards)
        readable = first_prepared(model, dataset, images)
        self.scene: Scene = scene_on(setting, pairs, readable)
        self.before = self._ranks(self.scene.pixels)

    @property
    def gallery(self) -> int:
        """How many reports are ranked."""
        return len(self.scene.setting.report_groups)

    def hidden(
        self, occluder: Occluder, level: float, seed: int, image: int | None = None
    ) -> HiddenRanks:
        """The ranks with `level` hidden, of all images or of the one with that number.

        A model-guided occluder searches with this model and gallery. One image alone is
        hidden within the same batch, so that its row is rounded as it is among the
        others.

        Raises:
            RobustError: `image` is not among the images that were ranked.
        """
        rows = list(range(len(self.scene.numbers)))
        if image is not None:
            rows = [self._row_of(image)]
        part = _part(self.scene, rows)
        bound = occluder.bind(part)
        height, width = part.pixels.shape[-2:]
        size = (height, width)
        mask = bound.mask(
            part.ids, level, seed, size, part.frames, device=part.pixels.device
        )
        # The whole batch is encoded again, with only these images hidden.
        pixels = self.scene.pixels.clone()
        pixels[rows] = bound.occlude(part.pixels, part.ids, level, seed, part.frames)
        after = self._ranks(pixels)
        changes = [
            RankChange(number, int(self.before[row]), int(after[row]))
            for number, row in zip(part.numbers, rows, strict=True)
        ]
        shares = bound.shares(part.ids, level, seed)
        return HiddenRanks(
            share=sum(shares) / len(shares),
            visible_share=visible_level(mask, part.frames),
            changes=changes,
        )

    def _row_of(self, image: int) -> int:
        """Where the image with that number is in the batch."""
        numbers = list(self.scene.numbers)
        if image not in numbers:
            raise RobustError(
                f"Expected the number of one of the first {len(numbers)} images that"
                f" can be read, from 0, got image={image}. Give another number, or"
                f" --images {max(len(numbers), image + 1)}."
            )
        return numbers.index(image)

    def _ranks(self, pixels: torch.Tensor) -> NDArray[np.int64]:
        setting = self.scene.setting
        size = batch_size(self._model.device)
        batches = []
        for start in range(0, len(pixels), size):
            batches.append(encode(self._model, pixels[start : start + size]))
        rows = torch.cat(batches).float()
        reports = setting.reports.float()

        def rank(device: str, tile: int) -> NDArray[np.int64]:
            return positive_ranks(
                rows.to(device),
                reports.to(device),
                self.scene.groups,
                setting.report_groups,
                similarity=similarity_of(self._model),
                tile=tile,
            )

        return in_tiles(self._model, rank)


def _part(scene: Scene, rows: Sequence[int]) -> Scene:
    """The images of the scene in these rows."""
    return replace(
        scene,
        numbers=[scene.numbers[row] for row in rows],
        ids=[scene.ids[row] for row in rows],
        pixels=scene.pixels[rows],
        frames=[scene.frames[row] for row in rows],
        groups=scene.groups[rows],
    )
