"""`zoom`: the film enlarged, or made smaller on a black ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import CorruptionError
from . import CorruptionEntry
from ._taps import Taps, axes_of, sampled, taps_at
from ._whole import levels_of, once, pixels_of
from .image_corruption import ImageCorruption

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region


@dataclass(frozen=True)
class Zoom(ImageCorruption):
    """Enlarged about the middle of the source, `factor` times at severity 1 and in
    proportion below, by linear interpolation.

    A factor below 1 makes the film smaller on a black ground, as a larger detector does;
    its pixels are not averaged. The default of 1.5 is this package's choice.

    >>> Zoom(factor=0.7).name
    'zoom(factor=0.7)'
    """

    factor: float = 1.5

    family: ClassVar[str] = "zoom"
    rises_by_film: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0.25 <= self.factor <= 4 or self.factor == 1:
            raise CorruptionError(
                "Expected a factor from 0.25 to 4 that is not 1, got"
                f" factor={self.factor!r}. Use 1.5 to enlarge the film, or 0.7 to make it"
                " smaller."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): the film at that size."""
        factor = 1 + (self.factor - 1) * severity
        rows, columns = once(region, "taps", lambda: _taps(region, factor))
        return pixels_of(sampled(levels_of(region), rows, columns))


def _taps(region: Region, factor: float) -> list[Taps]:
    """What the rows and the columns show at that size."""
    return [
        taps_at(axis, (axis.positions - 0.5) / factor + 0.5, region.shown.device)
        for axis in axes_of(region)
    ]


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Zoom.family,
            summary="the film enlarged, or made smaller on a black ground",
            parameters={"factor": float},
            build=Zoom,
        )
    )
