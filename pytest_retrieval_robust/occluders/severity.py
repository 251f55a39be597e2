"""The base of severity occluders, which draw something that grows with the level."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .cells import CellOccluder, check_level
from .fills import check_fill

if TYPE_CHECKING:
    import torch

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
        import torch

        return torch.from_numpy(_drawn(self, tuple(ids), seed)).to(device)

    def threshold(self, level: float) -> int:
        check_level(level)
        return round(float(level) * STEPS) + 1

    def shares(self, ids: Sequence[str], level: float, seed: int) -> list[float]:
        hidden = self._hidden(ids, level, seed, "cpu")
        return [float(share) for share in hidden.flatten(1).double().mean(dim=1)]


@lru_cache(maxsize=2)
def _drawn(
    occluder: SeverityOccluder, ids: tuple[str, ...], seed: int
) -> NDArray[np.int16]:
    """(B, CELLS, CELLS) on the host.

    Cached, because the mask needs it on the pixels' device and the shares on the host.
    """
    drawn = np.empty((len(ids), CELLS, CELLS), dtype=np.int16)
    for row, image_id in enumerate(ids):
        drawn[row] = occluder.onsets(image_id, seed)
    return drawn
