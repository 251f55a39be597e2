"""The mean row that is taken off each side before anything is multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from ._checks import check_norms
from ._kernels import Kernels

_EVEN = 4.0
"""Rows whose norms differ by more have no common component that is worth taking off."""


@dataclass(frozen=True)
class Means:
    """What is taken off the rows of one side, and dot products of the rows with it."""

    mean: torch.Tensor
    """(D,) float64 copies of float32 numbers."""
    own_products: torch.Tensor
    """(N,) dot products with the mean."""
    other_products: torch.Tensor
    """(N,) dot products with the other side's mean."""


class Measured(NamedTuple):
    """(N,) float64 norms, and what is taken off the rows."""

    norms: torch.Tensor
    means: Means


def take_means(
    kernels: Kernels, queries: torch.Tensor, gallery: torch.Tensor, piece: int
) -> tuple[Measured, Measured]:
    """Norms and means of both sides.

    A mean is zero where lengths are so uneven that it would see the longest only.
    """
    q_mean = queries.mean(0).double()
    g_mean = gallery.mean(0).double()
    # Columns: the norms, products with the own mean, products with the other mean.
    q_moments = kernels.moments(queries, torch.stack([q_mean, g_mean]), piece)
    g_moments = kernels.moments(gallery, torch.stack([g_mean, q_mean]), piece)
    check_norms("queries", queries, q_moments[:, 0])
    check_norms("gallery", gallery, g_moments[:, 0])
    if not _is_worth_taking(q_mean, q_moments):
        q_mean.zero_()
        q_moments[:, 1].zero_()
        g_moments[:, 2].zero_()
    if not _is_worth_taking(g_mean, g_moments):
        g_mean.zero_()
        g_moments[:, 1].zero_()
        q_moments[:, 2].zero_()
    return _measured(q_mean, q_moments), _measured(g_mean, g_moments)


def _is_worth_taking(mean: torch.Tensor, moments: torch.Tensor) -> bool:
    norms = moments[:, 0]
    is_even = float(norms.max()) <= _EVEN * float(norms.min())
    return is_even and bool(mean.isfinite().all())


def _measured(mean: torch.Tensor, moments: torch.Tensor) -> Measured:
    norms, own_products, other_products = moments.T.contiguous()
    return Measured(norms, Means(mean, own_products, other_products))
