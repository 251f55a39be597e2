"""`burned-in-text`: synthetic lines of random characters in the image's corners."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import OccluderEntry
from .._checks import check_whole
from ..severity import CELLS, NEVER, Onsets, SeverityOccluder
from ._drawing import Dice, blank, shared_out, stamp
from ._font import GLYPHS, HEIGHT, WIDTH

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

_DOT = 2
"""Cells along a dot of the font: at one, the text would vanish in a model's 224 pixels."""
_ADVANCE = (WIDTH + 1) * _DOT
_LINE_HEIGHT = (HEIGHT + 2) * _DOT
_EDGE = 6
"""Cells between the text and the image's edge."""
_SHORTEST = 7
_LONGEST = 10
_CORNERS = 4
_MOST_LINES = 12


class _Line(NamedTuple):
    """A line of text and the cell of its upper left corner."""

    text: str
    column: int
    row: int


@dataclass(frozen=True)
class BurnedInText(SeverityOccluder):
    """Synthetic lines of text in the four corners, character after character.

    Drawn here, after no library or paper. The characters are random capitals and
    digits, and no patient's.

    >>> BurnedInText(lines=2).name
    'burned-in-text(lines=2)'

    Args:
        fill: One of `fills.FILLS`, for the characters alone: their background stays.
        lines: Lines of text, 1 to 12, of 7 to 10 characters each. They take the corners
            in random order.
    """

    lines: int = 8

    family: ClassVar[str] = "burned-in-text"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("lines", self.lines, 1, _MOST_LINES)

    def onsets(self, image_id: str, seed: int) -> Onsets:
        dice = Dice(image_id, seed, self.family)
        canvas = blank()
        corners = dice.shuffled(_CORNERS)
        lines = [
            _line(corners[number % _CORNERS], number // _CORNERS, dice)
            for number in range(self.lines)
        ]
        characters = sum(len(line.text) for line in lines)
        spans = iter(shared_out([1] * characters))
        for line in lines:
            for number, character in enumerate(line.text):
                onset = next(spans).first
                shape = np.where(_glyph(character), onset, NEVER).astype(np.int16)
                stamp(canvas, line.column + number * _ADVANCE, line.row, shape)
        return canvas


def _line(corner: int, below: int, dice: Dice) -> _Line:
    """A line in a corner, `below` others; in lower corners lines stack upwards."""
    count = dice.between(_SHORTEST, _LONGEST)
    alphabet = sorted(GLYPHS)
    numbers = [dice.between(0, len(alphabet) - 1) for _ in range(count)]
    text = "".join(alphabet[number] for number in numbers)
    at_right, at_bottom = divmod(corner, 2)
    column = _EDGE
    if at_right:
        column = CELLS - _EDGE - count * _ADVANCE + _DOT
    row = _EDGE + below * _LINE_HEIGHT
    if at_bottom:
        row = CELLS - row - HEIGHT * _DOT
    return _Line(text, column, row)


@cache
def _glyph(character: str) -> NDArray[np.bool_]:
    """The character's dots as cells."""
    rows = np.array(GLYPHS[character], dtype=np.int64)[:, None]
    bits = np.arange(WIDTH - 1, -1, -1, dtype=np.int64)
    dots: NDArray[np.bool_] = (rows >> bits) & 1 == 1
    return dots.repeat(_DOT, axis=0).repeat(_DOT, axis=1)


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=BurnedInText.family,
            summary="synthetic text in the corners, character after character",
            parameters={"fill": str, "lines": int},
            build=BurnedInText,
        )
    )
