"""The pixels of a batch that show source images, all at one place of the square."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..core.errors import CorruptionError, OcclusionError
from ..occluders._frames import View, view_of
from . import Box, Frame

if TYPE_CHECKING:
    import torch

_BLOCK = 1 << 20
"""Numbers that are changed together on a processor, so that its cache holds them."""


@dataclass(frozen=True, eq=False, repr=False)
class Region:
    """The b images of a batch whose sources lie in the same box, cut out there."""

    box: Box
    """(left, top, right, bottom) of the source, in relative coordinates of the square."""
    square: tuple[int, int]
    """(height, width) of the square in pixels."""

    shown: torch.Tensor
    """(b, 3, h, w) the region as the batch holds it. Not to be written to."""
    ids: Sequence[str]
    """Their b ids."""
    seed: int
    source_rows: torch.Tensor
    """(h,) float64, on the host: where each row's centre lies in the source, in [0, 1)."""
    source_columns: torch.Tensor
    """(w,) the same of each column."""
    source_size: tuple[float, float]
    """(height, width) of the whole source in pixels of the square, with what a crop cuts
    off.
    """

    shared: dict[str, Any] = field(default_factory=dict)
    """What the blocks of a region have in common, kept as long as any of them."""

    @cached_property
    def pixels(self) -> torch.Tensor:
        """(b, 3, h, w) float32, clamped to [0, 1]; what is no number is 0. Not to be
        written to.
        """
        return _clean(self.shown)

    @cached_property
    def greys(self) -> torch.Tensor:
        """(b, 1, h, w), one channel of `pixels`, where all three are known to be equal;
        else `pixels`. Not to be written to.

        For what treats channels alike: a film then costs a third.
        """
        channels = self.channels
        return self.pixels if channels is self.shown else _clean(channels)

    @cached_property
    def channels(self) -> torch.Tensor:
        """(b, 1, h, w) of `shown`, where all three channels are known to be equal; else
        `shown`. On a device, where a look would be waited for, they are not known to be.
        """
        if self.shown.device.type == "cpu" and _is_grey(self.shown):
            return self.shown[:, :1]
        return self.shown

    def blocks(self) -> Iterator[tuple[slice, Region]]:
        """The images in blocks that a processor's cache holds, each with its place; all
        at once on another device.
        """
        images = len(self.ids)
        size = images
        if self.shown.device.type == "cpu":
            size = max(1, _BLOCK // max(1, self.shown[:1].numel()))
        for start in range(0, images, size):
            part = slice(start, start + size)
            yield part, replace(self, shown=self.shown[part], ids=self.ids[part])


def _is_grey(shown: torch.Tensor) -> bool:
    """Whether three channels on the host have the same bits."""
    import torch

    if shown.stride(1) == 0:
        return True
    red, green, blue = shown.unbind(1)
    if shown.dtype not in (torch.uint8, torch.float32):
        return torch.equal(red, green) and torch.equal(red, blue)
    # NumPy compares whole numbers many times faster than torch compares floats.
    whole = torch.uint8 if shown.dtype == torch.uint8 else torch.int32
    first, second, third = (plane.view(whole).numpy() for plane in (red, green, blue))
    return bool((first == second).all() and (first == third).all())


def _clean(shown: torch.Tensor) -> torch.Tensor:
    """Pixels as float32 in [0, 1]; what is no number is 0."""
    import torch

    if shown.dtype == torch.uint8:
        return shown.float().div_(255)
    floats = shown.float()
    # A look is cheaper than the copy, but on a device it would be waited for.
    if floats.device.type == "cpu" and floats.numel():
        least, most = torch.aminmax(floats)
        if least >= 0 and most <= 1:
            return floats
    # `clamp` alone would keep what is no number.
    return floats.nan_to_num(nan=0.0).clamp_(0, 1)


@dataclass(frozen=True, eq=False, repr=False)
class Place:
    """Where a region lies in its batch."""

    images: slice | torch.Tensor
    rows: slice
    columns: slice

    def covers(self, batch: torch.Tensor) -> bool:
        """Whether it is every pixel of its images."""
        height, width = batch.shape[-2:]
        return self.rows == slice(0, height) and self.columns == slice(0, width)

    def of_images(self, part: slice) -> Place:
        """The place of some of its images."""
        if isinstance(self.images, slice):
            start = self.images.start
            stop = min(start + part.stop, self.images.stop)
            return replace(self, images=slice(start + part.start, stop))
        return replace(self, images=self.images[part])

    def cut_from(self, batch: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w): a view of the batch where its images follow each other."""
        return batch[self.images, :, self.rows, self.columns]

    def write(self, changed: torch.Tensor, batch: torch.Tensor) -> None:
        """Put (b, 3, h, w) or (b, 1, h, w) there: floats on the 0..1 scale or bytes, for
        a batch of either.
        """
        import torch

        if changed.stride(1) == 0:
            # Three times the same channel: it is converted once.
            changed = changed[:, :1]
        if batch.dtype == torch.uint8 and changed.is_floating_point():
            # By way of int16, which is three times as fast on a processor.
            changed = (changed * 255).round_().to(torch.int16).to(torch.uint8)
        elif batch.is_floating_point() and changed.dtype == torch.uint8:
            changed = changed.float().mul_(1 / 255)
        batch[self.images, :, self.rows, self.columns] = changed.to(batch.dtype)


def regions_of(
    batch: torch.Tensor, ids: Sequence[str], seed: int, frame: Frame
) -> Iterator[tuple[Place, Region]]:
    """The regions of a batch, one per box that differs. A box that shows nothing has none.

    Raises:
        CorruptionError: Boxes that fit neither the images nor the sides.
    """
    height, width = batch.shape[-2:]
    try:
        view = view_of(frame, len(ids), (height, width))
    except OcclusionError as error:
        raise CorruptionError(str(error)) from None
    for number, images in _images_by_box(view, len(ids)).items():
        rows, source_rows = _showing(view.rows[number])
        columns, source_columns = _showing(view.columns[number])
        if not len(source_rows) or not len(source_columns):
            continue
        left, top, right, bottom = view.boxes[number]
        place = Place(_selection(images, batch), rows, columns)
        yield (
            place,
            Region(
                box=view.boxes[number],
                square=(height, width),
                shown=place.cut_from(batch),
                ids=[ids[image] for image in images],
                seed=seed,
                source_rows=source_rows,
                source_columns=source_columns,
                source_size=(height * (bottom - top), width * (right - left)),
            ),
        )


def _images_by_box(view: View, count: int) -> dict[int, list[int]]:
    """The images of each box that differs, by the number of the box's first occurrence."""
    if len(view.boxes) == 1:
        return {0: list(range(count))} if count else {}
    first: dict[object, int] = {}
    images: dict[int, list[int]] = defaultdict(list)
    for number, box in enumerate(view.boxes):
        images[first.setdefault(box, number)].append(number)
    return images


def _selection(images: list[int], batch: torch.Tensor) -> slice | torch.Tensor:
    """A slice where the images follow each other: it needs no copy."""
    from ..core.uploads import upload

    if images[-1] - images[0] == len(images) - 1:
        return slice(images[0], images[-1] + 1)
    import torch

    return upload(torch.tensor(images, device="cpu"), batch.device)


def _showing(positions: torch.Tensor) -> tuple[slice, torch.Tensor]:
    """The pixels of an axis that show the source, and where they lie in it."""
    inside = ((positions >= 0) & (positions < 1)).nonzero().flatten()
    if not len(inside):
        return slice(0, 0), positions[:0]
    pixels = slice(int(inside[0]), int(inside[-1]) + 1)
    return pixels, positions[pixels]
