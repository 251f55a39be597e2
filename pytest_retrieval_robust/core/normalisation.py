"""What an encoder does to pixels before its network sees them, as constants."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, dtype

LEVELS = 256
"""Grey levels of 8-bit pixels."""


@dataclass(frozen=True, eq=False)
class Normalisation:
    """(pixels - mean) / std of each channel, in float32, then the network's dtype.

    The operations and their order are those of the encoders, so that the bits are theirs.
    """

    mean: Tensor
    """(1, 3, 1, 1), or (1, 1, 1, 1), float32 on the encoder's device."""
    std: Tensor
    """Of the same shape."""
    dtype: dtype

    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) on the 0..1 scale -> the network's input."""
        return ((pixels - self.mean) / self.std).to(self.dtype)

    def of(self, mean: Tensor, std: Tensor) -> Normalisation:
        """Itself as long as these are its constants; else a new one of the same dtype."""
        if mean is self.mean and std is self.std:
            return self
        return Normalisation(mean, std, self.dtype)

    @cached_property
    def table(self) -> Tensor:
        """(3, 256): what each channel's network input is for each 8-bit grey level."""
        import torch

        levels = torch.arange(LEVELS, dtype=torch.uint8, device=self.mean.device)
        # Constants may be one for all channels.
        pixels = on_unit_scale(levels.expand(1, 3, 1, LEVELS))
        return self(pixels).reshape(3, LEVELS).contiguous()


def on_unit_scale(levels: Tensor) -> Tensor:
    """uint8 grey levels -> float32 on the 0..1 scale, where they lie."""
    import torch

    # By a number of the device's own: CUDA multiplies by the reciprocal of one of the
    # host's, which changes the last bit of half of the levels.
    return levels.float() / torch.full(
        (), 255.0, dtype=torch.float32, device=levels.device
    )
