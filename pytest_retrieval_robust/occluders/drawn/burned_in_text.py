"""`burned-in-text`: synthetic annotations, lines of random characters in the corners of
the image.
"""

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
_ADVANCE, _LINE_HEIGHT = (WIDTH + 1) * _DOT, (HEIGHT + 2) * _DOT
_EDGE = 6
_SHORTEST, _LONGEST = 7, 10
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
        fill: One of `fills.FILLS`; of the characters alone, their background stays.
        lines: Lines of text, 1 to 12, of 7 to 10 characters; they take the corners in random order.
    """

    lines: int = 8

    family: ClassVar[str] = "burned-in-text"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("lines", self.lines, 1, _MOST_LINES)

    def onsets(self, image_id: str, seed: int) -> Onsets:
        dice, canvas = Dice(image_id, seed, self.family), blank()
        corners = dice.shuffled(_CORNERS)
        lines = [
            _line(corners[number % _CORNERS], number // _CORNERS, dice)
            for number in range(self.lines)
        ]
        spans = iter(shared_out([1] * sum(len(line.text) for line in lines)))
        for line in lines:
            for place, character in enumerate(line.text):
                shape = np.where(_glyph(character), next(spans).first, NEVER).astype(
                    np.int16
                )
                stamp(canvas, line.column + place * _ADVANCE, line.row, shape)
        return canvas


def _line(corner: int, below: int, dice: Dice) -> _Line:
    """A line in a corner, `below` others; in lower corners lines stack upwards."""
    count = dice.between(_SHORTEST, _LONGEST)
    text = "".join(
        sorted(GLYPHS)[dice.between(0, len(GLYPHS) - 1)] for _ in range(count)
    )
    at_right, at_bottom = divmod(corner, 2)
    from_edge = _EDGE + below * _LINE_HEIGHT
    column = CELLS - _EDGE - count * _ADVANCE + _DOT if at_right else _EDGE
    row = CELLS - from_edge - HEIGHT * _DOT if at_bottom else from_edge
    return _Line(text, column, row)


@cache
def _glyph(character: str) -> NDArray[np.bool_]:
    """The character's dots as cells."""
    rows = np.array(GLYPHS[character], dtype=np.int64)[:, None]
    dots: NDArray[np.bool_] = (
        rows >> np.arange(WIDTH - 1, -1, -1, dtype=np.int64)
    ) & 1 == 1
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
