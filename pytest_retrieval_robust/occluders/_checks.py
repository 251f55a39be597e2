"""Checks of an occluder's parameters and of the pixels that are given to it, in one wording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.errors import OcclusionError, RobustError
from ..core.words import close_words, did_you_mean

if TYPE_CHECKING:
    import torch


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raise `OcclusionError` unless `value` is a whole number from `least` to `most`."""
    fits = (
        isinstance(value, int)
        and not isinstance(value, bool)
        and value >= least
        and (most is None or value <= most)
    )
    if fits:
        return
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise OcclusionError(
        f"Expected {name} {limits}, got {name}={value!r}. Give a whole number, or omit"
        " it for the default."
    )


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise `OcclusionError`, which suggests the closest choice, unless `value` is one."""
    if value in choices:
        return
    hint = did_you_mean(close_words(str(value), choices)) or "Choose one of them."
    raise OcclusionError(
        f"Expected {name} out of {', '.join(choices)}, got {name}={value!r}. {hint}"
    )


def check_pixels(
    pixels: torch.Tensor,
    ids: Sequence[str],
    error: type[RobustError] = OcclusionError,
) -> None:
    """Raise `error` for what is no batch of pixels with an id each."""
    import torch

    is_batch = pixels.ndim == 4 and pixels.shape[1] == 3
    has_scale = pixels.is_floating_point() or pixels.dtype == torch.uint8
    if not is_batch or not has_scale:
        raise error(
            "Expected floating or uint8 pixels of shape (B, 3, H, W), got"
            f" shape={tuple(pixels.shape)} and dtype={pixels.dtype}. Scale other"
            " integers to 0..1 as floats, and repeat grey to three channels."
        )
    if isinstance(ids, str) or len(ids) != len(pixels):
        raise error(
            f"Expected one id per image, got len(ids)={len(ids)} for {len(pixels)}"
            " images. Give a list of B strings."
        )
