"""Hiding and normalising in one pass, from bytes to a network's input.

A model that prepares 8-bit pixels and normalises each channel by constants sees one of
256 numbers per channel. These are looked up, so that they have the bits of the long way:
to float32, hidden, normalised, rounded to the network's dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from ..core.errors import OcclusionError
from ..core.normalisation import Normalisation, on_unit_scale
from . import WHOLE, _compiled
from ._frames import View, view_of
from ._hide import HiddenCells, on_pixels
from ._own_methods import keeps_methods
from .cells import CellOccluder
from .fills import CONTENT_FREE, DONOR, Canvas, network_filling

if TYPE_CHECKING:
    import torch

    from . import Frame

_WITHOUT_PIXELS = (*CONTENT_FREE, DONOR)
"""Fills that follow from the shape and the ids alone."""


@dataclass(frozen=True, eq=False, repr=False)
class EightBitImages:
    """A batch, or a part of it, as the model prepared it."""

    levels: torch.Tensor
    """(B, 3, H, W) uint8 on the model's device."""
    ids: Sequence[str]
    frame: Frame
    pixels: torch.Tensor | None = None
    """The same on the 0..1 scale, float32: the scene's, so that fills made of them are
    kept. None: they are made where a fill needs them.
    """


def can_hide_normalised(occluder: object) -> TypeGuard[CellOccluder]:
    """Whether `hidden_normalised` gives what the occluder's own `occlude` does.

    An occluder that hides in a way of its own, or a wrapper of one, is asked itself.
    """
    return keeps_methods(occluder, "occlude", "hidden_cells_of")


def hidden_normalised(
    occluder: CellOccluder,
    images: EightBitImages,
    level: float,
    seed: int,
    normalisation: Normalisation,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """What a network sees of images of which part is hidden.

    The bits are those of `normalisation(occluder.occlude(pixels, ...))`, with `pixels`
    the bytes on the 0..1 scale.

    Args:
        occluder: One for which `can_hide_normalised` holds, bound where it has to be.
        images: The images as bytes.
        level: As for `occlude`.
        seed: As for `occlude`.
        normalisation: The model's.
        out: A buffer of the shape of the pixels and the normalisation's dtype.

    Returns:
        (B, 3, H, W) of the normalisation's dtype, `out` where it was given.

    Raises:
        OcclusionError: As for `occlude`, or where there are no bytes.
    """
    import torch

    levels = images.levels
    _check_levels(levels, images.ids)
    result = torch.empty_like(levels, dtype=normalisation.dtype) if out is None else out
    _check_out(result, levels, normalisation.dtype)
    height, width = levels.shape[2:]
    view = occluder._view_of(images.frame, len(images.ids), (height, width))
    hidden = occluder.hidden_cells_of(images.ids, level, seed, levels.device)
    values = _network_values(occluder, images, seed, view, normalisation)
    table = normalisation.table

    def plain() -> torch.Tensor:
        network = normalisation(on_unit_scale(levels))
        return torch.where(on_pixels(hidden.mask, view), values, network)

    if _compiled.was_hidden(levels, table, values, result, hidden, view, plain):
        return result
    return result.copy_(plain())


def normalised(levels: torch.Tensor, normalisation: Normalisation) -> torch.Tensor:
    """(B, 3, H, W): what a network sees of bytes of which nothing is hidden."""
    import torch

    images, _, height, width = levels.shape
    result = torch.empty_like(levels, dtype=normalisation.dtype)
    cells = torch.zeros((1, 1, 1), dtype=torch.int8, device=levels.device)
    nothing = HiddenCells(cells.expand(images, -1, -1), threshold=0)
    view = view_of(WHOLE, images, (height, width))

    def plain() -> torch.Tensor:
        return normalisation(on_unit_scale(levels))

    table = normalisation.table
    if _compiled.was_hidden(levels, table, None, result, nothing, view, plain):
        return result
    return plain()


def _network_values(
    occluder: CellOccluder,
    images: EightBitImages,
    seed: int,
    view: View,
    normalisation: Normalisation,
) -> torch.Tensor:
    """The fill as the network sees it, made once for all levels of a bound batch."""
    canvas = Canvas(
        _fill_pixels(occluder.fill, images), images.ids, seed, view, occluder.donors
    )
    memory = occluder._memory
    if memory is None:
        return network_filling(occluder.fill, canvas, normalisation)
    return memory.network_values(occluder.fill, canvas, normalisation)


def _fill_pixels(fill: str, images: EightBitImages) -> torch.Tensor:
    """The pixels that a fill is made of, or a stand-in of their shape."""
    import torch

    if images.pixels is not None:
        return images.pixels
    levels = images.levels
    if fill in _WITHOUT_PIXELS:
        return torch.zeros((), dtype=torch.float32, device=levels.device).expand(
            levels.shape
        )
    return on_unit_scale(levels)


def _check_levels(levels: torch.Tensor, ids: Sequence[str]) -> None:
    import torch

    is_batch = levels.ndim == 4 and levels.shape[1] == 3
    if not is_batch or levels.dtype != torch.uint8 or len(ids) != len(levels):
        raise OcclusionError(
            "Expected uint8 levels of shape (B, 3, H, W) with B ids, got"
            f" shape={tuple(levels.shape)}, dtype={levels.dtype} and"
            f" len(ids)={len(ids)}. Use the occluder's own occlude for other pixels."
        )


def _check_out(out: torch.Tensor, levels: torch.Tensor, dtype: torch.dtype) -> None:
    fits = out.shape == levels.shape and out.device == levels.device
    if not fits or out.dtype != dtype:
        raise OcclusionError(
            f"Expected out of shape {tuple(levels.shape)}, {dtype} on {levels.device},"
            f" got shape={tuple(out.shape)}, {out.dtype} on {out.device}. Use"
            " torch.empty_like(levels, dtype=normalisation.dtype)."
        )
