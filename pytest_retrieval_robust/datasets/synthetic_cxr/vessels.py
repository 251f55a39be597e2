"""Pulmonary vessels: trees grown once, then bent to each chest by looking them up in
its own coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pytest_retrieval_robust.datasets.synthetic_cxr.geometry import BASE_SHIFT, Chest
from pytest_retrieval_robust.datasets.synthetic_cxr.shapes import Field
from pytest_retrieval_robust.datasets.synthetic_cxr.streams import between, uniforms
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import Study

_TREES = 12
"""Trees a side; each is stretched and moved for its study, so that no two studies share one."""
_BASE, _OVERSAMPLING, _REACH = 512, 3, 0.46
_HILUM = (0.075, 0.425)


def draw_vessels(study: Study, chest: Chest) -> Field:
    """(rows, columns), 0..1: the trees of both lungs, the same for every finding of the
    study but its volumes.
    """
    u = uniforms("vessels", study.seed, study.index, 6).tolist()
    bank, scale = _bank(min(chest.shape))
    height, width = bank.shape[1:]
    crowding = 1 - 1.3 * BASE_SHIFT[study["volumes"]]
    rise = np.float32(crowding * between(u[0], 0.9, 1.12) * scale)
    row = (
        chest.y - np.float32(_HILUM[1] + between(u[1], -0.015, 0.015))
    ) * rise + np.float32(_HILUM[1] * scale)
    column = chest.distance * np.float32(between(u[2], 0.92, 1.1) * scale)
    row = np.minimum(np.maximum(row, 0), height - 1).astype(np.int32)
    column = np.minimum(column, width - 1).astype(np.int32)
    right, left = int(u[3] * _TREES), _TREES + int(u[4] * _TREES)
    tree = np.where(
        chest.d > 0, np.int32(left * height * width), np.int32(right * height * width)
    )
    grey: Field = bank.reshape(-1).take(
        tree + row * np.int32(width) + column
    ) * np.float32(1 / 255)
    return grey


@lru_cache(maxsize=3)
def _bank(unit: int) -> tuple[NDArray[np.uint8], float]:
    """((2 x trees, height, width) grey levels, pixels a chest unit) for images whose
    shorter side is `unit` pixels.
    """
    scale = min(2 * unit, 1024)
    trees = []
    for side in (-1, 1):
        for number in range(_TREES):
            tree = _base_tree(side, number)
            # First as sharp as the image, then finer: a look-up without interpolation
            # then shows no steps.
            for target in (min(unit, _BASE), scale):
                tree = tree.resize(
                    (round(_REACH * target), target), Image.Resampling.BILINEAR
                )
            pixels = np.array(tree)
            # What lies outside the tree is looked up in its border.
            pixels[[0, -1]] = 0
            pixels[:, -1] = 0
            trees.append(pixels)
    bank = np.stack(trees)
    bank.flags.writeable = False
    return bank, scale


@lru_cache(maxsize=2 * _TREES)
def _base_tree(side: int, number: int) -> Image.Image:
    """One lung's tree at `_BASE` pixels a chest unit, drawn larger and reduced."""
    unit = _BASE * _OVERSAMPLING
    image = Image.new("L", (round(_REACH * unit), unit))
    pen = _Pen(
        ImageDraw.Draw(image),
        unit,
        iter(uniforms("vessel tree", side + 1, number, 20_000).tolist()),
    )
    # Arteries fan out from the hilum; those to the bases are the widest, as in an upright patient.
    for heading in (-1.45, -1.1, -0.75, -0.35, 0.05, 0.45, 0.8, 1.1, 1.4):
        low = max(0.0, math.sin(heading))
        pen.grow(
            _HILUM[0],
            _HILUM[1] - 0.01 * side + 0.03 * math.sin(heading),
            heading,
            0.0105 + 0.005 * low,
            0,
        )
    return image.reduce(_OVERSAMPLING)


class _Pen:
    """Grows branches; `units` is the tree's own stream of random numbers."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, unit: int, units: Iterator[float]
    ) -> None:
        self._draw, self._unit, self._units = draw, unit, units

    def grow(
        self, d: float, y: float, heading: float, width: float, depth: int
    ) -> None:
        """A wavering branch that gives off twigs and forks at its end."""
        heading += 0.3 * (next(self._units) - 0.5)
        length = 0.105 * (0.8 + 0.5 * next(self._units)) * 0.8**depth
        # A vessel absorbs as much as it is thick.
        grey = min(235, round(75 + 13_000 * width))
        bend = 0.9 * (next(self._units) - 0.5)
        for step in range(6):
            heading += bend / 6 + 0.12 * (next(self._units) - 0.5)
            end = d + length / 6 * math.cos(heading), y + length / 6 * math.sin(heading)
            pen = max(1, round(self._unit * width * (1 - 0.05 * step)))
            self._draw.line([v * self._unit for v in (d, y, *end)], grey, pen)
            d, y = end
            if step in (2, 4) and depth < 4 and next(self._units) < 0.55:
                turn = (0.7 + 0.4 * next(self._units)) * (
                    1 if next(self._units) < 0.5 else -1
                )
                self.grow(d, y, heading + turn, 0.5 * width, depth + 2)
        if depth < 4 and width > 0.0012:
            fork = 0.3 + 0.25 * next(self._units)
            self.grow(d, y, heading + fork, 0.74 * width, depth + 1)
            self.grow(
                d,
                y,
                heading - fork * (0.6 + 0.6 * next(self._units)),
                0.68 * width,
                depth + 1,
            )
