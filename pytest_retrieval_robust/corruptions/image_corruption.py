"""The base of all corruptions: the part of each picture that shows the source image,
changed by more as the severity rises.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import CorruptionError, OcclusionError
from ..core.names import call_name
from ..occluders._checks import check_pixels
from ..occluders.hashing import check_seed
from . import Frame
from .region import Place, Region, regions_of

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ..occluders.scene import Scene, Setting


@dataclass(frozen=True)
class ImageCorruption(ABC):
    """Changes the pixels that show the source image, and leaves padding as it is.

    Subclasses are frozen dataclasses that set `family`; the fields that they add become
    parameters of the name.
    """

    family: ClassVar[str]
    rises_by_film: ClassVar[bool] = True
    """Whether the mean distance to the clean film never falls for any single film. False
    where that holds for the mean of many alone: what blurs, codes or moves a film may
    bring one a little nearer, because its edges lie on blocks or one part looks like
    another.
    """

    @abstractmethod
    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w), or (b, 1, h, w) for all channels: the pixels of a region at a
        severity above 0, in [0, 1] or as bytes.
        """

    @property
    def name(self) -> str:
        """The family's name, with the parameters that are not the defaults in
        alphabetical order.
        """
        return call_name(self.family, self)

    def bind(self, scene: Scene) -> ImageCorruption:  # noqa: ARG002 - some keep more
        """Itself."""
        return self

    def looked_at(
        self,
        setting: Setting,  # noqa: ARG002 - for corruptions from elsewhere
        numbers: Sequence[int],  # noqa: ARG002
        groups: NDArray[np.int64],  # noqa: ARG002
    ) -> bytes | None:
        """A digest of what the change depends on beyond ids and pixels, or None where
        that is not known: embeddings are then not stored.
        """
        is_ours = type(self).__module__.startswith(f"{__package__}.")
        return b"" if is_ours else None

    def corrupt(
        self,
        pixels: torch.Tensor,
        ids: Sequence[str],
        severity: float,
        seed: int,
        frame: Frame,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Change each image by a severity.

        Args:
            pixels: (B, 3, H, W) floating on the 0..1 scale or uint8 on 0..255. Not
                changed, unless it is also `out`. From a severity above 0 on, floats
                beyond the scale, as a resize leaves them, are clamped to it, and those
                that are no number are black.
            ids: B image ids. An id that occurs twice has the same randomness twice.
            severity: From 0, which changes nothing, to 1.
            seed: Which randomness, from 0.
            frame: The box (left, top, right, bottom) of the source image, in relative
                coordinates of the square; one for all images, or one per image.
            out: A buffer to write to, of the shape, dtype and device of `pixels`.

        Returns:
            (B, 3, H, W), `out` where it was given, else a new tensor.

        Raises:
            CorruptionError: A severity outside [0, 1], a negative seed, or pixels, ids,
                frame or `out` that do not fit together.
        """
        import torch

        check_severity(severity)
        _check_seed(seed)
        check_pixels(pixels, ids, CorruptionError)
        _check_out(out, pixels)
        result = torch.empty_like(pixels) if out is None else out
        regions = list(regions_of(pixels, ids, seed, frame)) if severity else []
        if result is not pixels and not _cover(regions, pixels):
            result.copy_(pixels)
        for place, region in regions:
            for part, block in region.blocks():
                changed = self.changed(block, float(severity))
                self._require_region(changed, block)
                place.of_images(part).write(changed, result)
        return result

    def _require_region(self, changed: torch.Tensor, region: Region) -> None:
        """Raise `CorruptionError` for what a subclass may give in place of pixels."""
        import torch

        if not isinstance(changed, torch.Tensor):
            got = f"a value of type {type(changed).__name__}"
        elif changed.shape not in (region.shown.shape, region.shown[:, :1].shape):
            # One channel stands for three that are equal: see `Region.greys`.
            got = f"shape={tuple(changed.shape)}"
        else:
            return
        raise CorruptionError(
            f"Expected pixels of shape={tuple(region.shown.shape)} from `changed` of"
            f" {self.name}, got {got}. Return the region's pixels, changed."
        )


def _cover(regions: Sequence[tuple[Place, Region]], pixels: torch.Tensor) -> bool:
    """Whether every pixel of every image is in a region."""
    images = sum(len(region.ids) for _, region in regions)
    return images == len(pixels) and all(place.covers(pixels) for place, _ in regions)


def check_severity(severity: float) -> None:
    """Raise `CorruptionError` where `severity` is not a number in [0, 1]."""
    is_number = isinstance(severity, Real | Decimal) and not isinstance(severity, bool)
    if not is_number or not 0 <= severity <= 1:
        raise CorruptionError(
            f"Expected a severity from 0 to 1, got severity={severity!r}. The five"
            " published steps are 0.2, 0.4, 0.6, 0.8 and 1."
        )


def _check_seed(seed: int) -> None:
    try:
        check_seed(seed)
    except OcclusionError as error:
        raise CorruptionError(str(error)) from None


def _check_out(out: torch.Tensor | None, pixels: torch.Tensor) -> None:
    """Raise `CorruptionError` where `out` cannot take the changed pixels."""
    if out is None:
        return
    if (out.shape, out.dtype, out.device) != (
        pixels.shape,
        pixels.dtype,
        pixels.device,
    ):
        raise CorruptionError(
            f"Expected a buffer of shape={tuple(pixels.shape)}, dtype={pixels.dtype} and"
            f" device={pixels.device}, got shape={tuple(out.shape)}, dtype={out.dtype}"
            f" and device={out.device}. Give torch.empty_like(pixels), or omit out."
        )
