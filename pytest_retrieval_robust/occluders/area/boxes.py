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

        drawn = words(
            ids,
            seed,
            "boxes",
            torch.arange(3 * self.count, device=integer_device(device)),
        )
        aspects, across, down = drawn.reshape(-1, self.count, 3).unbind(2)
        firsts = None
        for number in range(
            self.count
        ):  # one at a time: all at once would take `count` times the memory
            times = growth(
                self.grid,
                aspects[:, number] % len(ASPECTS),
                across[:, number],
                down[:, number],
            )
            firsts = times if firsts is None else firsts.minimum(times)
        assert firsts is not None
        return in_order(firsts).to(device)


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Boxes.family,
            summary="several rectangles of random place and aspect",
            parameters={"grid": int, "fill": str, "count": int},
            build=Boxes,
        )
    )
