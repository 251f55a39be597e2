"""float64 scores with their error bounds, which decide what a filter leaves in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ...core.float32 import ieee_float32, plain_algorithms
from ._kernels import Kernels

FLOAT32 = 2.0**-24
"""Unit roundoff of float32."""
FLOAT64 = 2.0**-53
"""Unit roundoff of float64."""
SLACK = 1.01
"""Covers the rounding of norms and of the bounds themselves."""


@dataclass(frozen=True)
class Side:
    """Queries or gallery: (N, D) float32 rows, their (N,) float64 norms, and their (N,) groups."""

    rows: torch.Tensor
    norms: torch.Tensor
    groups: torch.Tensor

    def __getitem__(self, part: slice | torch.Tensor) -> Side:
        return Side(self.rows[part], self.norms[part], self.groups[part])

    def __len__(self) -> int:
        return len(self.rows)


def gamma(dimension: int, roundoff: float) -> float:
    """Higham's gamma for a dot product, with room for the additions that follow it."""
    steps = (dimension + 4) * roundoff
    if steps >= 0.5:
        return float("inf")
    return steps / (1 - steps) * SLACK


def tile_bounds(queries: Side, gallery: Side, sign: int) -> torch.Tensor:
    """(q, g) float64: the scores' lower (`sign` -1) or upper (+1) bounds."""
    error = sign * gamma(queries.rows.shape[1], FLOAT64)
    scores = queries.rows.double() @ gallery.rows.double().T
    return scores.addr_(queries.norms, gallery.norms, alpha=error)


def pair_bounds(
    kernels: Kernels,
    queries: Side,
    gallery: Side,
    q_index: torch.Tensor,
    g_index: torch.Tensor,
    sign: int,
    piece: int,
) -> torch.Tensor:
    """(P,) float64: the same of single pairs."""
    error = sign * gamma(queries.rows.shape[1], FLOAT64)
    scores = kernels.pair_scores(queries.rows, gallery.rows, q_index, g_index, piece)
    return scores.add_(queries.norms[q_index] * gallery.norms[g_index], alpha=error)


@contextmanager
def plain_sums(device: torch.device) -> Iterator[None]:
    """No TF32, autocast or sums of 16 bits in here: they would break the bounds. The
    caller's settings come back.

    Nor does torch ask for deterministic algorithms: it refuses some that give the same
    for any order.
    """
    with (
        ieee_float32(),
        plain_algorithms(),
        torch.autocast(device.type, enabled=False),
    ):
        yield
