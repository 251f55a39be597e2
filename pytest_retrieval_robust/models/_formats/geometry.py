"""Where the source image lands in the square that an encoder sees.

Pure arithmetic, no image library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .. import Frame

Resize: TypeAlias = Literal["shortest", "longest", "exact"]


@dataclass(frozen=True)
class Geometry:
    """A resize followed by a centred crop or pad to a square of `side` pixels.

    `resize` is `shortest` or `longest` (that side becomes `size`, the aspect is kept)
    or `exact` (both do).
    """

    resize: Resize
    size: int
    side: int

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after the resize."""
        if self.resize == "exact":
            return self.size, self.size
        if self.resize == "longest":
            # As open_clip's ResizeKeepRatio rounds.
            ratio = max(width, height) / self.size
            return round(width / ratio), round(height / ratio)
        short = min(width, height)
        long = max(width, height)
        # Cut, not rounded, as torchvision does.
        new_long = int(self.size * long / short)
        return (self.size, new_long) if width <= height else (new_long, self.size)

    def frame(self, width: int, height: int) -> Frame:
        """The box of a (width, height) source image in the square, relative to its side."""
        new_width, new_height = self.resized(width, height)
        left = self.offset(new_width)
        top = self.offset(new_height)
        return (
            -left / self.side,
            -top / self.side,
            (new_width - left) / self.side,
            (new_height - top) / self.side,
        )

    def offset(self, length: int) -> int:
        """Pixels cut before the square begins; negative if the image is padded."""
        if length < self.side:
            return -((self.side - length) // 2)
        # Python rounds halves to the even number, as torchvision's centred crop does.
        return round((length - self.side) / 2)
