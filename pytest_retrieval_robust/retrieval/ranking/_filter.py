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
In bfloat16 it is at most 2^-9 |q'|; it is measured row by row, which gives about 0.4 of
that. Sums of bfloat16 products are held to a roundoff of 2^-21, because hardware that
keeps float32 sums may truncate them; products of two bfloat16 numbers are exact in
float32. A result that comes back as bfloat16 was rounded by a monotone function, so
thresholds that are rounded outwards to bfloat16 decide the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ._checks import parts
from ._exact import FLOAT32, FLOAT64, SLACK, Side, gamma
from ._means import Means
from ._thresholds import Thresholds

_SMALLEST = 2.0**-126
"""Below it a device may flush float32 to zero."""
_SAFE = 2.0**120
"""Sums above this may overflow float32."""
_TRUNCATED = 2.0**-21
"""Roundoff of float32 sums that a device may truncate."""
_MODEST = 2.0**20
"""Norms from its inverse to it: squares of what bfloat16 loses stay far from float32's
limits.
"""


class Bounds(NamedTuple):
    """One number for each column of `Factor.bounds`: the most of some rows, or weights."""

    size: float
    """|q'|."""
    lost: float
    """What storing q' loses."""
    offset: float
    """The absolute sum of the offset's parts."""
    offset_lost: float
    """What storing the offset loses."""
    norm: float
    """|q| + |mq|."""


@dataclass(frozen=True)
class Factor:
    """One side of the filter's product."""

    rows: torch.Tensor
    mean: torch.Tensor
    columns: torch.Tensor
    """(N, 2m): what stands beside the rows: the stored offset's parts and as many ones,
    or these the other way.
    """
    bounds: torch.Tensor
    """(N, 5) float64: an upper bound of each field of `Bounds`."""

    def matrix(self, part: slice) -> torch.Tensor:
        """(n, D + 2m) in the filter's precision."""
        rows = self.rows[part]
        shape = (len(rows), self.width)
        matrix = torch.empty(shape, dtype=self.columns.dtype, device=rows.device)
        torch.sub(rows, self.mean, out=matrix[:, : rows.shape[1]])
        matrix[:, rows.shape[1] :] = self.columns[part]
        return matrix

    def most(self, part: slice) -> Bounds:
        """The largest bound of any row."""
        return Bounds(*self.bounds[part].amax(0).tolist())

    @property
    def width(self) -> int:
        return self.rows.shape[1] + self.columns.shape[1]


@dataclass(frozen=True)
class Filter:
    """Both sides' factors, and `shared`, what a score has beyond their product."""

    queries: Factor
    gallery: Factor
    shared: float
    roundoff: float
    dtype: torch.dtype

    def thresholds(
        self, floors: torch.Tensor, part: slice, other: slice, back: bool
    ) -> Thresholds | None:
        """For `part` of the queries, or of the gallery if `back`, against `other` of
        the other side; None: overflow.
        """
        if back:
            errors = self._errors(self.gallery, part, self.queries.most(other))
        else:
            errors = self._errors(self.queries, part, self.gallery.most(other))
        if errors is None:
            return None
        middle = floors[part] - self.shared
        # Rounded outwards, so that the thresholds in float32 hold as well.
        upwards = torch.full((), torch.inf, device=middle.device)
        low = torch.nextafter((middle - errors).float(), -upwards)
        high = torch.nextafter((middle + errors).float(), upwards)
        if self.dtype == torch.bfloat16:
            low = _outwards(low, -upwards)
            high = _outwards(high, upwards)
        return Thresholds(low, high)

    def _errors(self, own: Factor, part: slice, most: Bounds) -> torch.Tensor | None:
        """(n,) float64: the error of any score of a row with rows that have at most the
        bounds `most`; None where a sum may overflow.

        It is linear in the row's own bounds, so one product gives it for all rows.
        """
        sums = gamma(own.width, self.roundoff)
        flushed = 4 * own.width * _SMALLEST
        stored_size = most.size + most.lost
        largest_sum = Bounds(
            size=stored_size, lost=stored_size, offset=1.0, offset_lost=0.0, norm=0.0
        )
        error = Bounds(
            size=most.lost + sums * stored_size + flushed,
            lost=stored_size * (1 + sums),
            offset=sums,
            offset_lost=1.0,
            # Room for float64's bound twice, so that what is surely below is also not
            # float64's tie.
            norm=most.norm * 4 * gamma(own.width, FLOAT64),
        )
        weights = torch.tensor(
            [largest_sum, error], dtype=torch.float64, device=own.bounds.device
        )
        largest, errors = (own.bounds[part] @ weights.T).unbind(1)
        of_other_side = (
            sums * most.offset + most.offset_lost + flushed * (1 + most.size)
        )
        errors = (errors + of_other_side) * SLACK
        # Written so that a NaN counts as overflow.
        is_safe = float((largest + most.offset + errors).max()) <= _SAFE
        return errors if is_safe else None


