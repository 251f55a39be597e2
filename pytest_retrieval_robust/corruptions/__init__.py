"""Corruptions, which change how an image was acquired: the protocol and what a catalogue
entry is.

One file of this folder is one entry: it defines `register(catalogue)` and imports
anything heavy inside functions. Their base is in `image_corruption`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..core.encoding import WHOLE, Box, Frame

if TYPE_CHECKING:
    import torch

    from ..occluders.scene import Scene

__all__ = ["WHOLE", "Box", "Corruption", "CorruptionEntry", "Frame"]


@runtime_checkable
class Corruption(Protocol):
    """Changes each image: not at all at severity 0, and never less at a higher one.

    Where that holds for the mean of many images alone, and a single one may come a little
    nearer to itself, the corruption has an attribute `rises_by_film = False`.

    What is changed depends only on the seed, the image's id, its pixels and the
    severity, so it is the same for every batch, worker, device and model.
    """

    @property
    def name(self) -> str:
        """The canonical name: `jpeg`, or `jpeg(preset=medmnist-c)` where parameters are
        not the defaults.
        """

    def bind(self, scene: Scene) -> Corruption:
        """The corruption for the batch of `scene`: itself, unless severities share
        something that is worth keeping.
        """

    def corrupt(
        self,
        pixels: torch.Tensor,
        ids: Sequence[str],
        severity: float,
        seed: int,
        frame: Frame,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """`pixels`, (B, 3, H, W) floating on the 0..1 scale or uint8, changed inside of
        `frame`; padding stays as it is.
        """


@dataclass(frozen=True)
class CorruptionEntry:
    """A corruption of the catalogue: a name, one line about it, its parameters with
    their types, and how to build it.
    """

    name: str
    summary: str
    parameters: Mapping[str, type]
    """What may stand in parentheses after the name: `{"preset": str}`."""
    build: Callable[..., Corruption]
    """Takes the parameters by keyword; those that are omitted have their defaults."""
    is_switch: bool = False
    """Done or not done: every severity above 0 is the same."""
