"""Which numbers the filters multiply, and in what order they are tried.

On a CUDA device float16 comes first, and no filter of two parts comes between it and
float32. What a filter leaves in doubt is proportional to its bound, in units of
|q'||g'| at 512 numbers a row:

    bfloat16     3.0e-3 stored + 2.5e-4 summed        1 product of 520 numbers
    float16      3.7e-4 stored + 2.5e-4 summed        1 product of 520
    two parts    under 5e-5 stored + 7.5e-4 summed    1 product of 1,560
    float32      3.1e-5 in all                        1 product of 514, no tensor cores

Storing loses 0.38 units of the last place on average, measured for each row. Sums may
be truncated by the hardware, so they are held to 2^-21 for each term in any order. Two
parts of bfloat16 make the sum three times as long, and lose by that more than float16
loses by storing: they would leave more in doubt for three times the work. Multiplying
them apart, so that the long sum holds small numbers alone, reads and writes all scores
once more, for 2.5e-4 at best.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from ...core.memory import is_out_of_memory
from ._exact import FLOAT32, Side

_TRUNCATED = 2.0**-21
"""Roundoff of float32 sums that a device may truncate. Tensor cores keep 24 bits or
more of each block of 8 or 16 terms: at most 1.25 times 2^-23 a term.
"""
_MODEST = 2.0**20
"""Norms from its inverse to it: squares of what 16 bits lose stay far from float32's
limits.
"""


@dataclass(frozen=True)
class Precision:
    """What a filter's rows are stored in, and how their products are summed."""

    dtype: torch.dtype
    roundoff: float
    """Of sums."""
    offset_parts: int
    """Numbers that together hold an offset well enough."""
    largest_norm: float | None = None
    """What rows are scaled up to, by a power of two, where the exponent is short."""
    one: float = 1.0
    """What an offset's parts are multiplied with. It keeps them within the exponent."""
    smallest: float = 0.0
    """Numbers below may be taken for zero."""


IN_FLOAT32 = Precision(torch.float32, FLOAT32, offset_parts=1)
IN_BFLOAT16 = Precision(torch.bfloat16, _TRUNCATED, offset_parts=3)
# Norms up to 2^11 leave numbers far below them above 2^-14, where float16's exponent
# ends. Offsets are at most 2 * 2^11 * 2^11, of which 2^14 is stored.
IN_FLOAT16 = Precision(
    torch.float16,
    _TRUNCATED,
    offset_parts=3,
    largest_norm=2.0**11,
    one=2.0**9,
    smallest=2.0**-14,
)


def precisions(queries: Side, gallery: Side) -> tuple[Precision, ...]:
    """What to filter in, first choice first: 16 bits where the hardware multiplies
    them, and norms suit their bound.
    """
    device = queries.rows.device
    if _has_modest_norms(queries) and _has_modest_norms(gallery):
        if has_float16(device):
            return IN_FLOAT16, IN_FLOAT32
        if has_bfloat16(device):
            return IN_BFLOAT16, IN_FLOAT32
    return (IN_FLOAT32,)


def _has_modest_norms(side: Side) -> bool:
    least = float(side.norms.min())
    most = float(side.norms.max())
    return least >= 1 / _MODEST and most <= _MODEST


def has_float16(device: torch.device) -> bool:
    """Whether it has tensor cores for float16 whose float32 sums can be had."""
    if device.type != "cuda":
        return False
    return torch.cuda.get_device_capability(device) >= (7, 0) and widens(device)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a processor multiplies bfloat16."""
    if device.type != "cpu":
        return False
    # They are private to torch, so that another version may lack them.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


@cache
def widens(device: torch.device) -> bool:
    """Whether a product of float16 can be had as float32, as it was summed."""
    ones = torch.ones((8, 8), dtype=torch.float16, device=device)
    try:
        product_in_float32(ones, ones, torch.empty_like(ones, dtype=torch.float32))
    except (RuntimeError, TypeError) as error:
        if is_out_of_memory(error):
            raise
        return False
    return True


def product_in_float32(
    left: torch.Tensor, right: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """(q, g) float32: the product of (q, K) and (K, g) float16."""
    return torch.mm(left, right, out_dtype=torch.float32, out=out)
