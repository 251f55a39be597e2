"""The two sides of a filter's product: rows as they are stored, and what storing loses.

`_filter` has the bound that these numbers are for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ._checks import parts
from ._exact import FLOAT32, FLOAT64, SLACK, Side, gamma
from ._means import Means
from ._precisions import Precision
from ._sizes import Sizes

SMALLEST = 2.0**-126
"""Below it a device may flush float32 to zero."""


class Bounds(NamedTuple):
    """One column of `Factor.bounds` each: the most of some rows, or weights for them."""

    size: torch.Tensor
    """|q'|."""
    lost: torch.Tensor
    """What storing q' loses."""
    offset: torch.Tensor
    """The absolute sum of the offset's parts."""
    offset_lost: torch.Tensor
    """What storing the offset loses."""
    norm: torch.Tensor
    """|q| + |mq|."""


@dataclass(frozen=True, eq=False)
class Factor:
    """One side of the filter's product."""

    rows: torch.Tensor
    mean: torch.Tensor
    columns: torch.Tensor
    """(N, 2m + zeros): what stands beside the rows: the stored offset's parts and as
    many ones, or these the other way, and zeros that fill up the rows.
    """
    bounds: torch.Tensor
    """(N, 5) float64: an upper bound of each field of `Bounds`."""
    scale: float
    """What the rows are multiplied with, a power of two."""

    def matrix(self, part: slice) -> torch.Tensor:
        """(n, K) in the filter's precision."""
        rows = self.rows[part]
        shape = (len(rows), self.width)
        matrix = torch.empty(shape, dtype=self.columns.dtype, device=rows.device)
        residuals = matrix[:, : rows.shape[1]]
        if self.scale == 1:
            torch.sub(rows, self.mean, out=residuals)
        else:
            torch.mul(rows - self.mean, self.scale, out=residuals)
        matrix[:, rows.shape[1] :] = self.columns[part]
        return matrix

    def most(self, of_parts: Sequence[slice]) -> torch.Tensor:
        """(p, 5): the largest bound of any row of each part."""
        return torch.stack([self.bounds[part].amax(0) for part in of_parts])

    @property
    def width(self) -> int:
        return self.rows.shape[1] + self.columns.shape[1]


@dataclass(frozen=True, eq=False)
class Stored:
    """One side and how it will be stored."""

    side: Side
    means: Means
    offsets: torch.Tensor
    length: float
    """The mean's."""
    norm: torch.Tensor
    """(N,): at least |q| + |mq|."""
    scale: float

    @staticmethod
    def of(
        side: Side, means: Means, offsets: torch.Tensor, precision: Precision
    ) -> Stored:
        length = float(torch.linalg.vector_norm(means.mean))
        norm = (side.norms + length) * SLACK
        scale = 1.0
        if precision.largest_norm is not None:
            # The power of two above the largest norm becomes the largest that is meant.
            exponent = math.frexp(float(norm.max()))[1]
            scale = precision.largest_norm * 2.0**-exponent
        return Stored(side, means, offsets, length, norm, scale)


def factor_of(
    stored: Stored, scale: float, precision: Precision, sizes: Sizes, *, leads: bool
) -> Factor:
    """`scale` is both sides'."""
    side = stored.side
    dimension = side.rows.shape[1]
    mean = stored.means.mean.float()
    offset_scale = scale / precision.one
    offset_parts = _split(stored.offsets * offset_scale, precision)
    ones = torch.full_like(offset_parts, precision.one)
    columns = torch.cat([offset_parts, ones] if leads else [ones, offset_parts], 1)
    missing = -(dimension + columns.shape[1]) % sizes.width
    columns = torch.nn.functional.pad(columns, (0, missing))

    size = _residual_sizes(side, stored.means, stored.length, stored.norm)
    lost = _lost_to_float32(size, dimension, stored.length)
    if precision.dtype != torch.float32:
        lost = lost + _lost_to_16_bits(
            side.rows, mean, stored.scale, precision, sizes.piece
        )
    parts_as_given = offset_parts.double() / offset_scale
    offset = parts_as_given.abs().sum(1)
    offset_lost = (stored.offsets - parts_as_given.sum(1)).abs() * SLACK
    offset_lost += precision.offset_parts * precision.smallest / offset_scale
    # In the order of the fields of `Bounds`.
    bounds = torch.stack([size, lost, offset, offset_lost, stored.norm], 1)
    return Factor(side.rows, mean, columns, bounds, stored.scale)


def _residual_sizes(
    side: Side, means: Means, length: float, norm: torch.Tensor
) -> torch.Tensor:
    """(N,): at least |q - m|, from |q - m|^2 by its parts; what cancels is added again."""
    square = side.norms.square() - 2 * means.own_products + length**2
    cancelled = 4 * gamma(side.rows.shape[1], FLOAT64) * norm.square()
    return (square.clamp(min=0) + cancelled).sqrt() * SLACK


def _lost_to_float32(size: torch.Tensor, dimension: int, length: float) -> torch.Tensor:
    """(N,): what taking the mean off in float32 loses; nothing without a mean."""
    if not length:
        return torch.zeros_like(size)
    return size * (FLOAT32 * SLACK) + 4 * math.sqrt(dimension) * SMALLEST


def _split(offsets: torch.Tensor, precision: Precision) -> torch.Tensor:
    """(N, count): numbers of low precision whose sum is nearly the offset."""
    columns: list[torch.Tensor] = []
    rest = offsets
    for _ in range(precision.offset_parts):
        columns.append(rest.to(precision.dtype))
        rest = rest - columns[-1].double()
    return torch.stack(columns, 1)


def _lost_to_16_bits(
    rows: torch.Tensor,
    mean: torch.Tensor,
    scale: float,
    precision: Precision,
    piece: int,
) -> torch.Tensor:
    """(N,) float64: at least the norm of what storing loses of the float32 residuals.

    The difference is exact.
    """
    norms = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
    for part in parts(len(rows), piece):
        residual = rows[part] - mean
        if scale != 1:
            residual.mul_(scale)
        difference = residual - residual.to(precision.dtype)
        norms[part] = torch.linalg.vector_norm(difference, dim=1)
    dimension = rows.shape[1]
    rounding = 1 + gamma(dimension, FLOAT32)
    flushed = math.sqrt(dimension) * (2.0**-60 + precision.smallest)
    return norms.mul_(rounding).add_(flushed).div_(scale)
