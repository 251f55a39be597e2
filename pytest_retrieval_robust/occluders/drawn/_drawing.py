"""Draws thick strokes and discs on the grid of the severity occluders, in whole numbers alone.

Floating-point curves would round differently on other processors, and a mask must not.
Coordinates are in `UNIT`ths of a cell, (x, y) from the upper left corner; a cell is
hidden where its centre lies in the shape, borders included.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..hashing import host_words
from ..severity import CELLS, NEVER, STEPS, Onsets

UNIT = 16
"""Units along a cell's side: finer than any tremor of a line that one would see."""
SIDE = CELLS * UNIT
"""Units along the image's side."""
Point: TypeAlias = tuple[int, int]
"""(x, y) in units."""
Whole: TypeAlias = NDArray[np.int64]
SIDES = ("random", "left", "right")
"""Of the picture, not of the patient."""
_PIECE = 6 * UNIT
_DRAWS = 256


class Span(NamedTuple):
    """From the first to the last severity at which a part grows, in thousandths."""

    first: int
    last: int


ALL = Span(1, STEPS)


class Stroke(NamedTuple):
    """A capsule: all points at most `radius` away from the segment from `start` to
    `stop`, hidden from `onset` on.
    """

    start: Point
    stop: Point
    radius: int
    onset: int


class Dice:
    """Random whole numbers of one image, in the order in which they are asked for."""

    def __init__(self, image_id: str, seed: int, purpose: str) -> None:
        self._words = iter(host_words(image_id, seed, purpose, _DRAWS).tolist())

    def between(self, low: int, high: int) -> int:
        """One of low, ..., high."""
        return low + int(next(self._words)) % (high - low + 1)

    def near(self, point: Point, reach: int) -> Point:
        """A point at most `reach` units from `point` along each axis."""
        return point[0] + self.between(-reach, reach), point[1] + self.between(
            -reach, reach
        )

    def shuffled(self, count: int) -> list[int]:
        """The numbers 0, ..., count - 1 in random order."""
        left = list(range(count))
        return [left.pop(self.between(0, len(left) - 1)) for _ in range(count)]


def blank() -> Onsets:
    """Onsets of an image that nothing is drawn on."""
    return np.full((CELLS, CELLS), NEVER, dtype=np.int16)


def in_units(cells: Sequence[Point]) -> list[Point]:
    """Points that are given in cells."""
    return [(x * UNIT, y * UNIT) for x, y in cells]


def moved(point: Point, right: int, down: int) -> Point:
    """The point so many cells further right and down."""
    return point[0] + right * UNIT, point[1] + down * UNIT


