"""`marker`: a synthetic side marker, the letter L or R on a plate in an upper corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .. import OccluderEntry
from .._checks import check_choice
from ..severity import CELLS, NEVER, STEPS, Onsets, SeverityOccluder
from ._drawing import (
    SIDES,
    UNIT,
    Dice,
    Point,
    Span,
    Stroke,
    along,
    blank,
    curve,
    draw,
    in_units,
    length,
    shared_out,
    squared_distances,
    stamp,
)

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

_LETTER_SPAN, _PLATE_SPAN = Span(1, 450), Span(451, STEPS)
# Strokes in cells from the letter's upper left corner.
_LETTERS = {
    "L": (((0, 0), (0, 26)), ((0, 26), (15, 26))),
    "R": (
        ((0, 0), (0, 26)),
        ((0, 0), (9, 0), (14, 3), (15, 7), (14, 11), (9, 14), (0, 14)),
        ((7, 14), (16, 26)),
    ),
}
_WIDTH, _HEIGHT = 16, 26
_RADIUS = 5 * UNIT // 2
_CLEAR = 9 * UNIT // 2
"""Half the width of what the plate leaves free around the letter's strokes."""
_PLATE_STEPS = 16
_MARGIN = 10


@dataclass(frozen=True)
class Marker(SeverityOccluder):
    """A synthetic letter, stroke by stroke, then the plate around it, which grows from its outline.

    Drawn here, after no library or paper. The letter is the patient's side: L in the
    picture's upper right corner, R in the upper left one. A rim around the letter stays
    free, so that it can be read.

    >>> Marker(side="left").name
    'marker(side=left)'

    Args:
        fill: One of `fills.FILLS`; lead is white.
        side: The corner: `left` or `right` of the picture, not of the patient; `random`: either.
    """

    side: str = "random"

    family: ClassVar[str] = "marker"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("side", self.side, SIDES)

    def onsets(self, image_id: str, seed: int) -> Onsets:
        dice, canvas = Dice(image_id, seed, self.family), blank()
        drawn = "left" if dice.between(0, 1) else "right"
        side = drawn if self.side == "random" else self.side
        column, row = dice.between(16, 36), dice.between(14, 32)
        left = column if side == "left" else CELLS - column - _WIDTH
        lines = _letter("R" if side == "left" else "L", left, row)
        spans = shared_out([length(line) for line in lines], _LETTER_SPAN)
        strokes = [
            stroke
            for line, span in zip(lines, spans, strict=True)
            for stroke in along(line, _RADIUS, span)
        ]
        stamp(canvas, left - _MARGIN, row - _MARGIN, _plate(strokes, left, row))
        draw(canvas, strokes)
        return canvas


def _letter(letter: str, column: int, row: int) -> list[list[Point]]:
    """The letter's strokes as fine lines, its upper left corner at (column, row)."""
    return [
        curve(in_units([(column + x, row + y) for x, y in stroke]))
        for stroke in _LETTERS[letter]
    ]


def _plate(strokes: list[Stroke], column: int, row: int) -> Onsets:
    """A rectangle around the letter at (column, row), hidden from the letter's outline outwards."""
    columns = np.arange(column - _MARGIN, column + _WIDTH + _MARGIN)
    rows = np.arange(row - _MARGIN, row + _HEIGHT + _MARGIN)
    radii = _CLEAR + UNIT * np.arange(_PLATE_STEPS)
    onsets = [
        NEVER,
        *(span.first for span in shared_out([1] * _PLATE_STEPS, _PLATE_SPAN)),
    ]
    return np.array(onsets, dtype=np.int16)[
        np.searchsorted(radii**2, squared_distances(columns, rows, strokes))
    ]


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Marker.family,
            summary=(
                "a synthetic side marker: L or R in an upper corner, then the plate"
                " around it"
            ),
            parameters={"fill": str, "side": str},
            build=Marker,
        )
    )
