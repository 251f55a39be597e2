"""`grid`: a regular lattice of squares, as GridMask (arXiv 2001.04086) hides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from ...core.uploads import upload
from .. import OccluderEntry
from .._checks import check_whole
from ..hashing import integer_device, words
from . import AreaOccluder
from ._growth import in_order

if TYPE_CHECKING:
    import torch

    from ...core.catalogue import Catalogue


@dataclass(frozen=True)
class Grid(AreaOccluder):
    """A lattice of squares `period` cells apart, shifted at random for each image; all
    squares grow alike.

    >>> Grid(period=4).name
    'grid(period=4)'

    Args:
        grid: Cells along each side.
        fill: One of `fills.FILLS`.
        period: Cells from one square to the next, 2 to `grid`: `grid / period` squares
            lie along each side.
    """

    grid: int = 32
    period: int = 8

    family: ClassVar[str] = "grid"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("period", self.period, 2, max(2, self.grid))

    def order(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) int64: in every square of the lattice the same cells at the same time."""
        import torch

        counters = torch.arange(2, device=integer_device(device))
        down, across = words(ids, seed, "grid", counters).unbind(1)
        numbers = torch.arange(self.grid, device=counters.device)
        # Each cell's row and column within its square of the lattice.
        rows = (numbers + down[:, None]) % self.period
        columns = (numbers + across[:, None]) % self.period
        square = upload(_growing_square(self.period), counters.device)
        return in_order(square[rows[:, :, None], columns[:, None, :]]).to(device)


@lru_cache(maxsize=8)
def _growing_square(side: int) -> torch.Tensor:
    """(side, side) int64: when each cell joins a square that grows from a corner, a row
    and a column at a time.
    """
    import torch

    cells = [(row, column) for row in range(side) for column in range(side)]
    # The square's new column first, from the top, then its new row.
    cells.sort(key=lambda cell: (max(cell), cell[1] < cell[0], cell))
    times = torch.zeros((side, side), dtype=torch.int64, device="cpu")
    for time, (row, column) in enumerate(cells):
        times[row, column] = time
    return times


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Grid.family,
            summary="a regular lattice of squares, shifted at random",
            parameters={"grid": int, "fill": str, "period": int},
            build=Grid,
        )
    )
