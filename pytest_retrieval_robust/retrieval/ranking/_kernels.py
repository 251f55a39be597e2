"""The few loops that take time beside the matrix product: plain, compiled by numba for
a processor, and compiled by Triton for a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch

from ...core.memory import is_out_of_memory
from . import _plain, _unfused
from ._sizes import Sizes, sizes_for
from ._thresholds import Counted

# Pairs: for fewer, loading numba or Triton takes longer than it saves.
_WORTH_COMPILING = 2**24
# Pairs of which one may be in doubt, of each direction. Where there are more, another
# filter is faster than looking at each in float64. Without Triton a pair in doubt is
# read and written several times.
_PAIRS_PER_DOUBT = 128
_PAIRS_PER_DOUBT_UNFUSED = 512


class Kernels(Protocol):
    """All ways give the same, float64 rounding apart."""

    def moments(
        self, rows: torch.Tensor, others: torch.Tensor, piece: int
    ) -> torch.Tensor:
        """(N, 3) float64: the norm of each of (N, D) rows, and its dot products with
        two float64 rows. No more than `piece` rows are float64 at a time.
        """

    def pair_scores(
        self,
        queries: torch.Tensor,
        gallery: torch.Tensor,
        q_index: torch.Tensor,
        g_index: torch.Tensor,
        piece: int,
    ) -> torch.Tensor:
        """(P,) float64 dot products, `piece` at a time."""

    def collect(
        self,
        scores: torch.Tensor,
        of_rows: Counted,
        of_columns: Counted | None,
        first_query: int,
        first_item: int,
    ) -> None:
        """Add up how many of the (q, g) float32 scores are above a row's thresholds and,
        if there are any, a column's; and add those between them to the doubts, as
        numbers from `first_query` and `first_item`.

        It does not wait for a device.
        """


@dataclass(frozen=True)
class Engine:
    """How one device ranks."""

    sizes: Sizes
    kernels: Kernels
    pairs_per_doubt: int = _PAIRS_PER_DOUBT


def engine_for(device: torch.device, tile: int, dimension: int, pairs: int) -> Engine:
    """The compiled kernels where there is enough to do and they can be compiled."""
    sizes = sizes_for(device, tile, dimension)
    is_worth_compiling = pairs >= _WORTH_COMPILING
    if device.type == "cpu":
        loops = compiled() if is_worth_compiling else None
        return Engine(sizes, loops or _plain)
    fused = fused_on(device) if is_worth_compiling else None
    if fused is not None:
        return Engine(sizes, fused)
    return Engine(sizes, _unfused, _PAIRS_PER_DOUBT_UNFUSED)


@cache
def compiled() -> Kernels | None:
    """None without a working numba: it is an extra, and the plain kernels always work."""
    try:
        from . import _compiled
    except Exception:
        # Numba is not installed, or not made for this numpy.
        return None
    return _compiled


@cache
def fused_on(device: torch.device) -> Kernels | None:
    """None where there is no working Triton for the device: the plain kernels always work."""
    if device.type != "cuda":
        return None
    try:
        from . import _triton

        _triton.try_on(device)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        # Triton is not installed, knows no such device, or finds no C compiler.
        return None
    return _triton
