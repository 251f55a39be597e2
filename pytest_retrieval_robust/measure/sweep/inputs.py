"""What an encoder is given of a scene: pixels, or on a CUDA device its network's input.

Both ways give the same bits. The second one hides and normalises bytes in one pass, and
is for models and occluders of this package alone: nobody's own method is gone past.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from ...core.calling import image_rows, normalised_rows
from ...models.normalised import can_encode_normalised
from ...occluders import _compiled
from ...occluders.fused import (
    EightBitImages,
    can_hide_normalised,
    hidden_normalised,
    normalised,
)
from .changes import changed_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.cases import Cell
    from ...core.normalisation import Normalisation
    from ...models import DualEncoder
    from ...models.normalised import EncodesNormalised
    from ...occluders.cells import CellOccluder
    from ...occluders.scene import Scene
    from .changes import ImageChange

NORMALISES_ON = ("cuda",)
"""Kinds of device on which one pass is worth it: elsewhere it is not compiled."""

Buffer = Callable[[torch.Size, torch.dtype], torch.Tensor]
"""Memory of a shape and dtype that every cell writes to again."""


@dataclass(frozen=True, eq=False, repr=False)
class SceneOnDevice:
    """A scene, and the bytes that its pixels were made from."""

    scene: Scene
    levels: Tensor | None
    """(B, 3, H, W) uint8, where the model prepares such."""


class Inputs(Protocol):
    """A scene on its way into an encoder."""

    def clean(self, part: slice) -> Tensor:
        """The images of a part as they are."""

    def changed(self, cell: Cell, part: slice, buffer: Buffer) -> Tensor:
        """The images of a part as a cell hides or corrupts them."""

    def rows(self, images: Tensor) -> Tensor:
        """(K, D) the embeddings of what either of the two gave."""


def inputs_of(
    model: DualEncoder, shown: SceneOnDevice, change: ImageChange | None
) -> Inputs:
    """The way of a scene into a model, changed by what is bound to the scene or by
    nothing.
    """
    is_possible = (
        shown.levels is not None
        and model.device.startswith(NORMALISES_ON)
        # Without the pass every level would normalise anew.
        and _compiled.why_not_compiled() is None
    )
    if is_possible and can_encode_normalised(model):
        assert shown.levels is not None
        normalisation = model.normalisation
        if change is None:
            return _Normalised(model, shown.scene, shown.levels, normalisation, None)
        if can_hide_normalised(change):
            return _Normalised(model, shown.scene, shown.levels, normalisation, change)
    return _Plain(model, shown.scene, change)


@dataclass(frozen=True, eq=False, repr=False)
class _Plain:
    """Pixels on the 0..1 scale."""

    model: DualEncoder
    scene: Scene
    change: ImageChange | None

    def clean(self, part: slice) -> Tensor:
        return self.scene.pixels[part]

    def changed(self, cell: Cell, part: slice, buffer: Buffer) -> Tensor:
        assert self.change is not None
        pixels = self.scene.pixels[part]
        return changed_pixels(
            self.change,
            cell,
            pixels,
            self.scene.ids[part],
            self.scene.frames[part],
            out=buffer(pixels.shape, pixels.dtype),
        )

    def rows(self, images: Tensor) -> Tensor:
        return image_rows(self.model, images)


@dataclass(frozen=True, eq=False, repr=False)
class _Normalised:
    """A network's input, straight from bytes."""

    model: EncodesNormalised
    scene: Scene
    levels: Tensor
    normalisation: Normalisation
    occluder: CellOccluder | None

    def clean(self, part: slice) -> Tensor:
        return normalised(self.levels[part], self.normalisation)

    def changed(self, cell: Cell, part: slice, buffer: Buffer) -> Tensor:
        assert self.occluder is not None
        levels = self.levels[part]
        images = EightBitImages(
            levels,
            self.scene.ids[part],
            self.scene.frames[part],
            self.scene.pixels[part],
        )
        return hidden_normalised(
            self.occluder,
            images,
            cell.level,
            cell.seed,
            self.normalisation,
            out=buffer(levels.shape, self.normalisation.dtype),
        )

    def rows(self, images: Tensor) -> Tensor:
        return normalised_rows(self.model, images)
