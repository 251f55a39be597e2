"""Exposure: each grey value raised to a power, by a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.uploads import upload
from ._presets import PresetCorruption

if TYPE_CHECKING:
    import torch

    from .region import Region

_TABLE_STEPS = 255 * 64
"""Every grey value of an 8-bit image is one of the table's."""


@dataclass(frozen=True)
class GammaCorruption(PresetCorruption):
    """Grey values p become p ** gamma, where the parameter is gamma.

    Powers round differently on different devices, so they are looked up: of p rounded to
    a 64th of an 8-bit grey value.
    """

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w) or (b, 1, h, w): the pixels at that gamma, as bytes where they
        are bytes.
        """
        import torch

        gamma = self.parameter(severity)
        if region.shown.dtype == torch.uint8:
            levels = region.channels
            curve = upload(torch.from_numpy(_curve_of_bytes(gamma)), levels.device)
            places = levels.to(torch.int32).flatten()
        else:
            levels = region.greys
            curve = upload(torch.from_numpy(_curve(gamma)), levels.device)
            places = (levels * _TABLE_STEPS).add_(0.5).to(torch.int32).flatten()
        return curve.index_select(0, places).reshape(levels.shape)


@lru_cache(maxsize=64)
def _curve(gamma: float) -> NDArray[np.float32]:
    """(16321,) the powers of 0, 1 / 16320, ..., 1."""
    greys: NDArray[np.float64] = np.arange(_TABLE_STEPS + 1) / _TABLE_STEPS
    return (greys**gamma).astype(np.float32)


@lru_cache(maxsize=64)
def _curve_of_bytes(gamma: float) -> NDArray[np.uint8]:
    """(256,) the powers of 0..255 on that scale, rounded."""
    powers = _curve(gamma)[:: _TABLE_STEPS // 255]
    rounded: NDArray[np.uint8] = np.rint(powers * np.float32(255)).astype(np.uint8)
    return rounded
