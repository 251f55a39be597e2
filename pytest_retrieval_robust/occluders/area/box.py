"""`box`: one rectangle, as random erasing (arXiv 1708.04896) hides it, at every level
up to the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import OccluderEntry
from .._checks import check_choice
from ..hashing import integer_device, words
from . import AreaOccluder
from ._growth import ASPECTS, OWN_ASPECT, PIN_BITS, growth, in_order

if TYPE_CHECKING:
    import torch

    from ...core.catalogue import Catalogue

# Corner -> (at the right, at the bottom).
_CORNERS = {
    "top-left": (0, 0),
    "top-right": (1, 0),
    "bottom-left": (0, 1),
    "bottom-right": (1, 1),
}
PLACES = ("random", *_CORNERS)


@dataclass(frozen=True)
class Box(AreaOccluder):
    """One rectangle that grows over the image.

    Its place, and its aspect from 0.3 to 3.3, are drawn for each image.

    As the level rises to 1 the aspect tends to the image's own, and the rectangle to
    the whole image.

    >>> Box(at="top-left").name
    'box(at=top-left)'

    Args:
        grid: Cells along each side. The rectangle's last row or column may be
            unfinished, because the share is exact to a cell.
        fill: One of `fills.FILLS`.
        at: `random`, or a corner to grow from, with the image's aspect: `top-left`,
            `top-right`, `bottom-left`, `bottom-right` (of the picture, not of the
            patient).
    """

    grid: int = 32
    at: str = "random"

    family: ClassVar[str] = "box"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("at", self.at, PLACES)

    def order(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) int64: cells by the step at which the rectangle reaches them."""
        import torch

        if self.at in _CORNERS:
            order = self._from_corner(integer_device(device))
            return order.expand(len(ids), -1, -1).to(device)
        counters = torch.arange(3, device=integer_device(device))
        aspect, across, down = words(ids, seed, "box", counters).unbind(1)
        times = growth(self.grid, aspect % len(ASPECTS), across, down)
        return in_order(times).to(device)

    def _from_corner(self, device: str) -> torch.Tensor:
        """(1, G, G) int64: the same for every image."""
        import torch

        at_right, at_bottom = _CORNERS[self.at]
        last_pin = (1 << PIN_BITS) - 1
        aspect = torch.full((1,), OWN_ASPECT, device=device)
        across = torch.full((1,), at_right * last_pin, device=device)
        down = torch.full((1,), at_bottom * last_pin, device=device)
        return in_order(growth(self.grid, aspect, across, down))


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Box.family,
            summary=(
                "one rectangle of random place and aspect, or from a corner, that grows"
                " to the whole image"
            ),
            parameters={"grid": int, "fill": str, "at": str},
            build=Box,
        )
    )
