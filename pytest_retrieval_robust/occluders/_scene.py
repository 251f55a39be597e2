"""The old name of `scene` and of what `_images` holds, for modules that still import it."""

from __future__ import annotations

from ._images import (
    Encoder,
    Images,
    Prepares,
    batch_size,
    encode,
    open_image,
    prepare_image,
    stacked,
    unit_scale,
)
from .scene import Scene, Setting

__all__ = [
    "Encoder",
    "Images",
    "Prepares",
    "Scene",
    "Setting",
    "batch_size",
    "encode",
    "open_image",
    "prepare_image",
    "stacked",
    "unit_scale",
]
