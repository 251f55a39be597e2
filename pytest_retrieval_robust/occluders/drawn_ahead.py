"""Drawings that threads make while images are decoded, before the masks need them."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..core.foreign import FOREIGN
from .severity import NEVER, Onsets, SeverityOccluder

if TYPE_CHECKING:
    from . import Occluder

_LIMIT = 1 << 26
"""Bytes of a batch's drawings. What goes beyond is drawn when it is needed."""


class Drawing(NamedTuple):
    """The cells of an image that are hidden at some severity: a small part of them."""

    cells: NDArray[np.uint16]
    """(N,) their numbers, row by row."""
    onsets: NDArray[np.int16]
    """(N,)."""

    @staticmethod
    def of(onsets: Onsets) -> Drawing:
        flat = onsets.reshape(-1)
        cells = np.flatnonzero(flat != NEVER)
        return Drawing(cells.astype(np.uint16), flat[cells])

    @property
    def nbytes(self) -> int:
        return self.cells.nbytes + self.onsets.nbytes

    def draw_on(self, canvas: Onsets) -> None:
        """Write it on an image that nothing is drawn on."""
        canvas.reshape(-1)[self.cells] = self.onsets


class DrawnAhead:
    """The drawings of a batch's images. It is freed with the batch.

    `draw` may be called from several threads at once, an image from each. Occluders
    that cannot be drawn ahead are ignored: their masks come as without it.

    Args:
        wanted: The occluders with the seeds of their masks. A pair may occur at several
            levels.
    """

    def __init__(self, wanted: Iterable[tuple[Occluder, int]]) -> None:
        self._wanted: dict[tuple[str, int], SeverityOccluder] = {}
        for occluder, seed in wanted:
            if can_draw_ahead(occluder):
                self._wanted[occluder.name, seed] = occluder
        self._drawings: dict[tuple[str, str, int], Drawing] = {}
        self._size = 0
        self._lock = Lock()

    def draw(self, image_id: str) -> None:
        """Draw an image for every occluder and seed; it never raises."""
        for (name, seed), occluder in self._wanted.items():
            if self._size > _LIMIT:
                return
            try:
                drawing = Drawing.of(occluder.onsets(image_id, seed))
            except FOREIGN:
                # The same failure is reported where the mask is asked for.
                continue
            with self._lock:
                self._drawings[name, image_id, seed] = drawing
                self._size += drawing.nbytes

    def drawing(
        self, occluder: SeverityOccluder, image_id: str, seed: int
    ) -> Drawing | None:
        """The drawing of an image, if it was made."""
        # Its parameters are in the name, and what was drawn ahead follows from nothing else.
        if not can_draw_ahead(occluder):
            return None
        return self._drawings.get((occluder.name, image_id, seed))


def can_draw_ahead(occluder: object) -> TypeGuard[SeverityOccluder]:
    """Whether an occluder's onsets follow from its parameters, the id and the seed
    alone, and may be drawn by several threads.

    That is known of this package's own, as far as they do not look at a scene.
    """
    kind = type(occluder)
    is_ours = kind.__module__.startswith(f"{__package__}.")
    if not is_ours or not issubclass(kind, SeverityOccluder):
        return False
    return kind.bind is SeverityOccluder.bind
