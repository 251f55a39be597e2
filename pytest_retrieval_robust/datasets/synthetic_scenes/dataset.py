"""The data set: pairs of a drawn scene and its caption."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.errors import DatasetError
from ...core.plain_text import facts_as_html
from ...core.words import counted
from .scenes import (
    SEEDS,
    SPLITS,
    Scene,
    caption,
    draw,
    render,
)

# Part of every fingerprint: raise it whenever a picture or a caption comes out differently.
GENERATOR_VERSION = 1
_MOST_PAIRS = 100_000
_SMALLEST = 32
_LARGEST = 1024


class SyntheticScenes:
    """`pairs` scenes of a split, with different combinations of shapes and captions.

    Images are `size` pixels wide and high (32..1024), RGB, drawn on demand.
    """

    def __init__(self, pairs: int = 500, size: int = 224, split: str = "test") -> None:
        if not 1 <= pairs <= _MOST_PAIRS:
            expected = f"a number of pairs from 1 to {_MOST_PAIRS}"
            raise _out_of_range(expected, "pairs", pairs)
        if not _SMALLEST <= size <= _LARGEST:
            expected = f"an image size from {_SMALLEST} to {_LARGEST} pixels"
            raise _out_of_range(expected, "size", size)
        if split not in SPLITS:
            raise _out_of_range(f"a split out of {SPLITS}", "split", split)
        self.split = split
        self.size = size
        self.scenes = _distinct(pairs, split)

    @property
    def name(self) -> str:
        return "synthetic-scenes"

    def __repr__(self) -> str:
        images = counted(len(self.scenes), "image")
        reports = counted(len(self.scenes), "report")
        return f"<{self.name}: {images}, {reports}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        facts = {
            "split": self.split,
            "relevance": self.relevance,
            "images": len(self.scenes),
            "pixels": f"{self.size} x {self.size}",
        }
        return facts_as_html(self.name, facts)

    @property
    def text(self) -> str:
        return "full"

    @property
    def relevance(self) -> str:
        return "same-text"

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        """One id per image, such as `synthetic-scenes-test-0007`."""
        numbers = range(len(self.scenes))
        return tuple(f"{self.name}-{self.split}-{number:04d}" for number in numbers)

    @cached_property
    def reports(self) -> tuple[str, ...]:
        """The caption of each image, all different."""
        return tuple(caption(scene) for scene in self.scenes)

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """One scene per image: there are no patients."""
        return tuple(f"scene-{scene.seed}-{scene.index}" for scene in self.scenes)

    @cached_property
    def image_groups(self) -> NDArray[np.int64]:
        """(images,) group numbers: each image has a caption of its own."""
        return np.arange(len(self.scenes), dtype=np.int64)

    @cached_property
    def report_groups(self) -> NDArray[np.int64]:
        """(captions,) group numbers."""
        return np.arange(len(self.scenes), dtype=np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the generator's version, split, image size, ids and captions."""
        parts = (
            f"version {GENERATOR_VERSION}",
            self.split,
            str(self.size),
            *self.image_ids,
            *self.reports,
        )
        return sha256("\n".join(parts).encode()).hexdigest()

    def content_digest(self, index: int) -> bytes:
        """32 bytes that follow from the generator's version, the choices and the image.

        Nothing is drawn for them.
        """
        return sha256(f"{self.fingerprint} {index}".encode()).digest()

    def image(self, index: int) -> Image.Image:
        """The picture `index` (0..images - 1), mode `RGB`; safe to call from several threads."""
        if not 0 <= index < len(self.scenes):
            raise IndexError(
                f"Expected an image number from 0 to {len(self.scenes) - 1}, got"
                f" index={index!r}; open the data set with more pairs."
            )
        return Image.fromarray(render(self.scenes[index], self.size))


def _distinct(pairs: int, split: str) -> tuple[Scene, ...]:
    """The first `pairs` scenes whose shapes and caption no scene before them has."""
    scenes: dict[tuple[object, ...], Scene] = {}
    captions: set[str] = set()
    for index in count():
        scene = draw(SEEDS[split], index, split)
        text = caption(scene)
        # Two scenes may be described in the same words: strict recall needs different ones.
        if scene.key not in scenes and text not in captions:
            scenes[scene.key] = scene
            captions.add(text)
        if len(scenes) == pairs:
            break
    return tuple(scenes.values())


def _out_of_range(expected: str, name: str, value: object) -> DatasetError:
    return DatasetError(
        f"Expected {expected}, got {name}={value!r}. Change {name} to such a value."
    )
