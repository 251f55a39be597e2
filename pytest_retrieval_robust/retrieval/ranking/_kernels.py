"""The few loops that take time beside the matrix product: plain, and compiled where
numba is installed.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch

from . import _plain
from ._thresholds import Tally, Thresholds

# Pairs: for fewer, loading numba takes longer than it saves.
_WORTH_COMPILING = 2**24


class Kernels(Protocol):
    """Both ways give the same, float64 rounding apart."""

    def moments(self, rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """(N, 3) float64: the norm of each of (N, D) rows, and its dot products with
        two float64 rows.
        """

    def pair_scores(
        self,
        queries: torch.Tensor,
        gallery: torch.Tensor,
        q_index: torch.Tensor,
        g_index: torch.Tensor,
    ) -> torch.Tensor:
        """(P,) float64 dot products."""

    def tally(
        self, scores: torch.Tensor, q_limits: Thresholds, g_limits: Thresholds | None
    ) -> tuple[Tally, ...]:
        """How many of (q, g) float32 scores reach each row's thresholds and, if it has
        any, each column's.
        """

    def in_doubt(
        self, scores: torch.Tensor, limits: Thresholds, dim: int, tally: Tally
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows and columns of the scores that lie between a row's (`dim` 0) or column's
        (1) thresholds; `tally` is what was counted by them.
        """


def choose(pairs: int, device: torch.device) -> Kernels:
    """The compiled ones where there is enough to do and numba is installed."""
    if device.type == "cpu" and pairs >= _WORTH_COMPILING:
        return compiled() or _plain
    return _plain


@cache
def compiled() -> Kernels | None:
    """None without a working numba: it is an extra, and the plain kernels always work."""
    try:
        from . import _compiled
    except Exception:
        # Numba is not installed, or not made for this numpy.
        return None
    return _compiled
