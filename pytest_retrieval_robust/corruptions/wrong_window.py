"""`wrong-window`: the display window of other tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import CorruptionError
from . import CorruptionEntry
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class WrongWindow(ImageCorruption):
    """Grey values from `low` to `high` are stretched over the whole range; what is below
    turns black, what is above white.

    A switch: every severity above 0 is the same. The default shows the brighter half
    alone, as a window for bone does: the lungs are black. Its limits are this package's
    choice.

    >>> WrongWindow(low=0.0, high=0.5).name
    'wrong-window(high=0.5,low=0)'
    """

    low: float = 0.5
    high: float = 1.0

    family: ClassVar[str] = "wrong-window"

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 1:
            raise CorruptionError(
                "Expected a window with 0 <= low < high <= 1, got"
                f" low={self.low!r}, high={self.high!r}. Use low=0.5, high=1 for the"
                " brighter half."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:  # noqa: ARG002
        """(b, 3, h, w) or (b, 1, h, w): the pixels under that window."""
        return (region.greys - self.low).div_(self.high - self.low).clamp_(0, 1)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=WrongWindow.family,
            summary="the display window of other tissue",
            parameters={"low": float, "high": float},
            build=WrongWindow,
            is_switch=True,
        )
    )
