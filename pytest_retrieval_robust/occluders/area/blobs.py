"""`blobs`: smooth random shapes, the level sets of a random surface drawn in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from ...core.float32 import allowed_products
from ...core.uploads import upload
from .. import OccluderEntry
from .._checks import check_whole
from ..hashing import WORD_BITS, integer_device, words
from . import AreaOccluder
from ._growth import in_order

if TYPE_CHECKING:
    import torch

    from ...core.catalogue import Catalogue

_NOISE_BITS = 16
_TAPS = 4
_LARGEST = 64


@dataclass(frozen=True)
class Blobs(AreaOccluder):
    """The lowest part of a smooth random surface: cubic B-splines over random whole
    numbers `size` cells apart.

    >>> Blobs(size=12).name
    'blobs(size=12)'

    Args:
        grid: Cells along each side.
        fill: One of `fills.FILLS`.
        size: Cells from one random number to the next, 1 to 64: about half the width of a blob.
    """

    grid: int = 32
    size: int = 6

    family: ClassVar[str] = "blobs"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("size", self.size, 1, _LARGEST)

    def order(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) int64: cells from the lowest to the highest point of the surface."""
        import torch

        nodes = (self.grid + self.size - 2) // self.size + _TAPS
        counters = torch.arange(2 + nodes**2, device=integer_device(device))
        drawn = words(ids, seed, "blobs", counters)
        # A shift of less than a step, so that the nodes lie elsewhere in every image.
        right = drawn[:, 0] % self.size
        down = drawn[:, 1] % self.size
        noise = (drawn[:, 2:] >> (WORD_BITS - _NOISE_BITS)).reshape(-1, nodes, nodes)
        across = self._smooth(noise, right)
        surface = self._smooth(across.mT, down).mT
        return in_order(surface).to(device)

    def _smooth(self, noise: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """(B, N, M) numbers to (B, N, G): the uniform cubic B-spline along the last
        axis, times 6, rounded down.
        """
        weights = upload(_spline(self.grid, self.size, noise.shape[2]), noise.device)
        # Whole numbers below 2**53: float64 adds them exactly in every order, and has a
        # matrix product on every device.
        with allowed_products():
            total = noise.double().bmm(weights[shift])
        return total.div(self.size**3, rounding_mode="floor").to(noise.dtype)


@lru_cache(maxsize=8)
def _spline(grid: int, size: int, nodes: int) -> torch.Tensor:
    """(size, nodes, G) float64 whole numbers: what each node weighs in each cell, for
    every shift of the nodes.
    """
    import torch

    shifts = torch.arange(size, device="cpu")[:, None]
    positions = torch.arange(grid, device="cpu") + shifts
    first_node = positions // size
    # How far a cell lies beyond its first node; the four nodes around it weigh as the
    # uniform cubic B-spline says, times 6 * size**3 to stay whole.
    u = positions % size
    taps = (
        (size - u) ** 3,
        3 * u**3 - 6 * u**2 * size + 4 * size**3,
        -3 * u**3 + 3 * u**2 * size + 3 * u * size**2 + size**3,
        u**3,
    )
    weights = torch.zeros((size, grid, nodes), dtype=torch.float64, device="cpu")
    for tap, weight in enumerate(taps):
        nodes_of_tap = (first_node + tap)[:, :, None]
        weights.scatter_(2, nodes_of_tap, weight.double()[:, :, None])
    return weights.mT.contiguous()


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Blobs.family,
            summary="smooth random shapes",
            parameters={"grid": int, "fill": str, "size": int},
            build=Blobs,
        )
    )
