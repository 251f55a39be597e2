"""What the levels of a batch have in common, so that it is made once for all of them.

Levels differ in a threshold alone: priorities, fills and where cells lie in the pixels
stay the same. A bound occluder keeps its priorities; fills are kept by the scene, so
that all occluders share them and they are freed with its pixels.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from ..core.encoding import Frame
from . import _frames
from ._kept import Kept
from .fills import OF_PIXELS, WITHOUT_SEED, Canvas, filling, network_filling

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ..core.normalisation import Normalisation
    from .cells import CellOccluder
    from .drawn_ahead import DrawnAhead
    from .scene import Scene
    from .severity import SeverityOccluder

_PRIORITY_BYTES = 1 << 27
"""What the priorities of an occluder may take: two seeds of 256 drawn images, on the host
and on the device.
"""


class BatchMemory:
    """What one bound occluder keeps of its batch.

    It does not keep the scene alive. Without its scene fills are made anew, which gives
    the same.

    Args:
        scene: The batch.
        owner: The bound occluder.
    """

    def __init__(self, scene: Scene, owner: CellOccluder) -> None:
        self._scene = weakref.ref(scene)
        self._owner = weakref.ref(owner)
        self._priorities = Kept(_PRIORITY_BYTES)
        self._views = Kept(0)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        # A copy that is sent elsewhere knows no batch.
        return type(None), ()

    def belongs_to(self, occluder: CellOccluder) -> bool:
        return self._owner() is occluder

    @property
    def drawn_ahead(self) -> DrawnAhead | None:
        scene = self._scene()
        return None if scene is None else scene.drawn_ahead

    def priorities(
        self,
        occluder: CellOccluder,
        ids: Sequence[str],
        seed: int,
        device: torch.device | str,
    ) -> torch.Tensor:
        """(B, G, G): the occluder's `priorities`."""
        key = ("priorities", tuple(ids), seed, str(device))
        return self._priorities.get(key, lambda: occluder.priorities(ids, seed, device))

    def onset_counts(
        self, occluder: CellOccluder, ids: Sequence[str], seed: int
    ) -> NDArray[np.int32]:
        """(B, STEPS + 1): what `severity.counts_of` gives."""
        from .severity import counts_of

        def make() -> NDArray[np.int32]:
            return counts_of(self.priorities(occluder, ids, seed, "cpu").numpy())

        return self._priorities.get(("counts", tuple(ids), seed), make)

    def drawn(
        self, occluder: SeverityOccluder, ids: Sequence[str], seed: int
    ) -> NDArray[np.int16]:
        """(B, CELLS, CELLS): what `severity.draw_all` gives."""
        from .severity import draw_all

        def make() -> NDArray[np.int16]:
            return draw_all(occluder, ids, seed, self.drawn_ahead)

        return self._priorities.get(("drawn", tuple(ids), seed), make)

    def view_of(
        self, frame: Frame, images: int, size: int | tuple[int, int]
    ) -> _frames.View:
        """The checked view of a batch, with what was computed of it before."""
        # The tuple's boxes are the same objects at each level, which compare at once.
        key = (tuple(frame), images, size if isinstance(size, int) else tuple(size))
        return self._views.get(key, lambda: _frames.view_of(frame, images, size))

    def values(self, fill: str, canvas: Canvas) -> torch.Tensor | None:
        """What `filling` gives."""
        kept = self._fills
        key = self._key(fill, canvas)
        if kept is None or key is None:
            return filling(fill, canvas)
        return kept.get(key, lambda: filling(fill, canvas))

    def network_values(
        self, fill: str, canvas: Canvas, normalisation: Normalisation
    ) -> torch.Tensor:
        """What `fills.network_filling` gives: the fill as the network sees it."""

        def make() -> torch.Tensor:
            return network_filling(fill, canvas, normalisation)

        kept = self._fills
        key = self._key(fill, canvas)
        if kept is None or key is None:
            return make()
        return kept.get((key, normalisation), make)

    @property
    def _fills(self) -> Kept | None:
        scene = self._scene()
        return None if scene is None else scene.kept_fills

    def _key(self, fill: str, canvas: Canvas) -> Hashable | None:
        """What a fill follows from; None where it cannot be known to be the same later."""
        pixels = canvas.pixels
        content: Hashable = None
        if fill in OF_PIXELS:
            content = self._content_of(pixels)
            if content is None:
                return None
        seed = None if fill in WITHOUT_SEED else canvas.seed
        kind = (tuple(pixels.shape), pixels.dtype, str(pixels.device))
        return fill, seed, tuple(canvas.ids), canvas.view, kind, content

    def _content_of(self, pixels: torch.Tensor) -> Hashable | None:
        """Which part of the scene's pixels these are, as they are now; None for others.

        A tensor's version changes with every change in place, through a view too.
        """
        scene = self._scene()
        if scene is None or _root(pixels) is not _root(scene.pixels):
            return None
        # Without a version nobody knows whether the pixels were changed meanwhile.
        if pixels.is_inference():
            return None
        return pixels.storage_offset(), pixels.stride(), pixels._version


def _root(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor that it is a view of, or itself."""
    return tensor if tensor._base is None else tensor._base
