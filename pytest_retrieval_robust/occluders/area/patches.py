"""`patches`: square cells hidden in random order, the occlusion of arXiv 2501.09134."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import OccluderEntry
from ..hashing import integer_device, places, words
from . import AreaOccluder

if TYPE_CHECKING:
    import torch

    from ...core.catalogue import Catalogue


@dataclass(frozen=True)
class Patches(AreaOccluder):
    """Cells of a `grid` x `grid` division of the source image, hidden in an order drawn
    from (seed, image id, cell).

    >>> Patches().name, Patches(grid=14, fill="mean").name
    ('patches', 'patches(fill=mean,grid=14)')
    >>> Patches(grid=4).achieved_level(0.3)
    0.3125
    """

    family: ClassVar[str] = "patches"

    def order(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) int64: for each image, the place of each cell in a random order."""
        import torch

        count = self.grid**2
        cells = torch.arange(count, dtype=torch.int64, device=integer_device(device))
        # The cell's number makes each key unique: a sort has no ties that it could
        # break in its own way.
        keys = words(ids, seed, "order", cells) * count + cells
        return places(keys).reshape(-1, self.grid, self.grid).to(device)


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Patches.family,
            summary="square cells of the image, hidden in random order",
            parameters={"grid": int, "fill": str},
            build=Patches,
        )
    )
