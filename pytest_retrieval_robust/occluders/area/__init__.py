"""Area occluders hide exactly the share of the source image that the level says. The
base of them is here, and each of them is a file of this folder.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from .._checks import check_whole
from .._frames import visible_level
from ..cells import CellOccluder, check_level
from ..fills import check_fill

if TYPE_CHECKING:
    import torch

__all__ = ["AreaOccluder", "visible_level"]


@dataclass(frozen=True)
class AreaOccluder(CellOccluder):
    """Hides the first `round(level * grid * grid)` cells of an order that a subclass
    gives for each image.

    By construction it is the identity at level 0, hides every source pixel at 1, is
    nested in the level for a fixed seed, exact to a cell, and bit-identical for every
    batch split, order, worker and device. A subclass is a frozen dataclass that sets
    `family` and gives `order`; fields that it adds become parameters of the name.

    Args:
        grid: Cells along each side of the source image, 1 to 256.
        fill: One of `fills.FILLS`; black means air on a radiograph.
    """

    grid: int = 16
    fill: str = "black"

    def __post_init__(self) -> None:
        check_whole("grid", self.grid, 1, 256)
        check_fill(self.fill)

    @abstractmethod
    def order(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) int64: for each image, a permutation of 0..G*G-1 that says when
        each cell is hidden.
        """

    @property
    def cells(self) -> int:
        return self.grid

    def priorities(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        return self.order(ids, seed, device)

    def threshold(self, level: float) -> int:
        return self.hidden_cells(level)

    def hidden_cells(self, level: float) -> int:
        """How many of the `grid * grid` cells `level` hides, halves rounded up; 0.3
        means the decimal 0.3.
        """
        check_level(level)
        # The shortest decimal of the float is the one that was typed.
        cells = Decimal(str(float(level))) * self.grid**2
        return int(cells.to_integral_value(ROUND_HALF_UP))

    def achieved_level(self, level: float) -> float:
        """The share of cells that is hidden when `level` is asked for: within half a cell of it."""
        return self.hidden_cells(level) / self.grid**2

    def shares(
        self,
        ids: Sequence[str],
        level: float,
        seed: int,  # noqa: ARG002 - the share is the same for all
    ) -> list[float]:
        return [self.achieved_level(level)] * len(ids)
