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

_LETTER_SPAN = Span(1, 450)
_PLATE_SPAN = Span(451, STEPS)
# Strokes in cells from the letter's upper left corner.
_LETTERS = {
    "L": (((0, 0), (0, 26)), ((0, 26), (15, 26))),
    "R": (
        ((0, 0), (0, 26)),
        ((0, 0), (9, 0), (14, 3), (15, 7), (14, 11), (9, 14), (0, 14)),
        ((7, 14), (16, 26)),
    ),
}
_WIDTH = 16
_HEIGHT = 26
_RADIUS = 5 * UNIT // 2
_CLEAR = 9 * UNIT // 2
"""Half the width of what the plate leaves free around the letter's strokes."""
_PLATE_STEPS = 16
_MARGIN = 10


@dataclass(frozen=True)
class Marker(SeverityOccluder):
    """A synthetic letter, stroke by stroke, then the plate that grows around it.

    Drawn here, after no library or paper. The letter is the patient's side: L in the
    picture's upper right corner, R in the upper left one. A rim around the letter stays
    free, so that it can be read.

    >>> Marker(side="left").name
    'marker(side=left)'

    Args:
        fill: One of `fills.FILLS`; lead is white.
        side: The corner: `left` or `right` of the picture, not of the patient; `random`:
            either.
    """

    side: str = "random"

    family: ClassVar[str] = "marker"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("side", self.side, SIDES)

    def onsets(self, image_id: str, seed: int) -> Onsets:
        dice = Dice(image_id, seed, self.family)
        canvas = blank()
        # Rolled whether it is used or not, so that all else is the same on both sides.
        rolled = "left" if dice.between(0, 1) else "right"
        side = rolled if self.side == "random" else self.side
        from_edge = dice.between(16, 36)
        row = dice.between(14, 32)
        # The picture's left is the patient's right.
        if side == "left":
            letter = "R"
            column = from_edge
        else:
            letter = "L"
            column = CELLS - from_edge - _WIDTH
        strokes = _strokes(_letter(letter, column, row))
        stamp(canvas, column - _MARGIN, row - _MARGIN, _plate(strokes, column, row))
        draw(canvas, strokes)
        return canvas


def _letter(letter: str, column: int, row: int) -> list[list[Point]]:
    """The letter's strokes as fine lines, its upper left corner at (column, row)."""
    return [
        curve(in_units([(column + x, row + y) for x, y in stroke]))
        for stroke in _LETTERS[letter]
    ]


def _strokes(lines: list[list[Point]]) -> list[Stroke]:
    """The letter's lines, one after another."""
    spans = shared_out([length(line) for line in lines], _LETTER_SPAN)
    strokes = []
    for line, span in zip(lines, spans, strict=True):
        strokes += along(line, _RADIUS, span)
    return strokes


def _plate(strokes: list[Stroke], column: int, row: int) -> Onsets:
    """A rectangle around the letter at (column, row), hidden from the letter's outline outwards."""
    columns = np.arange(column - _MARGIN, column + _WIDTH + _MARGIN)
    rows = np.arange(row - _MARGIN, row + _HEIGHT + _MARGIN)
    radii = _CLEAR + UNIT * np.arange(_PLATE_STEPS)
    spans = shared_out([1] * _PLATE_STEPS, _PLATE_SPAN)
    # The innermost band is the rim that stays free.
    onsets = np.array([NEVER, *(span.first for span in spans)], dtype=np.int16)
    band = np.searchsorted(radii**2, squared_distances(columns, rows, strokes))
    return onsets[band]


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
