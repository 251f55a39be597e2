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

_CORNERS = {
    "top-left": (0, 0),
    "top-right": (1, 0),
    "bottom-left": (0, 1),
    "bottom-right": (1, 1),
}
PLACES = ("random", *_CORNERS)


@dataclass(frozen=True)
class Box(AreaOccluder):
    """One rectangle that grows over the image: its place, and its aspect from 0.3 to
    3.3, are drawn for each image.

    As the level rises to 1 the aspect tends to the image's own, and the rectangle to
    the whole image.

    >>> Box(at="top-left").name
    'box(at=top-left)'

    Args:
        grid: Cells along each side; its last row or column may be unfinished, since the
        share is exact to a cell. fill: One of `fills.FILLS`. at: `random`, or a corner
        to grow from, with the image's aspect: `top-left`, `top-right`, `bottom-left`,
            `bottom-right` (of the picture, not of the patient).
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
            pins = [((1 << PIN_BITS) - 1) * side for side in _CORNERS[self.at]]
            aspects = torch.tensor([OWN_ASPECT], device=integer_device(device))
            across, down = (torch.tensor([pin], device=aspects.device) for pin in pins)
            return (
                in_order(growth(self.grid, aspects, across, down))
                .expand(len(ids), -1, -1)
                .to(device)
            )
        drawn = words(ids, seed, "box", torch.arange(3, device=integer_device(device)))
        return in_order(
            growth(self.grid, drawn[:, 0] % len(ASPECTS), drawn[:, 1], drawn[:, 2])
        ).to(device)


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
