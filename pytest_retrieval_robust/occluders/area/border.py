"""`border`: from all edges inwards, as a collimator closes; a window is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import OccluderEntry
from ..hashing import integer_device, words
from . import AreaOccluder
from ._growth import OWN_ASPECT, PIN_BITS, growth, in_order

if TYPE_CHECKING:
    import torch

    from ...core.catalogue import Catalogue


@dataclass(frozen=True)
class Border(AreaOccluder):
    """A window of the image's aspect is left, a little off the centre, which shrinks as
    the level rises.

    >>> Border(fill="mean").name
    'border(fill=mean)'
    """

    grid: int = 32

    family: ClassVar[str] = "border"

    def order(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) int64: the window's growth, read backwards."""
        import torch

        counters = torch.arange(2, device=integer_device(device))
        drawn = words(ids, seed, "border", counters)
        # The window's pin lies in the middle quarter of the room that there is.
        across, down = ((drawn >> 2) + (3 << (PIN_BITS - 3))).unbind(1)
        aspects = torch.full_like(across, OWN_ASPECT)
        window = in_order(growth(self.grid, aspects, across, down))
        return (self.grid**2 - 1 - window).to(device)


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Border.family,
            summary="from all edges inwards: what is left is a window (collimation)",
            parameters={"grid": int, "fill": str},
            build=Border,
        )
    )