def shared_out(weights: Sequence[int], span: Span = ALL) -> list[Span]:
    """A span for each part of a drawing, one after another, as long as its weight says."""
    total, width, before = max(1, sum(weights)), span.last - span.first + 1, 0
    spans = []
    for weight in weights:
        first, after = (
            min(span.last, span.first + width * before // total),
            before + weight,
        )
        spans.append(Span(first, max(first, span.first - 1 + width * after // total)))
        before = after
    return spans


def length(points: Sequence[Point]) -> int:
    """The length of the line through the points, in units, each piece rounded down."""
    return sum(_distance(*pair) for pair in pairwise(points))


def _distance(one: Point, other: Point) -> int:
    return isqrt((other[0] - one[0]) ** 2 + (other[1] - one[1]) ** 2)


def curve(points: Sequence[Point]) -> list[Point]:
    """A smooth line through the points (Catmull-Rom), as points a few cells apart."""
    ends = [points[0], *points, points[-1]]
    found = [points[0]]
    for before, start, stop, after in zip(
        ends, ends[1:], ends[2:], ends[3:], strict=False
    ):
        pieces = max(1, _distance(start, stop) // _PIECE)
        for step in range(1, pieces + 1):
            x, y = (
                _between(*axis, step, pieces)
                for axis in zip(before, start, stop, after, strict=True)
            )
            found.append((x, y))
    return found


def _between(before: int, start: int, stop: int, after: int, step: int, of: int) -> int:
    """The cubic through `start` and `stop` at step/of, along one axis, rounded down."""
    linear, square = stop - before, 2 * before - 5 * start + 4 * stop - after
    cube = 3 * (start - stop) + after - before
    doubled = (
        2 * start * of**3
        + linear * step * of**2
        + square * step**2 * of
        + cube * step**3
    )
    return doubled // (2 * of**3)


def along(points: Sequence[Point], radius: int, span: Span) -> list[Stroke]:
    """The strokes of a line that grows from its first point to its last."""
    total, done = max(1, length(points)), 0
    strokes = []
    for start, stop in pairwise(points):
        onset = span.first + (span.last - span.first) * done // total
        strokes.append(Stroke(start, stop, radius, onset))
        done += _distance(start, stop)
    return strokes


def draw(canvas: Onsets, strokes: Sequence[Stroke]) -> None:
    """Draw all strokes: a cell that several cover is hidden from the least of their onsets on."""
    if not strokes:
        return
    table = np.array(
        [(*start, *stop, radius, onset) for start, stop, radius, onset in strokes],
        dtype=np.int64,
    )
    segments, radii = table[:, :4, None, None], table[:, 4, None, None]
    columns, rows = (_window(table, axis) for axis in (0, 1))
    apart, scale = scaled_distances(columns[:, None, :], rows[:, :, None], segments)
    on_canvas = ((columns >= 0) & (columns < CELLS))[:, None, :] & (
        (rows >= 0) & (rows < CELLS)
    )[:, :, None]
    stroke, row, column = np.nonzero((apart <= radii * radii * scale) & on_canvas)
    np.minimum.at(
        canvas,
        (rows[stroke, row], columns[stroke, column]),
        table[stroke, 5].astype(np.int16),
    )


def _window(table: Whole, axis: int) -> Whole:
    """(N, W): W neighbouring cells along an axis that hold each stroke."""
    ends, radii = table[:, (axis, axis + 2)], table[:, 4]
    first = (ends.min(axis=1) - radii) // UNIT
    last = (ends.max(axis=1) + radii) // UNIT
    width = int((last - first).max()) + 1
    found: Whole = first[:, None] + np.arange(width, dtype=np.int64)
    return found


def scaled_distances(
    columns: Whole, rows: Whole, segments: Whole
) -> tuple[Whole, Whole]:
    """The squared distance of cell centres from segments, exactly: a whole number
    `apart` over another, `scale`.

    Args:
        columns, rows: Cells, which broadcast with each other and with the segments.
        segments: (N, 4, 1, 1) ends x, y, x, y in units.
    """
    x, y, x_stop, y_stop = (segments[:, axis] for axis in range(4))
    right, down = x_stop - x, y_stop - y
    end = right * right + down * down
    right = np.where(
        end == 0, 1, right
    )  # a disc: any direction will do, and all lies beyond its end
    x, y = columns * UNIT + UNIT // 2 - x, rows * UNIT + UNIT // 2 - y
    # Along and across the segment, both times its length: what lies beyond an end is
    # nearest to that end.
    ahead, across = x * right + y * down, y * right - x * down
    beyond = np.where(ahead > end, ahead - end, np.minimum(ahead, 0))
    return across * across + beyond * beyond, np.maximum(end, 1)


def squared_distances(columns: Whole, rows: Whole, strokes: Sequence[Stroke]) -> Whole:
    """(rows, columns): the squared distance of each cell's centre to the nearest
    stroke's segment, rounded down.
    """
    segments = np.array(
        [(*stroke.start, *stroke.stop) for stroke in strokes], dtype=np.int64
    )
    apart, scale = scaled_distances(
        columns[None, None, :], rows[None, :, None], segments[:, :, None, None]
    )
    found: Whole = (apart // scale).min(axis=0)
    return found


def bands(
    canvas: Onsets,
    start: Point,
    stop: Point,
    radii: Sequence[int],
    onsets: Sequence[int],
) -> None:
    """Draw bands around a segment: up to the first radius from the first onset on, and so forth.

    Radii rise; an onset of `NEVER` leaves its band as it is.
    """
    around = np.array([(*start, *stop, radii[-1])], dtype=np.int64)
    columns, rows = (_inside(_window(around, axis)[0]) for axis in (0, 1))
    apart, scale = scaled_distances(
        columns[None, None, :], rows[None, :, None], around[:, :4, None, None]
    )
    squares = np.array(radii, dtype=np.int64) ** 2 * int(scale[0, 0, 0])
    found = np.array([*onsets, NEVER], dtype=np.int16)[
        np.searchsorted(squares, apart[0])
    ]
    _lower(canvas, columns, rows, found)


def stamp(canvas: Onsets, column: int, row: int, onsets: Onsets) -> None:
    """Draw a picture of onsets with its upper left cell at (column, row); what lies
    beyond the canvas is cut off.
    """
    height, width = onsets.shape
    columns, rows = _inside(column + np.arange(width)), _inside(row + np.arange(height))
    if len(columns) and len(rows):
        part = onsets[
            rows[0] - row : rows[-1] - row + 1,
            columns[0] - column : columns[-1] - column + 1,
        ]
        _lower(canvas, columns, rows, part)


def _inside(cells: NDArray[Any]) -> Whole:
    found: Whole = cells[(cells >= 0) & (cells < CELLS)]
    return found


def _lower(canvas: Onsets, columns: Whole, rows: Whole, onsets: Onsets) -> None:
    if len(columns) and len(rows):
        part = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        np.minimum(part, onsets, out=part)
