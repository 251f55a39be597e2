"""Training batches: each is a pure function of the seed and its number, so a run can go
on from any step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.corpus import Corpus
from training.hiding import hide_some
from training.network import normalise, on_unit_scale

_SHIFT = 3
# Batches among which reports are sorted by length.
_BLOCK = 16


@dataclass(frozen=True)
class Batch:
    """Pixels (batch, 3, size, size), token ids (batch, longest), labels (batch, slots)."""

    pixels: Tensor
    tokens: Tensor
    labels: Tensor


class Batches:
    """Batches of `size` pairs in a fresh order each time the pairs run out."""

    def __init__(
        self,
        corpus: Corpus,
        ids: NDArray[np.int64],
        size: int,
        seed: int,
        hidden: float,
    ) -> None:
        self._corpus = corpus
        self._ids = ids
        self._seed = seed
        self._hidden = hidden
        self._size = min(size, len(corpus.reports))
        # The end has the highest id, so its first place is the length of the text.
        self._lengths = (ids == ids.max()).argmax(axis=1)
        self._blocks = max(1, len(corpus.reports) // (_BLOCK * self._size))
        self._per_epoch = len(self._shuffled(0)) // self._size
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def __getitem__(self, step: int) -> Batch:
        epoch, number = divmod(step, self._per_epoch)
        chosen = self._order(epoch)[number * self._size : (number + 1) * self._size]
        # A generator per step: a run that goes on needs no state of the steps before.
        random = np.random.Generator(np.random.PCG64([self._seed, 1, step]))
        tokens = self._ids[chosen]
        longest = int((tokens == tokens.max()).argmax(axis=1).max()) + 1
        pixels = on_unit_scale(_shifted(self._corpus.pictures[chosen], random))
        pixels = hide_some(pixels, chosen.tolist(), self._hidden, random)
        labels = torch.from_numpy(self._corpus.labels[chosen])
        return Batch(normalise(pixels), torch.from_numpy(tokens[:, :longest]), labels)

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        """Every pair once, in batches of reports of similar length, which cost less."""
        random = np.random.Generator(np.random.PCG64([self._seed, 0, epoch]))
        pairs = random.permutation(len(self._lengths))
        batches = []
        # Sorting within blocks keeps batches varied; pairs beyond whole batches are cut.
        for block in np.array_split(pairs, self._blocks):
            by_length = block[np.argsort(self._lengths[block], kind="stable")]
            usable = len(block) // self._size * self._size
            batches += list(by_length[:usable].reshape(-1, self._size))
        order = random.permutation(len(batches))
        return np.concatenate([batches[number] for number in order])


def _shifted(
    pictures: NDArray[np.uint8], random: np.random.Generator
) -> NDArray[np.uint8]:
    """Move each picture by up to `_SHIFT` pixels each way."""
    size = pictures.shape[1]
    channels = [(0, 0)] * (pictures.ndim - 3)
    margins = [(0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), *channels]
    padded = np.pad(pictures, margins, mode="edge")
    moves = random.integers(0, 2 * _SHIFT + 1, (len(pictures), 2)).tolist()
    shifted = [
        picture[y : y + size, x : x + size]
        for picture, (y, x) in zip(padded, moves, strict=True)
    ]
    return np.stack(shifted)
