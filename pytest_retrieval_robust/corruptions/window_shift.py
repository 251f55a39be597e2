"""`window-shift`: the centre of the display window is off, so all greys move alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import CorruptionError
from ..core.uploads import upload
from ..occluders.hashing import host_words
from . import CorruptionEntry
from ._presets import IMAGENET_C, PresetCorruption, Steps

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

DIRECTIONS = ("drawn", "brighter", "darker")


@dataclass(frozen=True)
class WindowShift(PresetCorruption):
    """A constant added to all grey values, or taken from them, and cut at black and white.

    The parameter is that constant, in units of the range from black to white. With
    `direction=drawn`, the default, half of the images get brighter, drawn from (seed,
    image id). `brighter` and `darker` are for all images. The steps are those of
    ImageNet-C's brightness, which is the same for grey images; MedMNIST-C multiplies.

    >>> WindowShift(direction="darker").name
    'window-shift(direction=darker)'
    """

    preset: str = IMAGENET_C
    direction: str = "drawn"

    family: ClassVar[str] = "window-shift"
    presets: ClassVar = {IMAGENET_C: Steps(0, (0.1, 0.2, 0.3, 0.4, 0.5))}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.direction not in DIRECTIONS:
            raise CorruptionError(
                f"Expected direction out of {', '.join(DIRECTIONS)}, got"
                f" direction={self.direction!r}. Choose one of them."
            )

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w) or (b, 1, h, w): the pixels under the shifted window."""
        shift = self.parameter(severity)
        if self.direction == "drawn":
            return (region.greys + self._drawn_signs(region) * shift).clamp_(0, 1)
        if self.direction == "darker":
            shift = -shift
        return (region.greys + shift).clamp_(0, 1)

    def _drawn_signs(self, region: Region) -> torch.Tensor:
        """(b, 1, 1, 1) float32: 1 or -1 for each image."""
        import torch

        words = [
            int(host_words(identity, region.seed, self.family, 1)[0])
            for identity in region.ids
        ]
        signs = [1.0 if word & 1 else -1.0 for word in words]
        on_host = torch.tensor(signs, device="cpu").reshape(-1, 1, 1, 1)
        return upload(on_host, region.greys.device)


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=WindowShift.family,
            summary="all grey values moved by one constant and cut",
            parameters={"preset": str, "direction": str},
            build=WindowShift,
        )
    )
