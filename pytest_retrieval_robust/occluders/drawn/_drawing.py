"""Draws thick strokes and discs on the grid of the severity occluders, in whole numbers.

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
"""Units along a cell's side: finer than the eye can see a line tremble."""
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
    """Random whole numbers of one image, each used once and in order."""

    def __init__(self, image_id: str, seed: int, purpose: str) -> None:
        self._words = iter(host_words(image_id, seed, purpose, _DRAWS).tolist())

    def between(self, low: int, high: int) -> int:
        """One of low, ..., high."""
        return low + int(next(self._words)) % (high - low + 1)

    def near(self, point: Point, reach: int) -> Point:
        """A point at most `reach` units from `point` along each axis."""
        x = point[0] + self.between(-reach, reach)
        y = point[1] + self.between(-reach, reach)
        return x, y

    def shuffled(self, count: int) -> list[int]:
        """The numbers 0, ..., count - 1 in random order."""
        remaining = list(range(count))
        shuffled = []
        while remaining:
            shuffled.append(remaining.pop(self.between(0, len(remaining) - 1)))
        return shuffled


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
    total = max(1, sum(weights))
    width = span.last - span.first + 1
    spans = []
    before = 0
    for weight in weights:
        after = before + weight
        first = min(span.last, span.first + width * before // total)
        # Where there are more parts than thousandths, spans of one thousandth overlap.
        last = max(first, span.first - 1 + width * after // total)
        spans.append(Span(first, last))
        before = after
    return spans


def length(points: Sequence[Point]) -> int:
    """The length of the line through the points, in units, each piece rounded down."""
    return sum(_distance(*pair) for pair in pairwise(points))


def _distance(start: Point, stop: Point) -> int:
    return isqrt((stop[0] - start[0]) ** 2 + (stop[1] - start[1]) ** 2)


def curve(points: Sequence[Point]) -> list[Point]:
    """A smooth line through the points (Catmull-Rom), as points a few cells apart."""
    # The first and the last point stand in for the neighbours that they lack.
    ends = [points[0], *points, points[-1]]
    smooth = [points[0]]
    for number in range(len(points) - 1):
        neighbours = ends[number : number + 4]
        pieces = max(1, _distance(neighbours[1], neighbours[2]) // _PIECE)
        across, down = zip(*neighbours, strict=True)
        for step in range(1, pieces + 1):
            smooth.append((_cubic(across, step, pieces), _cubic(down, step, pieces)))
    return smooth


def _cubic(neighbours: Sequence[int], step: int, pieces: int) -> int:
    """The cubic from the second to the third of four neighbours at step / pieces, along
    one axis, rounded down.
    """
    before, start, stop, after = neighbours
    linear = stop - before
    square = 2 * before - 5 * start + 4 * stop - after
    cube = 3 * (start - stop) + after - before
    doubled = (
        2 * start * pieces**3
        + linear * step * pieces**2
        + square * step**2 * pieces
        + cube * step**3
    )
    return doubled // (2 * pieces**3)


def along(points: Sequence[Point], radius: int, span: Span) -> list[Stroke]:
    """The strokes of a line that grows from its first point to its last."""
    total = max(1, length(points))
    strokes = []
    done = 0
    for start, stop in pairwise(points):
        onset = span.first + (span.last - span.first) * done // total
        strokes.append(Stroke(start, stop, radius, onset))
        done += _distance(start, stop)
    return strokes


def draw(canvas: Onsets, strokes: Sequence[Stroke]) -> None:
    """Draw all strokes: a cell that several cover is hidden from the least of their onsets on."""
    if not strokes:
        return
    segments = _segments(strokes)
    radii = np.array([stroke.radius for stroke in strokes], dtype=np.int64)
    onsets = np.array([stroke.onset for stroke in strokes], dtype=np.int16)
    # All strokes at once, each in a window of cells of its own around it.
    columns = _window(segments, radii, 0)
    rows = _window(segments, radii, 1)
    apart, scale = scaled_distances(
        columns[:, None, :], rows[:, :, None], segments[:, :, None, None]
    )
    covered = apart <= (radii * radii)[:, None, None] * scale
    in_columns = (columns >= 0) & (columns < CELLS)
    in_rows = (rows >= 0) & (rows < CELLS)
    on_canvas = in_columns[:, None, :] & in_rows[:, :, None]
    stroke, row, column = np.nonzero(covered & on_canvas)
    cells = (rows[stroke, row], columns[stroke, column])
    np.minimum.at(canvas, cells, onsets[stroke])


def _segments(strokes: Sequence[Stroke]) -> Whole:
    """(N, 4): the ends x, y, x, y of each stroke."""
    ends = [(*stroke.start, *stroke.stop) for stroke in strokes]
    return np.array(ends, dtype=np.int64)


def _window(segments: Whole, radii: Whole, axis: int) -> Whole:
    """(N, W): W neighbouring cells along an axis that hold each stroke."""
    ends = segments[:, (axis, axis + 2)]
    first = (ends.min(axis=1) - radii) // UNIT
    last = (ends.max(axis=1) + radii) // UNIT
    width = int((last - first).max()) + 1
    cells: Whole = first[:, None] + np.arange(width, dtype=np.int64)
    return cells


def scaled_distances(
    columns: Whole, rows: Whole, segments: Whole
) -> tuple[Whole, Whole]:
    """The squared distance of cell centres from segments, exactly: a whole number
    `apart` over another, `scale`.

    Args:
        columns, rows: Cells, which broadcast with each other and with the segments.
        segments: (N, 4, 1, 1) ends x, y, x, y in units.
    """
    x_start = segments[:, 0]
    y_start = segments[:, 1]
    right = segments[:, 2] - x_start
    down = segments[:, 3] - y_start
    end = right * right + down * down
    # A disc is a segment without a direction: any will do, and all lies beyond its end.
    right = np.where(end == 0, 1, right)
    x = columns * UNIT + UNIT // 2 - x_start
    y = rows * UNIT + UNIT // 2 - y_start
    # Along and across the segment, both times its length: a cell that lies beyond an end
    # is nearest to that end.
    ahead = x * right + y * down
    across = y * right - x * down
    beyond = np.where(ahead > end, ahead - end, np.minimum(ahead, 0))
    return across * across + beyond * beyond, np.maximum(end, 1)


def squared_distances(columns: Whole, rows: Whole, strokes: Sequence[Stroke]) -> Whole:
    """(rows, columns): the squared distance of each cell's centre to the nearest
    stroke's segment, rounded down.
    """
    segments = _segments(strokes)[:, :, None, None]
    apart, scale = scaled_distances(
        columns[None, None, :], rows[None, :, None], segments
    )
    nearest: Whole = (apart // scale).min(axis=0)
    return nearest


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
    segment = np.array([(*start, *stop)], dtype=np.int64)
    widest = np.array([radii[-1]], dtype=np.int64)
    columns = _inside(_window(segment, widest, 0)[0])
    rows = _inside(_window(segment, widest, 1)[0])
    apart, scale = scaled_distances(
        columns[None, None, :], rows[None, :, None], segment[:, :, None, None]
    )
    squares = np.array(radii, dtype=np.int64) ** 2 * int(scale[0, 0, 0])
    # The cells beyond the last radius are in a band of their own, which is never hidden.
    onset_of_band = np.array([*onsets, NEVER], dtype=np.int16)
    band = np.searchsorted(squares, apart[0])
    _lower(canvas, columns, rows, onset_of_band[band])


def stamp(canvas: Onsets, column: int, row: int, onsets: Onsets) -> None:
    """Draw a picture of onsets with its upper left cell at (column, row); what lies
    beyond the canvas is cut off.
    """
    height, width = onsets.shape
    columns = _inside(column + np.arange(width))
    rows = _inside(row + np.arange(height))
    if len(columns) and len(rows):
        part = onsets[
            rows[0] - row : rows[-1] - row + 1,
            columns[0] - column : columns[-1] - column + 1,
        ]
        _lower(canvas, columns, rows, part)


def _inside(cells: NDArray[Any]) -> Whole:
    inside: Whole = cells[(cells >= 0) & (cells < CELLS)]
    return inside


def _lower(canvas: Onsets, columns: Whole, rows: Whole, onsets: Onsets) -> None:
    """Lower the onsets of a rectangle of cells to `onsets` where these are earlier."""
    if len(columns) and len(rows):
        part = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        np.minimum(part, onsets, out=part)
