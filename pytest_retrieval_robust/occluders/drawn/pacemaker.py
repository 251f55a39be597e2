"""`pacemaker`: a synthetic pacemaker, a generator at the upper chest with leads that
run into the heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import OccluderEntry
from .._checks import check_choice
from ..severity import STEPS, Onsets, SeverityOccluder
from ._drawing import (
    SIDES,
    UNIT,
    Dice,
    Point,
    Span,
    Stroke,
    along,
    bands,
    blank,
    curve,
    draw,
    in_units,
    length,
    moved,
    shared_out,
)

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

_CAN_SPAN = Span(1, 420)
_LEADS_SPAN = Span(421, STEPS)
_CAN_RADIUS = 19 * UNIT
_CAN_STEPS = 18
_LEAD_RADIUS = 2 * UNIT
_TIP_RADIUS = 11 * UNIT // 4
_REACH = 4 * UNIT
# In cells: the generator, then the way of its leads through the subclavian vein into
# the superior vena cava.
_CHEST = {
    "right": ((200, 66), ((176, 36), (150, 38), (124, 52), (107, 78))),
    "left": ((56, 66), ((68, 36), (90, 40), (103, 58), (106, 82))),
}
# From there into the heart, whichever side the generator is on: the right ventricle
# first, then the right atrium.
_HEART = (
    ((103, 116), (108, 156), (132, 180), (160, 178)),
    ((100, 112), (98, 140), (108, 152), (114, 138)),
)


@dataclass(frozen=True)
class Pacemaker(SeverityOccluder):
    """A synthetic generator that grows from small to large, then its one or two leads
    along their length.

    Drawn here, after no library or paper: position, size and course vary with the image.

    >>> Pacemaker(side="left").name
    'pacemaker(side=left)'

    Args:
        fill: One of `fills.FILLS`; metal is white.
        side: Where the generator lies: `left` or `right` of the picture, not of the
            patient; `random`: three of four on the right, which is the patient's left.
    """

    side: str = "random"

    family: ClassVar[str] = "pacemaker"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("side", self.side, SIDES)

    def onsets(self, image_id: str, seed: int) -> Onsets:
        dice = Dice(image_id, seed, self.family)
        canvas = blank()
        # Rolled whether it is used or not, so that all else is the same on both sides.
        rolled = "left" if dice.between(1, 4) == 1 else "right"
        side = rolled if self.side == "random" else self.side
        centre, veins = _CHEST[side]
        can = dice.near(in_units([centre])[0], 2 * _REACH)
        _draw_can(canvas, can, dice)
        draw(canvas, _leads(can, in_units(veins), dice))
        return canvas


def _draw_can(canvas: Onsets, centre: Point, dice: Dice) -> None:
    """A capsule that lies aslant, larger step by step."""
    half = dice.between(6, 9)
    tilt = dice.between(-4, 4)
    radius = _CAN_RADIUS + dice.between(-2 * UNIT, UNIT)
    radii = [radius * step // _CAN_STEPS for step in range(1, _CAN_STEPS + 1)]
    onsets = [span.first for span in shared_out([1] * _CAN_STEPS, _CAN_SPAN)]
    start = moved(centre, -half, -tilt)
    stop = moved(centre, half, tilt)
    bands(canvas, start, stop, radii, onsets)


def _leads(can: Point, veins: list[Point], dice: Dice) -> list[Stroke]:
    paths = [_path(can, veins, number, dice) for number in range(dice.between(1, 2))]
    spans = shared_out([length(path) for path in paths], _LEADS_SPAN)
    strokes = []
    for path, span in zip(paths, spans, strict=True):
        strokes += along(path, _LEAD_RADIUS, span)
        strokes.append(Stroke(path[-2], path[-1], _TIP_RADIUS, span.last))
    return strokes


def _path(can: Point, veins: list[Point], number: int, dice: Dice) -> list[Point]:
    """One lead: out of the generator beside the other one, then through the veins."""
    inward = -1 if can[0] > veins[-1][0] else 1
    header = [
        moved(can, inward * (8 + 5 * number), -14),
        moved(can, inward * (10 + 6 * number), -23 - 2 * number),
    ]
    # A second lead runs beside the first: below it in the first veins, then to its right.
    across = [moved(point, 0, 6 * number) for point in veins[:2]]
    down = [moved(point, 4 * number, 0) for point in veins[2:]]
    course = [*across, *down, *in_units(_HEART[number])]
    return curve(header + [dice.near(point, _REACH // 2) for point in course])


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Pacemaker.family,
            summary=(
                "a synthetic pacemaker: a generator that grows, then its leads into the"
                " heart"
            ),
            parameters={"fill": str, "side": str},
            build=Pacemaker,
        )
    )
