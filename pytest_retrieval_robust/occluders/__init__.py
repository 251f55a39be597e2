"""Occluders, which hide part of an image: the protocol and what a catalogue entry is.

One file of `area`, `drawn` or `guided` is one entry: it defines `register(catalogue)`
and imports anything heavy inside functions.

* `area` occluders hide exactly the share of the image that the level says.
* `drawn` ones draw something that grows with the level, a severity, and record the share
  that it hides. Their base is in `severity`.
* `guided` ones hide the share that the level says where it matters most, or least, to a
  model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..core.encoding import WHOLE, Box, Frame

if TYPE_CHECKING:
    import torch

    from .scene import Scene

__all__ = ["WHOLE", "Box", "Frame", "Occluder", "OccluderEntry"]


@runtime_checkable
class Occluder(Protocol):
    """Hides part of each image: nothing at level 0, and never less at a higher level.

    What is hidden depends only on the seed, the image's id and the level (and on the
    model, for the model-guided ones), so it is the same for every batch, worker and
    device.
    """

    @property
    def name(self) -> str:
        """The canonical name: `patches`, or `patches(fill=mean,grid=14)` where
        parameters are not the defaults.
        """

    def bind(self, scene: Scene) -> Occluder:
        """The occluder for the batch of `scene`: itself, unless it has to look at the
        images, the data or the model.
        """

    def shares(self, ids: Sequence[str], level: float, seed: int) -> list[float]:
        """The share of each source image's area that is hidden at `level`."""

    def mask(
        self,
        ids: Sequence[str],
        level: float,
        seed: int,
        size: int | tuple[int, int],
        frame: Frame,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """(B, 1, H, W) bool, true where a pixel is hidden; `size` is S for a square or (H, W)."""

    def occlude(
        self,
        pixels: torch.Tensor,
        ids: Sequence[str],
        level: float,
        seed: int,
        frame: Frame,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """`pixels`, (B, 3, H, W) floating on the 0..1 scale or uint8, with the fill
        where the mask is true.
        """


@dataclass(frozen=True)
class OccluderEntry:
    """An occluder of the catalogue: a name, one line about it, its parameters with
    their types, and how to build it.
    """

    name: str
    summary: str
    parameters: Mapping[str, type]
    """What may stand in parentheses after the name: `{"grid": int, "fill": str}`."""
    build: Callable[..., Occluder]
    """Takes the parameters by keyword; those that are omitted have their defaults."""
    by_name_only: bool = False
    """Not part of `all`: it needs masks of the data set, or hundreds of encodings per
    image.
    """