def make_filter(
    queries: Side, gallery: Side, q_means: Means, g_means: Means, dtype: torch.dtype
) -> Filter:
    """A filter in `dtype`, float32 or bfloat16."""
    a_mean = float(q_means.other_products.mean())
    b_mean = float(g_means.other_products.mean())
    shared = a_mean + b_mean - float(q_means.mean @ g_means.mean)
    q_factor = _factor(
        queries, q_means, q_means.other_products - a_mean, dtype, leads=True
    )
    g_factor = _factor(
        gallery, g_means, g_means.other_products - b_mean, dtype, leads=False
    )
    roundoff = FLOAT32 if dtype == torch.float32 else _TRUNCATED
    return Filter(q_factor, g_factor, shared, roundoff, dtype)


def precisions(queries: Side, gallery: Side) -> tuple[torch.dtype, ...]:
    """What to filter in, first choice first: bfloat16 where the hardware multiplies it,
    and norms suit its bound.
    """
    suits = _has_modest_norms(queries) and _has_modest_norms(gallery)
    if suits and has_bfloat16(queries.rows.device):
        return torch.bfloat16, torch.float32
    return (torch.float32,)


def _has_modest_norms(side: Side) -> bool:
    least = float(side.norms.min())
    most = float(side.norms.max())
    return least >= 1 / _MODEST and most <= _MODEST


def has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    # They are private to torch, so that another version may lack them.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


def _factor(
    side: Side, means: Means, offsets: torch.Tensor, dtype: torch.dtype, *, leads: bool
) -> Factor:
    mean = means.mean.float()
    # One float32 number holds an offset well enough, and three bfloat16 ones.
    stored = _split(offsets, 1 if dtype == torch.float32 else 3, dtype)
    ones = torch.ones_like(stored)
    columns = torch.cat([stored, ones] if leads else [ones, stored], 1)

    length = float(torch.linalg.vector_norm(means.mean))
    norm = (side.norms + length) * SLACK
    size = _residual_sizes(side, means, length, norm)
    lost = _lost_to_float32(size, side.rows.shape[1], length)
    if dtype == torch.bfloat16:
        lost = lost + _lost_to_bfloat16(side.rows, mean)
    offset_parts = stored.double()
    offset = offset_parts.abs().sum(1)
    offset_lost = (offsets - offset_parts.sum(1)).abs() * SLACK
    # In the order of the fields of `Bounds`.
    bounds = torch.stack([size, lost, offset, offset_lost, norm], 1)
    return Factor(side.rows, mean, columns, bounds)


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


def _split(offsets: torch.Tensor, count: int, dtype: torch.dtype) -> torch.Tensor:
    """(N, count): numbers of low precision whose sum is nearly the offset."""
    columns: list[torch.Tensor] = []
    rest = offsets
    for _ in range(count):
        columns.append(rest.to(dtype))
        rest = rest - columns[-1].double()
    return torch.stack(columns, 1)


def _lost_to_bfloat16(rows: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """(N,) float64: at least the norm of what bfloat16 loses of the float32 residuals.

    The difference is exact.
    """
    norms: list[torch.Tensor] = []
    for part in parts(len(rows), 256):
        residual = rows[part] - mean
        difference = residual - residual.bfloat16()
        norms.append(torch.linalg.vector_norm(difference, dim=1).double())
    dimension = rows.shape[1]
    rounding = 1 + gamma(dimension, FLOAT32)
    flushed = math.sqrt(dimension) * 2.0**-60
    return torch.cat(norms).mul_(rounding).add_(flushed)


def _outwards(thresholds: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
    """The next bfloat16 number in the direction of `far`, or the same where it is one."""
    near = thresholds.bfloat16()
    # Whether rounding to bfloat16 went the other way.
    compare = torch.gt if float(far) < 0 else torch.lt
    is_inwards = compare(near.float(), thresholds)
    return torch.where(is_inwards, torch.nextafter(near, far.bfloat16()), near).float()
