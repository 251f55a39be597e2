"""What every encoder of this folder shares: its `repr`, dtypes, constants and unit rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import DualEncoder, StatesPrecision

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_SHORTEST = 1e-12
"""Length that a zero row is divided by, so that it stays zero."""


def described_encoder(encoder: DualEncoder) -> str:
    """The neutral one-line `repr` of an encoder: no path is in it."""
    precision = ""
    if isinstance(encoder, StatesPrecision):
        precision = f", {encoder.precision}"
    return f"<{type(encoder).__name__} {encoder.name} on {encoder.device}{precision}>"


def torch_dtype(precision: str) -> torch.dtype:
    return _DTYPES[precision]


def channel_constants(values: Sequence[float], device: str) -> Tensor:
    """One value per channel as (1, C, 1, 1), to normalise (B, C, H, W) pixels with."""
    return torch.tensor(values, device=device).reshape(1, -1, 1, 1)


def unit_rows(features: Tensor) -> Tensor:
    """Rows of length 1 in float32.

    A zero or NaN row stays one: the sweep reports it with the image's id hash.
    """
    # In float32 before the length, whose squares overflow in half precision.
    rows = features.float()
    lengths: Tensor = rows.norm(dim=-1, keepdim=True).clamp_min(_SHORTEST)
    return rows / lengths
