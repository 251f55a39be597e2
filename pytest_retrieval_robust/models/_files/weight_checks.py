"""Checks of a checkpoint's weights: keys it may lack or have too many, and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

_HARMLESS = ("position_ids",)
"""Buffers that old libraries saved and new ones compute: dropped, and listed as dropped."""
_TEMPERATURE = ("logit_scale", "logit_bias")
"""Scale and shift of all scores alike: no rank depends on them, so they may be missing."""
_MOST_LISTED = 8


def is_harmless(key: str) -> bool:
    return key.rsplit(".", 1)[-1] in _HARMLESS


def is_temperature(key: str) -> bool:
    return key.rsplit(".", 1)[-1] in _TEMPERATURE


def require_no_missing(name: str, missing: Sequence[str]) -> None:
    """`ModelError` that lists the weights that a checkpoint lacks: they would stay random.

    The temperature may be missing: no rank depends on it.
    """
    needed = sorted(key for key in missing if not is_temperature(key))
    if not needed:
        return
    listed = ", ".join(needed[:_MOST_LISTED])
    if len(needed) > _MOST_LISTED:
        listed += ", ..."
    raise ModelError(
        f"Expected a checkpoint with every weight of {name}, got"
        f" missing_keys={len(needed)}: {listed}. Its architecture and the"
        " checkpoint do not belong together; load the matching one."
    )


def require_numbers(
    name: str, key: str, tensor: Tensor, *, weight: bool = True
) -> None:
    """`ModelError` for NaN in a weight or buffer, and for an infinite weight.

    A buffer may be infinite, as attention masks are.
    """
    if not tensor.is_floating_point() or tensor.is_meta:
        return
    # One finite sum proves every value finite. The reverse does not hold: a sum of
    # finite numbers may overflow, so then every value is looked at.
    if bool(tensor.sum().isfinite()):
        return
    is_bad = ~tensor.isfinite() if weight else tensor.isnan()
    bad = int(is_bad.sum())
    if bad:
        raise ModelError(
            f"Expected finite weights of {name}, got {bad} of {tensor.numel()} values"
            f" of {key} that are NaN or infinite. The checkpoint is damaged, or its"
            " training diverged: use an earlier one."
        )
