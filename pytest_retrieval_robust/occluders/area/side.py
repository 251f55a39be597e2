"""`side`: from the left or the right edge inwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import OccluderEntry
from .._checks import check_choice
from ..hashing import integer_device, words
from . import AreaOccluder

if TYPE_CHECKING:
    import torch

    from ...core.catalogue import Catalogue

EDGES = ("either", "left", "right")


@dataclass(frozen=True)
class Side(AreaOccluder):
    """Columns from one edge of the picture inwards; each is hidden from the top down.

    >>> Side(edge="left").name
    'side(edge=left)'

    Args:
        grid: Cells along each side.
        fill: One of `fills.FILLS`.
        edge: `left` or `right` of the picture, not of the patient; `either`: drawn for
            each image.
    """

    grid: int = 32
    edge: str = "either"

    family: ClassVar[str] = "side"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("edge", self.edge, EDGES)

    def order(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) int64: column by column from the edge."""
        import torch

        numbers = torch.arange(self.grid, device=integer_device(device))
        from_left = numbers * self.grid + numbers[:, None]
        from_right = from_left.flip(1)
        if self.edge == "either":
            is_left = words(ids, seed, "side", numbers[:1])[:, :, None] % 2 == 0
            return torch.where(is_left, from_left, from_right).to(device)
        order = from_left if self.edge == "left" else from_right
        return order.expand(len(ids), -1, -1).to(device)


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Side.family,
            summary="from the left or the right edge inwards",
            parameters={"grid": int, "fill": str, "edge": str},
            build=Side,
        )
    )
