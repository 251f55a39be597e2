"""Noise: random numbers of the places of pixels in the source, one for all channels.

A number follows from the seed, the image's id and the pixel's place on a lattice of the
source. So it is the same for every batch, device and severity, and for all models with
the same geometry. A severity only says how much of it is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.uploads import upload
from ..occluders._frames import cells_of
from ..occluders._kept import Kept
from ..occluders.hashing import integer_device, mixed_counters, narrow_words
from ._presets import PresetCorruption

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

    from ..occluders.scene import Scene
    from .region import Region

_LATTICE = 1 << 15
"""Places per axis: as many as the pixels of any film, and 30 bits in all."""
_TABLE_BITS = 16
_KEPT_BYTES = 1 << 27
"""What the fields of a batch may take: two of 256 images of 224 x 224 pixels."""


class FieldMemory(Kept):
    """The fields of a batch, for all its severities. A copy that is sent elsewhere keeps
    none.
    """

    def __init__(self) -> None:
        super().__init__(_KEPT_BYTES, most=1 << 12)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


@dataclass(frozen=True)
class NoiseCorruption(PresetCorruption):
    """A corruption that adds random numbers, one per pixel and the same for its channels."""

    memory: FieldMemory | None = field(
        default=None, repr=False, compare=False, kw_only=True
    )

    def bind(self, scene: Scene) -> Self:  # noqa: ARG002 - the batch is in the keys
        """The corruption with a memory of the batch's random numbers."""
        return replace(self, memory=FieldMemory())

    def _kept(
        self, region: Region, make: Callable[[Region, str], torch.Tensor]
    ) -> torch.Tensor:
        if self.memory is None:
            return make(region, self.family)
        device = str(region.shown.device)
        key = (tuple(region.ids), region.seed, region.box, region.square, device)
        return self.memory.get(key, lambda: make(region, self.family))


def uniform_words(region: Region, purpose: str) -> torch.Tensor:
    """(b, 1, h, w) int32, uniform in [-2**31, 2**31), on the region's device."""
    if "places" not in region.shared:
        region.shared["places"] = _mixed_places(region)
    drawn = narrow_words(region.ids, region.seed, purpose, region.shared["places"])
    height, width = region.shown.shape[-2:]
    return drawn.reshape(-1, 1, height, width).to(region.shown.device)


def _mixed_places(region: Region) -> torch.Tensor:
    """(h * w,): the places of the pixels on the lattice, for `narrow_words`."""
    device = integer_device(region.shown.device)
    rows = upload(cells_of(region.source_rows, _LATTICE), device)
    columns = upload(cells_of(region.source_columns, _LATTICE), device)
    return mixed_counters((rows[:, None] * _LATTICE + columns).flatten())


def normal_deviates(region: Region, purpose: str) -> torch.Tensor:
    """(b, 1, h, w) float32 on the region's device, of mean 0 and variance 1.

    The word's upper 16 bits look up one of 65,536 quantiles, which reach to 4.2
    standard deviations.
    """
    from torch import from_numpy

    drawn = uniform_words(region, purpose)
    numbers = (drawn >> (32 - _TABLE_BITS)) + (1 << (_TABLE_BITS - 1))
    table = upload(from_numpy(_normal_quantiles()), drawn.device)
    return table.index_select(0, numbers.flatten()).reshape(drawn.shape)


@lru_cache(maxsize=1)
def _normal_quantiles() -> NDArray[np.float32]:
    """(65536,) the normal quantiles of (i + 0.5) / 65536, scaled to a variance of 1."""
    half = 1 << (_TABLE_BITS - 1)
    normal = NormalDist()
    lower = [normal.inv_cdf((number + 0.5) / (2 * half)) for number in range(half)]
    quantiles = np.array(lower)
    quantiles /= np.sqrt(np.mean(quantiles**2))
    return np.concatenate([quantiles, -quantiles[::-1]]).astype(np.float32)
