"""`ecg-leads`: synthetic electrodes of an electrocardiogram, with their wires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import OccluderEntry
from .._checks import check_whole
from ..severity import NEVER, Onsets, SeverityOccluder
from ._drawing import (
    SIDE,
    UNIT,
    Dice,
    Point,
    Span,
    along,
    bands,
    blank,
    curve,
    draw,
    in_units,
    length,
    shared_out,
)

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

# In cells: the limbs' electrodes, then those in front of the heart.
_PLACES = (
    (56, 50),
    (200, 50),
    (206, 200),
    (50, 200),
    (128, 116),
    (152, 140),
    (174, 158),
    (104, 140),
    (196, 168),
)
# An electrode's radii: a snap, a gap around it, and a ring.
_SNAP = 4 * UNIT
_GAP = 13 * UNIT // 2
_PAD = 9 * UNIT
_WIRE_RADIUS = 5 * UNIT // 4
_PAD_WEIGHT = 40 * UNIT
"""How much of the severity an electrode takes, as a length of wire."""


@dataclass(frozen=True)
class EcgLeads(SeverityOccluder):
    """Synthetic electrodes, one after another in random order, each followed by its
    wire along its length.

    Drawn here, after no library or paper: a snap in a ring, from which a wire sags to
    where all leave the image.

    >>> EcgLeads(count=3).name
    'ecg-leads(count=3)'

    Args:
        fill: One of `fills.FILLS`; metal is white.
        count: Electrodes, 1 to 9.
    """

    count: int = 5

    family: ClassVar[str] = "ecg-leads"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("count", self.count, 1, len(_PLACES))

    def onsets(self, image_id: str, seed: int) -> Onsets:
        dice = Dice(image_id, seed, self.family)
        canvas = blank()
        exit_at = _exit(dice)
        wires = [_wire(number, exit_at, dice) for number in range(self.count)]
        order = dice.shuffled(self.count)
        spans = shared_out([_PAD_WEIGHT + length(wires[number]) for number in order])
        strokes = []
        for number, span in zip(order, spans, strict=True):
            pad, wire = shared_out([_PAD_WEIGHT, length(wires[number])], span)
            _draw_electrode(canvas, wires[number][0], pad)
            strokes += along(wires[number], _WIRE_RADIUS, wire)
        draw(canvas, strokes)
        return canvas


def _exit(dice: Dice) -> Point:
    """Where the wires leave the image: at its lower edge, left or right of the spine."""
    beside_spine = dice.between(30, 70)
    is_right = dice.between(0, 1)
    if not is_right:
        beside_spine = -beside_spine
    return SIDE // 2 + beside_spine * UNIT, SIDE + 4 * UNIT


def _wire(number: int, exit_at: Point, dice: Dice) -> list[Point]:
    """From electrode `number` inwards and down; each wire leaves beside the one before."""
    x, y = dice.near(in_units([_PLACES[number]])[0], 8 * UNIT)
    end = exit_at[0] + (number - 4) * 3 * UNIT, exit_at[1]
    sag = dice.near((x + (end[0] - x) // 3, y + (end[1] - y) // 2), 12 * UNIT)
    return curve([(x, y), sag, end])


def _draw_electrode(canvas: Onsets, centre: Point, span: Span) -> None:
    """The snap first, then the ring; the gap between them stays free."""
    half = (span.first + span.last) // 2
    radii = [_SNAP // 2, _SNAP, _GAP, _PAD]
    onsets = [span.first, span.first, NEVER, half]
    bands(canvas, centre, centre, radii, onsets)


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=EcgLeads.family,
            summary="synthetic electrodes with their wires, one after another",
            parameters={"fill": str, "count": int},
            build=EcgLeads,
        )
    )
