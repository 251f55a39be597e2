"""What a device made of a part of a batch, on its way from the lane to the writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...core.downloads import Download
from ...occluders._frames import hidden_pixels, visible_share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ...occluders import Box


class ArrivedPart(NamedTuple):
    """What the host has of a part, not checked yet."""

    rows: Tensor
    visible: float
    """The sum over the images of the share of their visible part that was hidden."""


@dataclass(frozen=True, repr=False)
class EncodedPart:
    """Rows and hidden pixels of some images, which the device may not have made yet."""

    shares: NDArray[np.float64]
    """The share of each source image that was hidden."""
    frames: Sequence[Box]
    size: tuple[int, int] | None
    """(height, width) of the mask; None where nothing was hidden."""
    download: Download

    def wait(self) -> ArrivedPart:
        """Wait for this part alone, and not for what the device was asked for since."""
        if self.size is None:
            [rows] = self.download.wait()
            return ArrivedPart(rows, 0.0)
        rows, hidden = self.download.wait()
        share = visible_share(hidden, self.frames, self.size)
        return ArrivedPart(rows, share * len(self.frames))


def begin_to_copy(
    rows: Tensor,
    shares: NDArray[np.float64],
    mask: Tensor | None,
    frames: Sequence[Box],
    device: str,
) -> EncodedPart:
    """A part whose copy to the host is asked for here, in the order of the lane's work.

    `mask` is (K, 1, H, W), or None where nothing was hidden. A number per image leaves
    the device in its place.
    """
    if mask is None:
        return EncodedPart(shares, frames, None, Download.of([rows], device))
    download = Download.of([rows, hidden_pixels(mask)], device)
    size = (mask.shape[2], mask.shape[3])
    return EncodedPart(shares, frames, size, download)
