"""What a device made of a part of a batch, on its way from the lane to the writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...core.downloads import Download
from ...occluders._frames import visible_level_of
from ...occluders._own_methods import keeps_methods

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ...core.cases import Cell
    from ...occluders import Box, Occluder


class ArrivedPart(NamedTuple):
    """What the host has of a part, not checked yet."""

    rows: Tensor
    visible: float
    """The sum over the images of the share of their visible part that was hidden, or of
    the severity.
    """
    altered: int | None = None
    """How many images a corruption changed; None where none was used."""


@dataclass(frozen=True, repr=False)
class EncodedPart:
    """The copy to the host is asked for in the order of the lane's work."""

    shares: NDArray[np.float64]
    """(K,) the share of each source image that was hidden, or the severity."""
    frames: Sequence[Box]
    size: tuple[int, int]
    """(height, width) of the pixels."""
    download: Download
    """The rows; beside them (K,) how many pixels were hidden, or whether a corruption
    changed the image.
    """
    severity: float | None = None
    """That of a corruption, which changes all that is visible; None without one."""

    def wait(self) -> ArrivedPart:
        """Wait for this part alone, and not for what the device was asked for since."""
        rows, *counted = self.download.wait()
        if self.severity is not None:
            (altered,) = counted
            visible = self.severity * len(self.frames)
            return ArrivedPart(rows, visible, int(altered.sum()))
        visible = 0.0
        for pixels in counted:
            share = visible_level_of(pixels, self.frames, self.size)
            visible = share * len(self.frames)
        return ArrivedPart(rows, visible)


def hidden_pixels(
    occluder: Occluder,
    ids: Sequence[str],
    cell: Cell,
    size: tuple[int, int],
    frames: Sequence[Box],
    device: str,
) -> Tensor:
    """(K,) int64 on the device: how many pixels of each image the occluder's mask hides."""
    arguments = (ids, cell.level, cell.seed, size, frames, device)
    # The usual mask is that of cells, which can be counted undrawn.
    if keeps_methods(occluder, "mask", "hidden_pixels", "hidden_cells_of"):
        return occluder.hidden_pixels(*arguments)
    return occluder.mask(*arguments).sum(dim=(1, 2, 3))
