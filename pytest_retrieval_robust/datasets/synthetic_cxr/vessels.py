"""Pulmonary vessels: trees grown once, then bent to each chest.

A chest looks them up in its own coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .geometry import BASE_SHIFT, Chest
from .shapes import Field
from .streams import between, uniforms
from .studies import Study

_TREES = 12
"""Trees per side; each is stretched and moved for its study, so that none is shared."""
_BASE = 512
"""Pixels per chest unit of a tree as it is grown."""
_OVERSAMPLING = 3
_REACH = 0.46
"""Width of a tree, in chest units."""
_HILUM = (0.075, 0.425)
"""Where trees begin: distance from the midline, and height."""
_HEADINGS = (-1.45, -1.1, -0.75, -0.35, 0.05, 0.45, 0.8, 1.1, 1.4)
"""Angles of the arteries that leave the hilum, in radians; positive ones go down."""
_STEPS = 6
"""Straight pieces of a branch."""
_MOST_DEPTH = 4


def draw_vessels(study: Study, chest: Chest) -> Field:
    """(rows, columns), 0..1: the trees of both lungs.

    Of the study's findings only its volumes bear on them.
    """
    u = uniforms("vessels", study.seed, study.index, 6).tolist()
    bank, scale = _bank(min(chest.shape))
    height, width = bank.shape[1:]
    crowding = 1 - 1.3 * BASE_SHIFT[study["volumes"]]
    rise = np.float32(crowding * between(u[0], 0.9, 1.12) * scale)
    hilum = np.float32(_HILUM[1] + between(u[1], -0.015, 0.015))
    row = (chest.y - hilum) * rise + np.float32(_HILUM[1] * scale)
    column = chest.distance * np.float32(between(u[2], 0.92, 1.1) * scale)
    row = np.minimum(np.maximum(row, 0), height - 1).astype(np.int32)
    column = np.minimum(column, width - 1).astype(np.int32)
    # Each tree is one after the other in the flat bank.
    right = np.int32(int(u[3] * _TREES) * height * width)
    left = np.int32((_TREES + int(u[4] * _TREES)) * height * width)
    tree = np.where(chest.d > 0, left, right)
    pixels = bank.reshape(-1).take(tree + row * np.int32(width) + column)
    grey: Field = pixels * np.float32(1 / 255)
    return grey


@lru_cache(maxsize=3)
def _bank(unit: int) -> tuple[NDArray[np.uint8], float]:
    """All trees for images whose shorter side is `unit` pixels.

    (2 x trees, height, width) grey levels, and their pixels per chest unit.
    """
    scale = min(2 * unit, 1024)
    trees = []
    for side in (-1, 1):
        for number in range(_TREES):
            tree = _base_tree(side, number)
            # First as sharp as the image, then finer: a look-up without interpolation
            # then shows no steps.
            for target in (min(unit, _BASE), scale):
                size = (round(_REACH * target), target)
                tree = tree.resize(size, Image.Resampling.BILINEAR)
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
    """One lung's tree at `_BASE` pixels per chest unit, drawn larger and reduced."""
    unit = _BASE * _OVERSAMPLING
    image = Image.new("L", (round(_REACH * unit), unit))
    units = iter(uniforms("vessel tree", side + 1, number, 20_000).tolist())
    pen = _Pen(ImageDraw.Draw(image), unit, units)
    for heading in _HEADINGS:
        start = _HILUM[1] - 0.01 * side + 0.03 * math.sin(heading)
        # Arteries to the bases are the widest, as in an upright patient.
        width = 0.0105 + 0.005 * max(0.0, math.sin(heading))
        pen.grow(_Branch(_HILUM[0], start, heading, width, 0))
    return image.reduce(_OVERSAMPLING)


@dataclass(frozen=True)
class _Branch:
    """Where a branch begins, and how it goes on."""

    d: float
    y: float
    heading: float
    width: float
    depth: int
    """Forks and twigs between it and the hilum."""


class _Pen:
    """Grows branches; `units` is the tree's own stream of random numbers."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, unit: int, units: Iterator[float]
    ) -> None:
        self._draw = draw
        self._unit = unit
        self._units = units

    def grow(self, branch: _Branch) -> None:
        """Draw a wavering branch that gives off twigs and forks at its end."""
        d = branch.d
        y = branch.y
        width = branch.width
        depth = branch.depth
        heading = branch.heading + 0.3 * (next(self._units) - 0.5)
        length = 0.105 * (0.8 + 0.5 * next(self._units)) * 0.8**depth
        # A vessel absorbs as much as it is thick.
        grey = min(235, round(75 + 13_000 * width))
        bend = 0.9 * (next(self._units) - 0.5)
        for step in range(_STEPS):
            heading += bend / _STEPS + 0.12 * (next(self._units) - 0.5)
            end_d = d + length / _STEPS * math.cos(heading)
            end_y = y + length / _STEPS * math.sin(heading)
            pixels = max(1, round(self._unit * width * (1 - 0.05 * step)))
            ends = [value * self._unit for value in (d, y, end_d, end_y)]
            self._draw.line(ends, grey, pixels)
            d = end_d
            y = end_y
            may_have_twig = step in (2, 4) and depth < _MOST_DEPTH
            if may_have_twig and next(self._units) < 0.55:
                turn = 0.7 + 0.4 * next(self._units)
                if next(self._units) >= 0.5:
                    turn = -turn
                self.grow(_Branch(d, y, heading + turn, 0.5 * width, depth + 2))
        if depth < _MOST_DEPTH and width > 0.0012:
            fork = 0.3 + 0.25 * next(self._units)
            self.grow(_Branch(d, y, heading + fork, 0.74 * width, depth + 1))
            # Drawn after the first fork has grown: both share one stream.
            fork *= 0.6 + 0.6 * next(self._units)
            self.grow(_Branch(d, y, heading - fork, 0.68 * width, depth + 1))
