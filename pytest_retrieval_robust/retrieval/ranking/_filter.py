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

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ._exact import FLOAT64, SLACK, Side, gamma
from ._factors import SMALLEST, Bounds, Factor, Stored, factor_of
from ._means import Means
from ._precisions import Precision, product_in_float32, widens
from ._sizes import Sizes
from ._thresholds import Thresholds

_SAFE = 2.0**120
"""Sums above this may overflow float32."""


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
        flushed = 4 * width * SMALLEST
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
        Stored.of(queries, q_means, q_means.other_products - a_mean, precision),
        Stored.of(gallery, g_means, g_means.other_products - b_mean, precision),
    ]
    scale = sides[0].scale * sides[1].scale
    factors = [
        factor_of(side, scale, precision, sizes, leads=side is sides[0])
        for side in sides
    ]
    made = Filter(factors[0], factors[1], shared, precision)
    return made if made.is_safe else None


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
