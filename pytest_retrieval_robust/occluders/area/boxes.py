"""`boxes`: several rectangles at once, as coarse dropout hides them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import OccluderEntry
from .._checks import check_whole
from ..hashing import integer_device, words
from . import AreaOccluder
from ._growth import ASPECTS, growth, in_order

if TYPE_CHECKING:
    import torch

    from ...core.catalogue import Catalogue

_MOST = 64


@dataclass(frozen=True)
class Boxes(AreaOccluder):
    """`count` rectangles of random place and aspect that grow at the same pace, and may overlap.

    >>> Boxes(count=8).name
    'boxes(count=8)'

    Args:
        grid: Cells along each side.
        fill: One of `fills.FILLS`.
        count: How many, 1 to 64.
    """

    grid: int = 32
    count: int = 4

    family: ClassVar[str] = "boxes"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("count", self.count, 1, _MOST)

    def order(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) int64: cells by the step at which the first rectangle reaches them."""
        import torch

        counters = torch.arange(3 * self.count, device=integer_device(device))
        drawn = words(ids, seed, "boxes", counters).reshape(-1, self.count, 3)
        # One rectangle at a time: all at once would take `count` times the memory.
        earliest = self._times(drawn[:, 0])
        for number in range(1, self.count):
            earliest = earliest.minimum(self._times(drawn[:, number]))
        return in_order(earliest).to(device)

    def _times(self, drawn: torch.Tensor) -> torch.Tensor:
        """(B, 3) random words to (B, G, G): when one rectangle reaches each cell."""
        aspect, across, down = drawn.unbind(1)
        return growth(self.grid, aspect % len(ASPECTS), across, down)


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Boxes.family,
            summary="several rectangles of random place and aspect",
            parameters={"grid": int, "fill": str, "count": int},
            build=Boxes,
        )
    )
