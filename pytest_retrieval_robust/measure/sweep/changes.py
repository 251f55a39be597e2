"""What a cell does to images: an occluder or a corruption, used in one way.

Both are bound to a batch and change its pixels. An occluder also says which share it
hides; the level of a corruption is its severity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from ...core.errors import CorruptionError, OcclusionError, RobustError

if TYPE_CHECKING:
    import torch
    from typing_extensions import TypeIs

    from ...core.cases import Cell, Family
    from ...corruptions import Corruption
    from ...occluders import Box, Occluder
    from ...texts.noise import TextNoise

ImageChange: TypeAlias = "Occluder | Corruption"
"""Changes pixels."""
Perturbation: TypeAlias = "Occluder | Corruption | TextNoise"
"""Changes images or reports."""
_LOOKS = ("bind", "for_batch", "with_donors", "looked_at")
"""The methods through which an occluder sees the gallery of reports."""


def is_text_noise(change: object) -> TypeIs[TextNoise]:
    """Whether it changes reports, and not images."""
    return hasattr(change, "apply") and not hasattr(change, "occlude")


def is_corruption(change: object) -> TypeIs[Corruption]:
    """Whether it changes images, and hides no part of them."""
    return hasattr(change, "corrupt") and not hasattr(change, "occlude")


def family_of(change: Perturbation) -> Family:
    """The family under which its results are kept."""
    if is_text_noise(change):
        return "text-noise"
    return "corruption" if is_corruption(change) else "occlusion"


def error_kind(change: object) -> type[RobustError]:
    """The class of an error that is the fault of this occluder, corruption or noise."""
    is_occluder = not is_corruption(change) and not is_text_noise(change)
    return OcclusionError if is_occluder else CorruptionError


def word_for(change: object) -> str:
    """What messages call it."""
    if is_text_noise(change):
        return "text noise"
    return "corruption" if is_corruption(change) else "occluder"


def ignores_gallery(change: ImageChange) -> bool:
    """Whether an occluder or a corruption is known to do the same whatever the reports
    are.
    """
    from ...corruptions._noise import NoiseCorruption
    from ...corruptions.image_corruption import ImageCorruption
    from ...occluders._own_methods import keeps_methods

    if not isinstance(change, ImageCorruption):
        return keeps_methods(change, *_LOOKS)
    kind = type(change)
    of_instance = vars(change)
    # By the very functions: a subclass or a wrapper may keep more of the scene.
    return (
        "bind" not in of_instance
        and "looked_at" not in of_instance
        and kind.bind in (ImageCorruption.bind, NoiseCorruption.bind)
        and kind.looked_at is ImageCorruption.looked_at
    )


def changed_pixels(
    change: ImageChange,
    cell: Cell,
    pixels: torch.Tensor,
    ids: Sequence[str],
    frames: Sequence[Box],
    out: torch.Tensor,
) -> torch.Tensor:
    """(B, 3, H, W) the pixels of a batch as a cell has them, by a bound occluder or
    corruption.

    Raises:
        CorruptionError: A corruption gave something else than such pixels.
    """
    if not is_corruption(change):
        return change.occlude(pixels, ids, cell.level, cell.seed, frames, out=out)
    changed = change.corrupt(pixels, ids, cell.level, cell.seed, frames, out=out)
    _require_like(changed, pixels, change)
    return changed


def require_finite(changed: torch.Tensor, corruption: Corruption) -> None:
    """Raise `CorruptionError` where a corruption's pixels are the cause of what an encoder
    made of them: some are no finite number.

    It is looked at once something failed: a look at every batch of a device would be
    waited for.
    """
    if bool(changed.isfinite().all()):
        return
    raise CorruptionError(
        f"Expected finite pixels from the corruption {corruption.name}, got NaN or"
        " infinite ones. Return numbers from 0 to 1: look for a division by 0, and for"
        " roots and logarithms of numbers below it."
    )


def _require_like(
    changed: torch.Tensor, pixels: torch.Tensor, corruption: Corruption
) -> None:
    """Raise `CorruptionError` for what an encoder cannot take in place of the pixels."""
    import torch

    if not isinstance(changed, torch.Tensor):
        got = f"a value of type {type(changed).__name__}"
    elif changed.shape != pixels.shape or changed.dtype != pixels.dtype:
        got = f"shape={tuple(changed.shape)} and dtype={changed.dtype}"
    elif changed.device != pixels.device:
        got = f"device={changed.device}"
    else:
        return
    raise CorruptionError(
        f"Expected pixels of shape={tuple(pixels.shape)}, dtype={pixels.dtype} on"
        f" device={pixels.device} from the corruption {corruption.name}, got {got}."
        " Return a changed copy of the pixels that it is given."
    )
