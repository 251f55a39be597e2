"""Scores in low precision with a bound on their error, for all of the pairs.

With a mean row taken off each side, q = mq + q' and g = mg + g', the score is

    q.g = q'.g' + a + b + (terms equal for all pairs),    a = q.mg, b = mq.g,

and only q'.g', which is small where rows share a large common component, suffers from
low precision. `a` and `b`, less their own means, ride along as columns of the same
matrix product: [q', a, 1] . [g', 1, b].

The bound, for stored rows p (of q') and r (of g'), with d = q' - p and e = g' - r what
storing them loses, by Cauchy-Schwarz and for any order of summation:

    |q'.g' - p.r| = |q'.e + d.r| <= |q'||e| + |d|(|g'| + |e|)
    |computed - p.r - a - b| <= gamma_K (|p||r| + |a| + |b|)

and, on top, what storing `a` and `b` loses, and float64's own rounding of them, which
is at most gamma_D in float64 of (|q| + |mq|)(|g| + |mg|). In float32 |d| <= 2^-24 |q'|.
In bfloat16 it is at most 2^-8 |q'| and in float16 2^-11 |q'|; it is measured row by
row, which gives about 0.4 of that. Columns of zeros that fill up the rows add nothing.

Products of two numbers of 16 bits are exact in float32. A product that comes back as
bfloat16 was rounded by a monotone function, so thresholds that are rounded outwards to
bfloat16 decide the same.

float16 has a short exponent. So both sides are scaled by a power of two, which loses
nothing, and the thresholds by both. Numbers below 2^-14 count as lost, because a device
may take them for zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ._checks import parts
from ._exact import FLOAT32, FLOAT64, SLACK, Side, gamma
from ._means import Means
from ._precisions import Precision, product_in_float32, widens
from ._sizes import Sizes
from ._thresholds import Thresholds

_SMALLEST = 2.0**-126
"""Below it a device may flush float32 to zero."""
_SAFE = 2.0**120
"""Sums above this may overflow float32."""


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
class Filter:
    """Both sides' factors, and `shared`, what a score has beyond their product."""

    queries: Factor
    gallery: Factor
    shared: float
    precision: Precision

    def thresholds(
        self, floors: torch.Tensor, part: slice, others: Errors, back: bool
    ) -> Thresholds:
        """(p, n): for `part` of the queries, or of the gallery if `back`, against each
        of p parts of the other side, which `against` has looked at.

        Nothing in it waits for a device.
        """
        own = self.gallery if back else self.queries
        errors = others.of_rows(own.bounds[part])
        scale = self.queries.scale * self.gallery.scale
        middle = floors[part] - self.shared
        # Rounded outwards, so that the thresholds in float32 hold as well.
        upwards = torch.full((), torch.inf, device=middle.device)
        low = torch.nextafter((middle - errors).mul_(scale).float(), -upwards)
        high = torch.nextafter((middle + errors).mul_(scale).float(), upwards)
        if self.precision.dtype == torch.bfloat16:
            low = _outwards(low, -upwards, torch.gt)
            high = _outwards(high, upwards, torch.lt)
        return Thresholds(low, high)

    def against(self, others: Sequence[slice], back: bool) -> Errors:
        """The errors of scores with each of these parts of the gallery, or of the
        queries if `back`.

        They are linear in a row's own bounds, so one product gives them for all rows
        and parts.
        """
        factor = self.queries if back else self.gallery
        # (p, 1) each.
        most = Bounds(*factor.most(others)[:, :, None].unbind(1))
        width = factor.width
        sums = gamma(width, self.precision.roundoff)
        flushed = 4 * width * _SMALLEST
        for side in (self.queries, self.gallery):
            flushed *= max(1.0, 1 / side.scale)
        stored_size = most.size + most.lost
        one = torch.ones_like(stored_size)
        error = Bounds(
            size=most.lost + sums * stored_size + flushed,
            lost=stored_size * (1 + sums),
            offset=one * sums,
            offset_lost=one,
            # Room for float64's bound twice, so that what is surely below is also not
            # float64's tie.
            norm=most.norm * (4 * gamma(width, FLOAT64)),
        )
        of_other_side = (
            sums * most.offset + most.offset_lost + flushed * (1 + most.size)
        )
        return Errors(torch.cat(error, 1) * SLACK, of_other_side * SLACK)

    def multiply(
        self, q_matrix: torch.Tensor, g_matrix: torch.Tensor, out: torch.Tensor
    ) -> torch.Tensor:
        """(q, g) float32 into `out`: the scores, less `shared` and times both scales."""
        dtype = self.precision.dtype
        if dtype == torch.float32:
            return torch.mm(q_matrix, g_matrix.T, out=out)
        if dtype == torch.bfloat16:
            return out.copy_(q_matrix @ g_matrix.T)
        if widens(out.device):
            return product_in_float32(q_matrix, g_matrix.T, out)
        # Exact products and float32 sums in another way.
        return torch.mm(q_matrix.float(), g_matrix.float().T, out=out)

    @property
    def is_safe(self) -> bool:
        """Whether no sum can overflow, so that all thresholds are finite.

        It waits for the device, once per filter.
        """
        everything = [slice(None)]
        queries = Bounds(*self.queries.most(everything)[0])
        gallery = Bounds(*self.gallery.most(everything)[0])
        products = (queries.size + queries.lost) * (gallery.size + gallery.lost)
        errors = self.against(everything, back=False).of_rows(self.queries.bounds)
        largest = products + queries.offset + gallery.offset + errors.max()
        # Written so that a NaN counts as overflow.
        return float(largest) <= _SAFE


