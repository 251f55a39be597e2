"""A supersampled canvas for thin things: vessels, tubes, leads and wires."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pytest_retrieval_robust.datasets.synthetic_cxr.geometry import Plan
from pytest_retrieval_robust.datasets.synthetic_cxr.shapes import Field

_CANVAS = 448
_STEPS = np.linspace(0, 1, 9, dtype=np.float32)[:, None, None]
Points = Sequence[tuple[float, float]]


class Canvas:
    """Draws in chest coordinates (beside the midline, height); widths are relative to the image's width."""

    def __init__(self, plan: Plan, rows: int, columns: int) -> None:
        self._plan = plan
        self._shape = (rows, columns)
        self._size = (max(_CANVAS, columns), max(_CANVAS, rows))
        self._image = Image.new("L", self._size)
        self._draw = ImageDraw.Draw(self._image)

    def path(self, points: Points, width: float, level: int = 255, spine: bool = False) -> None:
        """A smooth path through `points`, `width` of the image wide, at grey `level` 0..255."""
        d, y = _bend(np.asarray(points, dtype=np.float32))
        self._line(self._place(d, y, spine), width, level)

    def box(self, centre: tuple[float, float], half: tuple[float, float], radius: float, level: int) -> None:
        """A box with rounded corners."""
        (x, y), (columns, rows) = self._place(*np.asarray(centre, dtype=np.float32)[:, None])[0], self._size
        corners = (x - half[0] * columns, y - half[1] * rows, x + half[0] * columns, y + half[1] * rows)
        self._draw.rounded_rectangle(corners, radius * columns, fill=level)

    def segments(self, d: Field, y: Field, widths: Field, level: int) -> None:
        """Tapering lines: (lines, points) coordinates, (lines, points - 1) widths."""
        placed = np.stack(self._plan.to_image(d, y), axis=-1) * np.asarray(self._size, dtype=np.float32)
        pens = np.maximum(1, np.rint(widths * self._size[0])).astype(int).tolist()
        for line, sizes in zip(placed.reshape(len(d), -1).tolist(), pens, strict=True):
            # A thinner stroke runs on under the thicker ones, so equal widths need only one call.
            for step, pen in enumerate(sizes):
                if step + 1 == len(sizes) or sizes[step + 1] != pen:
                    self._draw.line(line[: 2 * step + 4], fill=level, width=pen)

    def field(self) -> Field:
        """(rows, columns), 0..1."""
        rows, columns = self._shape
        image = self._image.resize((columns, rows), Image.Resampling.BILINEAR, reducing_gap=1.5)
        return np.asarray(image, dtype=np.float32) * np.float32(1 / 255)

    def _line(self, points: Points, width: float, level: int) -> None:
        self._draw.line(list(points), fill=level, width=max(1, round(width * self._size[0])), joint="curve")

    def _place(self, d: Field, y: Field, spine: bool = False) -> list[tuple[float, float]]:
        left, top = self._plan.to_image(d, y, spine)
        return list(zip((left * self._size[0]).tolist(), (top * self._size[1]).tolist(), strict=True))


def _bend(points: Field) -> tuple[Field, Field]:
    """A dense Catmull-Rom path through (n, 2) `points`."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = _STEPS
    bent = start + 0.5 * t * (end - before + t * (2 * before - 5 * start + 4 * end - after))
    bent = bent + 0.5 * t**3 * (3 * (start - end) + after - before)
    path = bent.transpose(1, 0, 2).reshape(-1, 2)
    return path[:, 0], path[:, 1]
