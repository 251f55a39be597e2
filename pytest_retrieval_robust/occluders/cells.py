"""The base of all occluders: cells of the source image, hidden one after another as the
level rises.

The occlusion task is that of arXiv 2501.09134; the cells lie in the source image's own
coordinates, so that models which crop, pad or resize differently all have the same part
of the patient hidden.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from numbers import Real
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import OcclusionError
from ..core.names import call_name
from . import Frame
from ._batch import BatchMemory
from ._checks import check_pixels
from ._frames import View, view_of
from ._hide import HiddenCells, hide_cells, on_pixels
from .fills import DONOR, Canvas, filling
from .hashing import check_seed

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._donors import Donors
    from .scene import Scene, Setting


@dataclass(frozen=True)
class CellOccluder(ABC):
    """Hides the cells whose priority lies below a threshold that rises with the level.

    By construction it is nested in the level for a fixed seed, and bit-identical for
    every batch split, order, worker and device. Subclasses are frozen dataclasses that
    set `family`; the fields that they add become parameters of the name, and one of
    them is `fill`.
    """

    family: ClassVar[str]
    donors: Donors | None = field(default=None, kw_only=True, repr=False, compare=False)
    """Whose pixels the fill `donor` takes; set by `bind`."""
    _batch: BatchMemory | None = field(
        default=None, kw_only=True, repr=False, compare=False
    )
    """What was made for the batch's levels; set by `bind`. No number depends on it."""

    @property
    @abstractmethod
    def fill(self) -> str:
        """One of `fills.FILLS`."""

    @property
    @abstractmethod
    def cells(self) -> int:
        """G: cells along each side of the source image."""

    @abstractmethod
    def priorities(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """(B, G, G) whole numbers: when each cell is hidden."""

    @abstractmethod
    def threshold(self, level: float) -> int:
        """Cells whose priority lies below it are hidden at `level`."""

    @abstractmethod
    def shares(self, ids: Sequence[str], level: float, seed: int) -> list[float]:
        """The share of each source image's area that is hidden at `level`, in [0, 1]."""

    @property
    def name(self) -> str:
        """The family's name, with the parameters that are not the defaults in
        alphabetical order.
        """
        return call_name(self.family, self)

    def bind(self, scene: Scene) -> CellOccluder:
        """The occluder for the batch of `scene`: itself, with the data set's donors
        where its fill needs them, and a memory of what the batch's levels share.
        """
        return self.for_batch(scene)

    def looked_at(
        self,
        setting: Setting,
        numbers: Sequence[int],  # noqa: ARG002 - for occluders with masks
        groups: NDArray[np.int64],  # noqa: ARG002 - for model-guided occluders
    ) -> bytes | None:
        """A digest of what `bind` looks at, beyond the images' ids and pixels, or None
        where that is not known.

        Embeddings are stored under it. `numbers` and `groups` are those of a batch's
        images. For an occluder from outside of this package it is not known, unless it
        has a method of its own, which returns a digest of everything the mask depends
        on: its code and that of its helpers too.
        """
        # A subclass elsewhere may look at anything, so the base cannot speak for it.
        if not type(self).__module__.startswith(f"{__package__}."):
            return None
        return setting.donors.digest if self.fill == DONOR else b""

    def with_donors(self, scene: Scene) -> Self:
        """Itself, knowing the donors of the scene's data set where its fill is `donor`."""
        if self.fill != DONOR:
            return self
        return replace(self, donors=scene.setting.donors)

    def for_batch(self, scene: Scene) -> Self:
        """Itself with donors, and a new memory of the batch."""
        bound = copy(self.with_donors(scene))
        # Not by `replace`, which would call an `__init__` that a subclass may have.
        object.__setattr__(bound, "_batch", BatchMemory(scene, bound))
        return bound

    @property
    def _memory(self) -> BatchMemory | None:
        """What is kept for the levels of the batch; None where it is bound to none.

        A changed copy of a bound occluder may hide otherwise, so it does not share it.
        """
        batch = self._batch
        return batch if batch is not None and batch.belongs_to(self) else None

    def mask(
        self,
        ids: Sequence[str],
        level: float,
        seed: int,
        size: int | tuple[int, int],
        frame: Frame,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """Which pixels are hidden.

        Args:
            ids: B image ids. An id that occurs twice has the same mask twice.
            level: The share of the source image's area to hide, or the severity, in [0, 1].
            seed: Which layout of the mask, from 0.
            size: The prepared square's side in pixels, or (height, width).
            frame: The box (left, top, right, bottom) of the source image, in relative
                coordinates of the square; one for all images, or one per image.
            device: Where the mask is put.

        Returns:
            (B, 1, H, W) bool. A pixel belongs to the cell under its centre; padding is
            never hidden.

        Raises:
            OcclusionError: A level outside [0, 1], a negative seed, or boxes that fit
                neither the images nor the sides.
        """
        view = self._view_of(frame, len(ids), size)
        hidden = self.hidden_cells_of(ids, level, seed, device)
        return on_pixels(hidden.mask, view)

    def hidden_pixels(
        self,
        ids: Sequence[str],
        level: float,
        seed: int,
        size: int | tuple[int, int],
        frame: Frame,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """(B,) int64: how many pixels of each image `mask` hides, without drawing it."""
        view = self._view_of(frame, len(ids), size)
        hidden = self.hidden_cells_of(ids, level, seed, device).mask
        grid = hidden.shape[1]
        # Where there are about as many cells as pixels, the mask is the smaller one.
        if 8 * grid**2 > view.height * view.width:
            return on_pixels(hidden, view).sum(dim=(1, 2, 3))
        rows, columns = view.pixels_of_cells(grid, device)
        return (hidden * rows[:, :, None] * columns[:, None, :]).sum(dim=(1, 2))

    def occlude(
        self,
        pixels: torch.Tensor,
        ids: Sequence[str],
        level: float,
        seed: int,
        frame: Frame,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Hide part of each image; pixels outside the mask stay as they are, bit for bit.

        Args:
            pixels: (B, 3, H, W) floating on the 0..1 scale (a resize may overshoot it)
                or uint8 on 0..255. Not changed, unless it is also `out`. A NaN that is
                hidden is gone; fills made of the image carry it on.
            ids: B image ids.
            level: The share of the source image's area to hide, or the severity, in [0, 1].
            seed: Which layout of the mask, from 0.
            frame: As for `mask`.
            out: A buffer to write to, of the shape, dtype and device of `pixels`.

        Returns:
            (B, 3, H, W), `out` where it was given, else a new tensor.

        Raises:
            OcclusionError: As for `mask`, or where pixels, ids or `out` do not fit together.
        """
        import torch

        check_pixels(pixels, ids)
        _check_out(out, pixels)
        view = self._view_of(frame, len(ids), (pixels.shape[2], pixels.shape[3]))
        hidden = self.hidden_cells_of(ids, level, seed, pixels.device)
        result = torch.empty_like(pixels) if out is None else out
        canvas = Canvas(pixels, ids, seed, view, self.donors)
        return hide_cells(pixels, self._values(canvas), result, hidden, view)

    def hidden_cells_of(
        self, ids: Sequence[str], level: float, seed: int, device: torch.device | str
    ) -> HiddenCells:
        """Which cells of the source images are hidden."""
        check_level(level)
        check_seed(seed)
        priorities = self._priorities_of(ids, seed, device)
        return HiddenCells(priorities, self.threshold(level))

    def _priorities_of(
        self, ids: Sequence[str], seed: int, device: torch.device | str
    ) -> torch.Tensor:
        """`priorities`, made once for all levels."""
        memory = self._memory
        if memory is None:
            return _priorities(self, tuple(ids), seed, str(device))
        return memory.priorities(self, ids, seed, device)

    def _values(self, canvas: Canvas) -> torch.Tensor | None:
        """The fill's values, made once for all levels."""
        memory = self._memory
        if memory is None:
            return filling(self.fill, canvas)
        return memory.values(self.fill, canvas)

    def _view_of(self, frame: Frame, images: int, size: int | tuple[int, int]) -> View:
        memory = self._memory
        if memory is None:
            return view_of(frame, images, size)
        return memory.view_of(frame, images, size)


@lru_cache(maxsize=8)
def _priorities(
    occluder: CellOccluder, ids: tuple[str, ...], seed: int, device: str
) -> torch.Tensor:
    """Those of an occluder that is bound to no batch, kept for the next level."""
    return occluder.priorities(ids, seed, device)


def check_level(level: float) -> None:
    """Raise `OcclusionError` where `level` is not a number in [0, 1]."""
    is_number = isinstance(level, Real | Decimal) and not isinstance(level, bool)
    if not is_number or not 0 <= level <= 1:
        raise OcclusionError(
            f"Expected a level from 0 to 1, got level={level!r}. Give the share of the"
            " image's area: 0.3 for 30 %."
        )


def _check_out(out: torch.Tensor | None, pixels: torch.Tensor) -> None:
    if out is None:
        return
    for name in ("shape", "dtype", "device"):
        expected = getattr(pixels, name)
        got = getattr(out, name)
        if expected != got:
            raise OcclusionError(
                f"Expected out of the pixels' {name} {expected}, got out.{name}={got}."
                " Use torch.empty_like(pixels)."
            )