@dataclass(frozen=True)
class Errors:
    """Those of scores with p parts of one side, for any rows of the other."""

    of_bounds: torch.Tensor
    """(p, 5) float64: what they grow by with each of a row's own bounds."""
    constant: torch.Tensor
    """(p, 1)."""

    def of_rows(self, bounds: torch.Tensor) -> torch.Tensor:
        """(p, n) float64, for rows with these (n, 5) bounds."""
        return (self.of_bounds @ bounds.T).add_(self.constant)


def make_filter(
    queries: Side,
    gallery: Side,
    q_means: Means,
    g_means: Means,
    precision: Precision,
    sizes: Sizes,
) -> Filter | None:
    """A filter in that precision; None where its sums may overflow."""
    a_mean = float(q_means.other_products.mean())
    b_mean = float(g_means.other_products.mean())
    shared = a_mean + b_mean - float(q_means.mean @ g_means.mean)
    sides = [
        _Stored.of(queries, q_means, q_means.other_products - a_mean, precision),
        _Stored.of(gallery, g_means, g_means.other_products - b_mean, precision),
    ]
    scale = sides[0].scale * sides[1].scale
    factors = [
        _factor(side, scale, precision, sizes, leads=side is sides[0]) for side in sides
    ]
    made = Filter(factors[0], factors[1], shared, precision)
    return made if made.is_safe else None


@dataclass(frozen=True, eq=False)
class _Stored:
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
    ) -> _Stored:
        length = float(torch.linalg.vector_norm(means.mean))
        norm = (side.norms + length) * SLACK
        scale = 1.0
        if precision.largest_norm is not None:
            # The power of two above the largest norm becomes the largest that is meant.
            exponent = math.frexp(float(norm.max()))[1]
            scale = precision.largest_norm * 2.0**-exponent
        return _Stored(side, means, offsets, length, norm, scale)


def _factor(
    stored: _Stored, scale: float, precision: Precision, sizes: Sizes, *, leads: bool
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
    return size * (FLOAT32 * SLACK) + 4 * math.sqrt(dimension) * _SMALLEST


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
    norms: list[torch.Tensor] = []
    for part in parts(len(rows), piece):
        residual = rows[part] - mean
        if scale != 1:
            residual.mul_(scale)
        difference = residual - residual.to(precision.dtype)
        norms.append(torch.linalg.vector_norm(difference, dim=1).double())
    dimension = rows.shape[1]
    rounding = 1 + gamma(dimension, FLOAT32)
    flushed = math.sqrt(dimension) * (2.0**-60 + precision.smallest)
    return torch.cat(norms).mul_(rounding).add_(flushed).div_(scale)


def _outwards(
    thresholds: torch.Tensor,
    far: torch.Tensor,
    compare: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """The next bfloat16 number in the direction of `far`, or the same where it is one.

    `compare` says whether rounding to bfloat16 went the other way.
    """
    near = thresholds.bfloat16()
    is_inwards = compare(near.float(), thresholds)
    return torch.where(is_inwards, torch.nextafter(near, far.bfloat16()), near).float()
