"""The base of severity occluders, which draw something that grows with the level."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.uploads import upload
from .cells import CellOccluder, check_level
from .fills import check_fill
from .hashing import check_seed

if TYPE_CHECKING:
    import torch

    from .drawn_ahead import DrawnAhead

CELLS = 256
"""Along each side: a cell is 0.4 % of the image's side, the width of a thin catheter."""
STEPS = 1000
"""Severities differ by a thousandth or more."""
NEVER = 32_767
"""The onset of a cell that no severity hides."""
Onsets: TypeAlias = NDArray[np.int16]
"""(CELLS, CELLS): the severity, in 1..STEPS thousandths, from which a cell is hidden,
or `NEVER`.
"""


@dataclass(frozen=True)
class SeverityOccluder(CellOccluder):
    """Hides the cells whose onset the severity has reached; a subclass draws the onsets
    of one image.

    The level is a severity from 0 (nothing) to 1 (all that the occluder draws): the
    share of the image that it hides is recorded, not asked for. Nested by construction
    and bit-identical everywhere: onsets are drawn on the host, in whole numbers, from
    the seed and the image's id.

    Args:
        fill: One of `fills.FILLS`.
    """

    fill: str = "white"

    def __post_init__(self) -> None:
        check_fill(self.fill)

    @abstractmethod
    def onsets(self, image_id: str, seed: int) -> Onsets:
        """When each cell of the image is hidden."""

    @property
    def cells(self) -> int:
        return CELLS

    def priorities(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        return upload(self._drawn(ids, seed), device)

    def _drawn(self, ids: Sequence[str], seed: int) -> Onsets:
        """(B, CELLS, CELLS) on the host."""
        # The mask needs it on the pixels' device and the shares on the host.
        memory = self._memory
        if memory is None:
            return _drawn(self, tuple(ids), seed)
        return memory.drawn(self, ids, seed)

    def threshold(self, level: float) -> int:
        check_level(level)
        return round(float(level) * STEPS) + 1

    def shares(self, ids: Sequence[str], level: float, seed: int) -> list[float]:
        check_level(level)
        check_seed(seed)
        threshold = self.threshold(level)
        memory = self._memory
        if memory is None:
            counts = _counts(self, tuple(ids), seed)
        else:
            counts = memory.onset_counts(self, ids, seed)
        # A subclass may have thresholds of its own.
        if not 1 <= threshold <= STEPS + 1:
            hidden = self.hidden_cells_of(ids, level, seed, "cpu").mask
            return hidden.flatten(1).double().mean(dim=1).tolist()
        shares: list[float] = (counts[:, threshold - 1] / self.cells**2).tolist()
        return shares


def counts_of(onsets: NDArray[Any]) -> NDArray[np.int32]:
    """(B, STEPS + 1): for each image, how many cells have an onset of at most 0, 1,
    ..., STEPS.
    """
    counts = np.empty((len(onsets), STEPS + 1), dtype=np.int32)
    for row, of_image in enumerate(onsets):
        # Most cells are never hidden. What is left out here is cheaper than what is counted.
        sometime = of_image[of_image <= STEPS]
        counts[row] = np.bincount(np.maximum(sometime, 0), minlength=STEPS + 1).cumsum()
    return counts


def draw_all(
    occluder: SeverityOccluder,
    ids: Sequence[str],
    seed: int,
    ahead: DrawnAhead | None = None,
) -> Onsets:
    """(B, CELLS, CELLS): the onsets of every image, as far as they were not drawn ahead."""
    drawn = np.empty((len(ids), CELLS, CELLS), dtype=np.int16)
    for row, image_id in enumerate(ids):
        drawing = None if ahead is None else ahead.drawing(occluder, image_id, seed)
        if drawing is None:
            drawn[row] = occluder.onsets(image_id, seed)
        else:
            drawn[row] = NEVER
            drawing.draw_on(drawn[row])
    return drawn


@lru_cache(maxsize=2)
def _drawn(occluder: SeverityOccluder, ids: tuple[str, ...], seed: int) -> Onsets:
    """Those of an occluder that is bound to no batch, kept for the next level."""
    return draw_all(occluder, ids, seed)


@lru_cache(maxsize=8)
def _counts(
    occluder: SeverityOccluder, ids: tuple[str, ...], seed: int
) -> NDArray[np.int32]:
    """The same, counted."""
    return counts_of(occluder.priorities(ids, seed, "cpu").numpy())
