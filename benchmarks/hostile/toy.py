"""A small world in which retrieval is real and cheap.

Pictures show drawn patterns, and reports name them.

The honest encoder finds every report while nothing is hidden, and fewer with each
level. It costs milliseconds, so that thousands of trials can be made. Nothing of it
needs transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.models import LoadRequest, ModelCard, ModelEntry, Prepared

PAIRS = 120
SIDE = 32
PATTERN = 4
NOISE = 0.35
MODEL = "toy"
DATASET = "toy-set"


@cache
def pattern(number: int) -> NDArray[np.float32]:
    """(16,) what report `number` names, of mean 0."""
    rng = np.random.default_rng([7, number])
    drawn = rng.random(PATTERN * PATTERN).astype(np.float32)
    centred: NDArray[np.float32] = drawn - drawn.mean()
    return centred


@cache
def picture(number: int) -> Image.Image:
    """The pattern as a picture, with grain of its own."""
    rng = np.random.default_rng([8, number])
    levels = 0.5 + 0.4 * pattern(number) + NOISE * (rng.random(PATTERN * PATTERN) - 0.5)
    grey = (255 * levels.clip(0, 1)).astype(np.uint8).reshape(PATTERN, PATTERN)
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.NEAREST)


class ToyDataset:
    """Pairs of pictures and reports; each is a patient of its own."""

    name = DATASET
    split = "test"
    text = "full"
    relevance = "same-text"

    def __init__(self, pairs: int = PAIRS) -> None:
        self.pairs = pairs

    @property
    def fingerprint(self) -> str:
        return f"{self.pairs:064x}"

    @cached_property
    def image_ids(self) -> Sequence[str]:
        return [f"picture-{number}" for number in range(self.pairs)]

    @cached_property
    def reports(self) -> Sequence[str]:
        return [f"pattern {number}" for number in range(self.pairs)]

    @cached_property
    def image_groups(self) -> NDArray[np.int64]:
        return np.arange(self.pairs)

    @cached_property
    def report_groups(self) -> NDArray[np.int64]:
        return np.arange(self.pairs)

    @property
    def patients(self) -> Sequence[str]:
        return self.image_ids

    def image(self, index: int) -> Image.Image:
        return picture(index).copy()


def image_rows(pixels: Any) -> Any:
    """(B, 16) what an honest encoder makes of pixels, tensor or array."""
    grey = pixels.mean(1)
    block = SIDE // PATTERN
    blocks = grey.reshape(len(grey), PATTERN, block, PATTERN, block).mean(4).mean(2)
    rows = blocks.reshape(len(grey), -1)
    return rows - rows.mean(1).reshape(-1, 1)


def report_rows(texts: Sequence[str]) -> NDArray[np.float32]:
    """(B, 16) what it makes of reports."""
    return np.stack([pattern(_number_in(text)) for text in texts])


def _number_in(text: str) -> int:
    """The number that a report names; 0 for any other text."""
    digits = "".join(letter for letter in text if letter in "0123456789")
    return int(digits[-4:] or "0")


class ToyEncoder:
    """The honest encoder. Trials derive from it and misbehave."""

    name = MODEL
    device = "cpu"
    card = ModelCard(source="toy", sha256="7" * 64, input_size=SIDE)

    def prepare(self, image: Image.Image) -> Prepared:
        colours = image.convert("RGB")
        small = np.asarray(colours.resize((SIDE, SIDE), Image.Resampling.NEAREST))
        pixels = np.ascontiguousarray(small.transpose(2, 0, 1))
        return Prepared(pixels, (0.0, 0.0, 1.0, 1.0))

    def encode_images(self, pixels: Tensor) -> Any:
        return unit(image_rows(pixels))

    def encode_reports(self, texts: Sequence[str]) -> Any:
        return unit(torch.from_numpy(report_rows(texts)))


class ChanceEncoder(ToyEncoder):
    """One whose reports have nothing to do with its images."""

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        others = [f"pattern {5000 + int(text.split()[-1])}" for text in texts]
        rows: Tensor = super().encode_reports(others)
        return rows


def unit(rows: Tensor) -> Tensor:
    lengths: Tensor = rows.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    return rows / lengths


def model_entry(
    name: str, encoder: type[ToyEncoder] = ToyEncoder, missing: str | None = None
) -> ModelEntry:
    """An entry of the catalogue whose model bears the entry's name."""

    def load(_: LoadRequest) -> Any:
        loaded = encoder()
        loaded.name = name
        return loaded

    return ModelEntry(
        name, "a toy", load, missing=lambda _: missing, fetchable=missing is None
    )


def register(catalogues: Catalogues) -> None:
    """Add the toys and their data sets.

    Two models work, one is at chance, and the weights of one are missing.
    """
    catalogues.models.add(model_entry(MODEL))
    catalogues.models.add(model_entry("toy-second"))
    catalogues.models.add(model_entry("toy-chance", ChanceEncoder))
    missing = "the weights of toy-absent are not here; bring them"
    catalogues.models.add(model_entry("toy-absent", missing=missing))
    catalogues.datasets.add(DatasetEntry(DATASET, "toys", ToyDataset))
    catalogues.datasets.add(DatasetEntry("toy-ten", "ten toys", _ten))


def _ten() -> ToyDataset:
    dataset = ToyDataset(10)
    dataset.name = "toy-ten"
    return dataset
