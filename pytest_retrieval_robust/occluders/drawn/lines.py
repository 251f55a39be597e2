"""`lines`: synthetic tubes, catheters and drains, as they lie over the chest of an
intensive-care patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .. import OccluderEntry
from .._checks import check_whole
from ..severity import Onsets, SeverityOccluder
from ._drawing import (
    UNIT,
    Dice,
    Point,
    along,
    blank,
    curve,
    draw,
    in_units,
    length,
    shared_out,
)

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue


class _Line(NamedTuple):
    """A tube or catheter."""

    radius: int
    """Half its width, in units."""
    course: tuple[Point, ...]
    """In cells, from outside the patient inwards."""


_LINES = (
    # endotracheal tube: from the mouth to above the carina
    _Line(5 * UNIT // 2, ((122, -4), (125, 20), (127, 46), (127, 76))),
    # central venous catheter: from the right side of the neck to the superior vena cava
    _Line(3 * UNIT // 2, ((84, -4), (92, 22), (100, 48), (105, 80), (106, 116))),
    # nasogastric tube: behind the heart to the stomach
    _Line(
        7 * UNIT // 4,
        ((133, -4), (134, 60), (133, 124), (136, 176), (156, 208), (180, 222)),
    ),
    # chest drain on the picture's left: from the flank up to the apex
    _Line(11 * UNIT // 4, ((8, 176), (34, 164), (44, 124), (54, 76), (76, 44))),
    # the same on the right
    _Line(11 * UNIT // 4, ((248, 182), (222, 168), (212, 126), (202, 80), (182, 46))),
    # peripherally inserted catheter: from the arm
    _Line(
        5 * UNIT // 4, ((-4, 104), (26, 70), (58, 46), (90, 46), (104, 68), (106, 108))
    ),
    # pulmonary artery catheter: through the heart's right side and back up
    _Line(
        3 * UNIT // 2,
        (
            (186, -4),
            (160, 30),
            (126, 50),
            (106, 84),
            (104, 134),
            (124, 164),
            (146, 146),
            (136, 108),
        ),
    ),
    # dialysis catheter: tunnelled below the collar bone
    _Line(
        9 * UNIT // 4, ((60, 112), (54, 76), (70, 38), (92, 40), (104, 66), (106, 128))
    ),
)


@dataclass(frozen=True)
class Lines(SeverityOccluder):
    """Synthetic tubes and catheters, one after another in random order, each along its
    length from outside inwards.

    Drawn here, after no library or paper: out of eight, an endotracheal and a
    nasogastric tube, two chest drains, and central venous, peripherally inserted,
    pulmonary artery and dialysis catheters. Their course varies with the image.

    >>> Lines(count=2).name
    'lines(count=2)'

    Args:
        fill: One of `fills.FILLS`; on a radiograph they are white.
        count: How many of the eight an image has, 1 to 8.
    """

    count: int = 6

    family: ClassVar[str] = "lines"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("count", self.count, 1, len(_LINES))

    def onsets(self, image_id: str, seed: int) -> Onsets:
        dice = Dice(image_id, seed, self.family)
        canvas = blank()
        numbers = dice.shuffled(len(_LINES))[: self.count]
        chosen = [_LINES[number] for number in numbers]
        paths = [_path(line, dice) for line in chosen]
        spans = shared_out([length(path) for path in paths])
        for line, path, span in zip(chosen, paths, spans, strict=True):
            draw(canvas, along(path, line.radius, span))
        return canvas


def _path(line: _Line, dice: Dice) -> list[Point]:
    return curve([dice.near(point, 5 * UNIT) for point in in_units(line.course)])


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Lines.family,
            summary="synthetic tubes, catheters and drains, one after another",
            parameters={"fill": str, "count": int},
            build=Lines,
        )
    )
