"""Ranks of a data set's first images with something hidden, and the command line that
shows them again.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import RobustError
from .models.locators import entry_for, is_locator
from .occluders._frames import visible_level
from .occluders._scene import Scene, batch_size, encode
from .options import PASSED_ON
from .pairs import pairs_of
from .ranking import positive_ranks
from .scenes import first_images, setting_of

if TYPE_CHECKING:
    from .datasets import RetrievalDataset
    from .models import DualEncoder
    from .occluders import Occluder
    from .options import Settings

IMAGES = 50
TOP = 10
"""A right report that far down, or higher, is found: the largest usual k."""


@dataclass(frozen=True, order=True)
class RankChange:
    """The right report's rank for one image, with nothing hidden and with something hidden."""

    image: int
    """The image's number in the data set, from 0: an id may be a patient's."""
    before: int
    after: int

    @property
    def is_lost(self) -> bool:
        """Whether the right report was found and is no longer."""
        return self.before <= TOP < self.after

    def __str__(self) -> str:
        return f"image {self.image}: {self.before} -> {self.after}"


@dataclass(frozen=True, repr=False)
class HiddenRanks:
    """What hiding did to the ranks."""

    share: float
    """Of the images, mean, that is hidden."""
    visible_share: float
    """The same of what the model sees of them."""
    changes: Sequence[RankChange]
    """One an image, in the order of the data set."""

    @property
    def found(self) -> int:
        """How many right reports are found with nothing hidden."""
        return sum(change.before <= TOP for change in self.changes)

    @property
    def kept(self) -> int:
        """How many of these are found still."""
        return self.found - len(self.lost)

    @property
    def lost(self) -> list[RankChange]:
        """The images whose right report is no longer found, the worst hit first."""
        return sorted(
            (change for change in self.changes if change.is_lost),
            key=lambda lost: (-lost.after, lost.image),
        )


class FirstRanks:
    """A model's ranking of all of a data set's reports, exact, for the data set's first images."""

    def __init__(
        self, model: DualEncoder, dataset: RetrievalDataset, images: int = IMAGES
    ) -> None:
        if images < 1:
            raise RobustError(
                f"Expected at least one image, got images={images}. Give 50."
            )
        self._model, self.dataset = model, dataset
        pairs = pairs_of(dataset)
        scene, _ = first_images(model, dataset, images)
        self.scene: Scene = replace(scene, setting=setting_of(model, pairs))
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
        places = (
            list(range(len(self.scene.numbers)))
            if image is None
            else [self._place(image)]
        )
        part = _part(self.scene, places)
        bound = occluder.bind(part)
        size = (part.pixels.shape[-2], part.pixels.shape[-1])
        mask = bound.mask(
            part.ids, level, seed, size, part.frames, device=part.pixels.device
        )
        pixels = self.scene.pixels.clone()
        pixels[places] = bound.occlude(part.pixels, part.ids, level, seed, part.frames)
        rows = zip(
            part.numbers,
            self.before[places].tolist(),
            self._ranks(pixels)[places].tolist(),
            strict=True,
        )
        changes = [RankChange(*row) for row in rows]
        shares = bound.shares(part.ids, level, seed)
        return HiddenRanks(
            sum(shares) / len(shares), visible_level(mask, part.frames), changes
        )

    def _place(self, image: int) -> int:
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
        parts = [pixels[start : start + size] for start in range(0, len(pixels), size)]
        rows = torch.cat([encode(self._model, part) for part in parts]).float()
        similarity = getattr(self._model, "similarity", None)
        return positive_ranks(
            rows,
            setting.reports.float(),
            self.scene.groups,
            setting.report_groups,
            similarity=similarity,
        )


def _part(scene: Scene, places: Sequence[int]) -> Scene:
    """The images of the scene at these places."""
    return replace(
        scene,
        numbers=[scene.numbers[place] for place in places],
        ids=[scene.ids[place] for place in places],
        pixels=scene.pixels[places],
        frames=[scene.frames[place] for place in places],
        groups=scene.groups[places],
    )


def replay_lines(
    ranks: FirstRanks,
    model: str,
    occluder: Occluder,
    level: float,
    seed: int,
    image: int | None = None,
) -> Iterator[str]:
    """What `rank` prints: the shares hidden, and each image whose rank changed; or
    `image` alone. No id, no text.
    """
    found = ranks.hidden(occluder, level, seed, image)
    yield (
        f"{model} on {ranks.dataset.name}, {occluder.name} at level {level!r}, seed"
        f" {seed}"
    )
    yield (
        f"  hidden: {found.share:.4f} of the image, {found.visible_share:.4f} of what"
        " the model sees"
    )
    yield (
        f"  rank of the right report among {ranks.gallery}, with nothing hidden ->"
        " hidden:"
    )
    if image is not None:
        yield f"    {found.changes[0]}"
        return
    changed = [change for change in found.changes if change.before != change.after]
    yield from (f"    {change}" for change in changed)
    yield f"  changed: {len(changed)} of {len(found.changes)} images"
    yield f"  kept in the top {TOP}: {found.kept} of {found.found} images"


class Example(Protocol):
    """An occluder at a level with a seed: `strategies.Occlusion`."""

    @property
    def occluder(self) -> Occluder: ...

    @property
    def level(self) -> float: ...

    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class ReplayOptions:
    """What else a command line needs so that it means the same model on the same machine."""

    locators: Mapping[str, str]
    """Name of a model -> the locator that it was asked for by."""
    words: Sequence[str]


def replay_options(
    settings: Settings, typed: Callable[[str], object], tests: str
) -> ReplayOptions:
    """The options of `rank` for a suite in the folder `tests`; `typed` gives what was
    typed for an option of a run.
    """
    asked = {
        f"--{name}": typed(f"robust_{name.replace('-', '_')}") for name in PASSED_ON
    }
    asked["--tests"] = None if tests == "." else tests
    words = [
        str(word)
        for option in asked.items()
        if option[1] is not None
        for word in option
    ]
    return ReplayOptions(
        {
            entry_for(item).name: item
            for item in settings.models or ()
            if is_locator(item)
        },
        words,
    )


def replay_command(
    model: str, dataset: str, example: Example, options: ReplayOptions
) -> str:
    """The command line that shows the ranks of an example again.

    The level is written so that it is read again as the same number: a share of whole
    cells stays one.
    """
    words = [
        "python",
        "-m",
        "pytest_retrieval_robust",
        "rank",
        options.locators.get(model, model),
        dataset,
    ]
    words += [
        "--occluder",
        example.occluder.name,
        "--level",
        repr(float(example.level)),
        "--seed",
        str(example.seed),
    ]
    return " ".join(map(_quoted, [*words, *options.words]))


def _quoted(word: str) -> str:
    """In double quotes, which every shell takes, where that is enough."""
    if re.fullmatch(r"[\w./:@%+,=-]+", word):
        return word
    return (
        shlex.quote(word)
        if os.name == "posix" and re.search(r'["$`\\!]', word)
        else f'"{word}"'
    )
