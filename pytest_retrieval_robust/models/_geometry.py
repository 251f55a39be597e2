"""Where the source image lands in the square that an encoder sees. Pure arithmetic, no image library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from . import Frame


@dataclass(frozen=True)
class Geometry:
    """A resize followed by a centred crop or pad to a square of `side` pixels.

    `resize` is `shortest` or `longest` (that side becomes `size`, the aspect is kept) or `exact` (both do).
    """

    resize: Literal["shortest", "longest", "exact"]
    size: int
    side: int
    crop_rounding: Literal["floor", "nearest"]
    """How half a pixel of crop margin is rounded: transformers floors, torchvision rounds half to even."""

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after the resize."""
        if self.resize == "exact":
            return self.size, self.size
        if self.resize == "longest":
            ratio = max(width, height) / self.size
            return round(width / ratio), round(height / ratio)
        short, long = sorted((width, height))
        new_long = int(self.size * long / short)
        return (self.size, new_long) if width <= height else (new_long, self.size)

    def frame(self, width: int, height: int) -> Frame:
        """The box of a (width, height) source image in the square, relative to the square's side."""
        new_width, new_height = self.resized(width, height)
        left, top = self._offset(new_width), self._offset(new_height)
        return (
            -left / self.side,
            -top / self.side,
            (new_width - left) / self.side,
            (new_height - top) / self.side,
        )

    def _offset(self, length: int) -> int:
        """Pixels cut before the square begins; negative where the image is padded."""
        if length < self.side:
            return -((self.side - length) // 2)
        margin = (length - self.side) / 2
        return int(margin) if self.crop_rounding == "floor" else round(margin)
