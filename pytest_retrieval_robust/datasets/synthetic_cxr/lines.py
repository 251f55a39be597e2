"""A supersampled canvas for thin things: tubes, leads and wires."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from .geometry import Plan
from .shapes import Field

_CANVAS = 448
"""Pixels of the canvas's shorter side, at least."""
_STEPS = np.linspace(0, 1, 9, dtype=np.float32)[:, None, None]
"""Places on a path between two of its points."""
Points = Sequence[tuple[float, float]]


class Canvas:
    """Draws in chest coordinates: distance beside the midline, and height.

    Widths are relative to the image's shorter side.
    """

    def __init__(self, plan: Plan, rows: int, columns: int) -> None:
        self._plan = plan
        self._shape = (rows, columns)
        side = min(rows, columns)
        self._unit = max(_CANVAS, side)
        width = round(columns * self._unit / side)
        height = round(rows * self._unit / side)
        self._size = (width, height)
        self._image = Image.new("L", self._size)
        self._draw = ImageDraw.Draw(self._image)

    def path(
        self, points: Points, width: float, level: int = 255, spine: bool = False
    ) -> None:
        """A smooth path through `points`, `width` of the image wide, at grey `level` 0..255."""
        d, y = _bend(np.asarray(points, dtype=np.float32))
        self._line(self._place(d, y, spine), width, level)

    def box(
        self,
        centre: tuple[float, float],
        half: tuple[float, float],
        radius: float,
        level: int,
    ) -> None:
        """A box with rounded corners."""
        d, y = np.asarray(centre, dtype=np.float32)[:, None]
        [(middle, middle_row)] = self._place(d, y)
        width = half[0] * self._unit
        height = half[1] * self._unit
        corners = (
            middle - width,
            middle_row - height,
            middle + width,
            middle_row + height,
        )
        self._draw.rounded_rectangle(corners, radius * self._unit, fill=level)

    def field(self) -> Field:
        """(rows, columns), 0..1."""
        rows, columns = self._shape
        image = self._image.resize(
            (columns, rows), Image.Resampling.BILINEAR, reducing_gap=1.5
        )
        field: Field = np.asarray(image, dtype=np.float32) * np.float32(1 / 255)
        return field

    def _line(self, points: Points, width: float, level: int) -> None:
        # A line of no width would not be drawn.
        pixels = max(1, round(width * self._unit))
        self._draw.line(list(points), fill=level, width=pixels, joint="curve")

    def _place(
        self, d: Field, y: Field, spine: bool = False
    ) -> list[tuple[float, float]]:
        left, top = self._plan.to_image(d, y, spine)
        x = (left - 0.5) * self._unit + self._size[0] / 2
        y = (top - 0.5) * self._unit + self._size[1] / 2
        return list(zip(x.tolist(), y.tolist(), strict=True))


def _bend(points: Field) -> tuple[Field, Field]:
    """A dense Catmull-Rom path through (n, 2) `points`."""
    # The ends go straight on, so that the first and the last piece are pieces like others.
    first = 2 * points[:1] - points[1:2]
    last = 2 * points[-1:] - points[-2:-1]
    padded = np.concatenate([first, points, last])
    before = padded[:-3]
    start = padded[1:-2]
    end = padded[2:-1]
    after = padded[3:]
    t = _STEPS
    quadratic = 2 * before - 5 * start + 4 * end - after
    bent = start + 0.5 * t * (end - before + t * quadratic)
    bent = bent + 0.5 * t**3 * (3 * (start - end) + after - before)
    path = bent.transpose(1, 0, 2).reshape(-1, 2)
    return path[:, 0], path[:, 1]
