"""Scores in low precision with a bound on their error, for all of the pairs.

With a mean row taken off each side, q = mq + q' and g = mg + g', the score is

    q.g = q'.g' + a + b + (terms equal for all pairs),    a = q.mg, b = mq.g,

and only q'.g', which is small where rows share a large common component, suffers from
low precision. `a` and `b`, less their own means, ride along as columns of the same
matrix product: [q', a, 1] . [g', 1, b].

The bound, for stored rows p (of q') and r (of g'), with d = q' - p and e = g' - r what
storing them loses:

    |q'.g' - p.r| = |q'.e + d.r| <= |q'||e| + |d|(|g'| + |e|)                                 (Cauchy-Schwarz)
    |computed - p.r - a - b| <= gamma_K (|p||r| + |a| + |b|)                                  (any order of summation)

and, on top, what storing `a` and `b` loses, and float64's own rounding of them, which
is at most gamma_D in float64 of (|q| + |mq|)(|g| + |mg|). In float32 |d| <= 2^-24 |q'|.
In bfloat16 it is at most 2^-9 |q'|; it is measured row by row, which gives about 0.4 of
that. Sums of bfloat16 products are held to a roundoff of 2^-21, since hardware that
keeps float32 sums may truncate them; products of two bfloat16 numbers are exact in
float32. A result that comes back as bfloat16 was rounded by a monotone function, so
thresholds that are rounded outwards to bfloat16 decide the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ._checks import check_norms, parts
from ._exact import FLOAT32, FLOAT64, SLACK, Side, gamma
from ._kernels import Kernels
from ._thresholds import Thresholds

_SMALLEST = 2.0**-126  # below it a device may flush float32 to zero
_SAFE = 2.0**120  # sums above this may overflow float32
_TRUNCATED = 2.0**-21  # roundoff of float32 sums that a device may truncate
_EVEN = 4.0  # rows whose norms differ by more have no common component that is worth taking off
_MODEST = (
    2.0**20
)  # norms from its inverse to it: squares of what bfloat16 loses stay far from float32's limits


@dataclass(frozen=True)
class Means:
    """What is taken off the rows of one side, (D,) float64 copies of float32 numbers,
    and (N,) dot products with it and with what is taken off the other side.
    """

    mean: torch.Tensor
    own: torch.Tensor
    other: torch.Tensor


class Measured(NamedTuple):
    """(N,) float64 norms, and what is taken off the rows."""

    norms: torch.Tensor
    means: Means


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
    """(N, 5) float64, at most: |q'|; what storing q' loses; the absolute sum of the
    offset's parts; what storing the offset loses; |q| + |mq|.
    """

    def matrix(self, part: slice) -> torch.Tensor:
        """(n, D + 2m) in the filter's precision."""
        rows = self.rows[part]
        made = torch.empty(
            (len(rows), self.width), dtype=self.columns.dtype, device=rows.device
        )
        torch.sub(rows, self.mean, out=made[:, : rows.shape[1]])
        made[:, rows.shape[1] :] = self.columns[part]
        return made

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
        own, others = (
            (self.gallery, self.queries) if back else (self.queries, self.gallery)
        )
        size, lost, offset, offset_lost, norm = others.bounds[other].amax(0).tolist()
        sums, flushed = gamma(own.width, self.roundoff), 4 * own.width * _SMALLEST
        # Each bound of a row, times its weight: the largest sum, and the error.
        stored = (size + lost, size + lost, 1.0, 0.0, 0.0)
        error = (
            lost + sums * (size + lost) + flushed,
            (size + lost) * (1 + sums),
            sums,
            1.0,
            # Room for float64's bound twice, so that what is surely below is also not
            # float64's tie.
            norm * 4 * gamma(own.width, FLOAT64),
        )
        weights = torch.tensor(
            [stored, error], dtype=torch.float64, device=floors.device
        )
        largest, errors = (own.bounds[part] @ weights.T).unbind(1)
        errors = (errors + (sums * offset + offset_lost + flushed * (1 + size))) * SLACK
        if not float((largest + offset + errors).max()) <= _SAFE:
            return None
        middle = floors[part] - self.shared
        far = torch.full((), torch.inf, device=middle.device)
        low, high = (
            torch.nextafter((middle - errors).float(), -far),
            torch.nextafter((middle + errors).float(), far),
        )
        if self.dtype == torch.bfloat16:
            low, high = _outwards(low, -far), _outwards(high, far)
        return Thresholds(low, high)


