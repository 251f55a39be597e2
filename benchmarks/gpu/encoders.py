"""The encoders that the script runs: a projection that retrieves without training, the
embedded ones, and a ViT-B/16 of random weights.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image, Resampling
from torch import Tensor

from pytest_retrieval_robust import dataset_from_lists
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.batches import scene_of, setting_of
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.models import (
    DualEncoder,
    LoadRequest,
    ModelCard,
    Precision,
    Prepared,
)
from pytest_retrieval_robust.models._formats.open_clip.loading import load_file
from pytest_retrieval_robust.models._formats.pictures import stretch
from pytest_retrieval_robust.occluders.scene import Scene

_COARSE = 16
"""Cells of a pattern along each side."""
_WIDTH = 128
"""Numbers of a row."""
_NOISE = 0.35
"""Of a report's pattern: enough that a clean image is not always found."""


class Projection:
    """Projects means of a coarse grid at random, images and reports alike.

    A report names a pattern by its number (`patterns`), and is encoded as that pattern
    with some noise: an image is found by its report, and less so the more of it is
    hidden. It runs wherever sums and products do, and needs no weights.
    """

    name = "projection"

    def __init__(self, device: str, side: int = 224) -> None:
        self.device = device
        self.card = ModelCard("a random projection", sha256=sha256(b"1").hexdigest())
        self._prepare = stretch(side, Resampling.BILINEAR)
        generator = torch.Generator().manual_seed(0)
        matrix = torch.randn(3 * _COARSE**2, _WIDTH, generator=generator)
        self._matrix = matrix.to(device)

    def prepare(self, image: Image) -> Prepared:
        return self._prepare(image)

    def encode_images(self, pixels: Tensor) -> Tensor:
        means = torch.nn.functional.adaptive_avg_pool2d(pixels, _COARSE)
        return _unit((means - 0.5).flatten(1) @ self._matrix)

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        patterns = np.stack([_noisy(_number_in(text)) for text in texts])
        coarse = torch.from_numpy(patterns).to(self.device)
        return _unit((coarse - 0.5).repeat(1, 3) @ self._matrix)

    def scene(self, dataset: RetrievalDataset, numbers: Iterable[int]) -> Scene:
        """Images of a data set, as an occluder sees them."""
        pairs = pairs_of(dataset)
        return scene_of(setting_of(self, pairs), self, pairs, list(numbers))


class OneBuffer(Projection):
    """Returns the same memory each time, as a replayed graph does."""

    def __init__(self, device: str, side: int = 224) -> None:
        super().__init__(device, side)
        self._rows = torch.zeros(1024, _WIDTH, device=device)

    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = super().encode_images(pixels)
        return self._rows[: len(rows)].copy_(rows)


def patterns(count: int, side: int = 96) -> RetrievalDataset:
    """Pictures of coarse patterns, each with the report that names it."""
    images = []
    for number in range(count):
        levels = (_pattern(number).reshape(_COARSE, _COARSE) * 255).astype(np.uint8)
        images.append(np.kron(levels, np.ones((side // _COARSE,) * 2, np.uint8)))
    reports = [f"pattern number {number}" for number in range(count)]
    return dataset_from_lists("patterns", images, reports)


def vit(
    device: str, precision: Precision, folder: Path, architecture: str = "ViT-B-16"
) -> DualEncoder:
    """An open_clip architecture with random weights of a fixed seed."""
    import open_clip

    file = folder / f"{architecture}.pt"
    if not file.exists():
        torch.manual_seed(0)
        network = open_clip.create_model(architecture, pretrained=None)
        # Moved when it is whole: two processes may make it at once.
        part = file.with_suffix(f".{os.getpid()}")
        torch.save(network.state_dict(), part)
        part.replace(file)
    request = LoadRequest(device, precision)
    return load_file("vit", architecture, file, request, source="random weights")


@cache
def _pattern(number: int) -> NDArray[np.float32]:
    return np.random.default_rng(number).random(_COARSE**2, dtype=np.float32)


def _noisy(number: int) -> NDArray[np.float32]:
    noise = np.random.default_rng([number, 1]).standard_normal(_COARSE**2)
    return (_pattern(number) + _NOISE * noise).astype(np.float32)


def _number_in(text: str) -> int:
    """The number that a report names; for another text, one of its own."""
    found = re.fullmatch(r"pattern number (\d+)", text)
    return int(found[1]) if found else len(text) + 10**6


def _unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=1)