def make_filter(
    queries: Side, gallery: Side, q_means: Means, g_means: Means, dtype: torch.dtype
) -> Filter:
    """A filter in `dtype`, float32 or bfloat16."""
    a_mean, b_mean = float(q_means.other.mean()), float(g_means.other.mean())
    shared = a_mean + b_mean - float(q_means.mean @ g_means.mean)
    first = _factor(queries, q_means, q_means.other - a_mean, dtype, leads=True)
    second = _factor(gallery, g_means, g_means.other - b_mean, dtype, leads=False)
    return Filter(
        first, second, shared, FLOAT32 if dtype == torch.float32 else _TRUNCATED, dtype
    )


def take_means(
    kernels: Kernels, queries: torch.Tensor, gallery: torch.Tensor
) -> tuple[Measured, Measured]:
    """Norms and means of both sides.

    A mean is zero where lengths are so uneven that it would see the longest only.
    """
    means = [rows.mean(0).double() for rows in (queries, gallery)]
    q_found = kernels.moments(queries, torch.stack([means[0], means[1]]))
    g_found = kernels.moments(gallery, torch.stack([means[1], means[0]]))
    check_norms("queries", queries, q_found[:, 0])
    check_norms("gallery", gallery, g_found[:, 0])
    for number, (own, other) in enumerate(((q_found, g_found), (g_found, q_found))):
        even = float(own[:, 0].max()) <= _EVEN * float(own[:, 0].min())
        if not (even and bool(means[number].isfinite().all())):
            means[number].zero_()
            own[:, 1].zero_()
            other[:, 2].zero_()
    q_columns, g_columns = q_found.T.contiguous(), g_found.T.contiguous()
    return Measured(q_columns[0], Means(means[0], *q_columns[1:])), Measured(
        g_columns[0], Means(means[1], *g_columns[1:])
    )


def precisions(queries: Side, gallery: Side) -> tuple[torch.dtype, ...]:
    """What to filter in, first choice first: bfloat16 where the hardware multiplies it,
    and norms suit its bound.
    """
    modest = all(
        float(s.norms.min()) >= 1 / _MODEST and float(s.norms.max()) <= _MODEST
        for s in (queries, gallery)
    )
    return (
        (torch.bfloat16, torch.float32)
        if modest and has_bfloat16(queries.rows.device)
        else (torch.float32,)
    )


def has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    asked = (
        "_is_avx512_bf16_supported",
        "_is_amx_tile_supported",
    )  # private to torch, so they may go
    return device.type == "cpu" and any(
        getattr(torch.cpu, name, lambda: False)() for name in asked
    )


def _factor(
    side: Side, means: Means, offsets: torch.Tensor, dtype: torch.dtype, *, leads: bool
) -> Factor:
    length = float(torch.linalg.vector_norm(means.mean))
    norm = (side.norms + length) * SLACK
    dimension = side.rows.shape[1]
    # |q - m|^2 by its parts; what cancels is added again.
    square = side.norms.square() - 2 * means.own + length**2
    size = (
        square.clamp(min=0) + 4 * gamma(dimension, FLOAT64) * norm.square()
    ).sqrt() * SLACK
    stored = _split(offsets, 1 if dtype == torch.float32 else 3, dtype)
    ones = torch.ones_like(stored)
    single = means.mean.float()
    lost = (
        size * (FLOAT32 * SLACK) + 4 * math.sqrt(dimension) * _SMALLEST
        if length
        else torch.zeros_like(size)
    )
    if dtype == torch.bfloat16:
        lost = lost + _lost_to_bfloat16(side.rows, single)
    parts_of_offset = stored.double()
    offset_lost = (offsets - parts_of_offset.sum(1)).abs() * SLACK
    return Factor(
        rows=side.rows,
        mean=single,
        columns=torch.cat([stored, ones] if leads else [ones, stored], 1),
        bounds=torch.stack(
            [size, lost, parts_of_offset.abs().sum(1), offset_lost, norm], 1
        ),
    )


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
    found: list[torch.Tensor] = []
    for part in parts(len(rows), 256):
        residual = rows[part] - mean
        found.append(
            torch.linalg.vector_norm(residual - residual.bfloat16(), dim=1).double()
        )
    dimension = rows.shape[1]
    return (
        torch.cat(found)
        .mul_(1 + gamma(dimension, FLOAT32))
        .add_(math.sqrt(dimension) * 2.0**-60)
    )


def _outwards(thresholds: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
    """The next bfloat16 number in the direction of `far`, or the same where it is one."""
    near = thresholds.bfloat16()
    short = near.float() > thresholds if float(far) < 0 else near.float() < thresholds
    return torch.where(short, torch.nextafter(near, far.bfloat16()), near).float()
