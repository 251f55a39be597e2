"""Lines, tubes and implants, drawn on a canvas."""

from __future__ import annotations

from .findings import Details
from .geometry import Plan
from .lines import Canvas
from .shapes import Field
from .streams import between
from .studies import POSITION, Study

DEVICES = ("wires", "gastric tube", "tube", "line", "picc", "pacemaker")
_WIRE = (
    *((0, 0), (0.018, 0.009), (0.014, 0.03), (-0.014, 0.03), (-0.018, 0.009)),
    *((0, 0), (0.007, -0.012)),
)
"""A loop of a wire with its twist."""


def draw_devices(
    study: Study, plan: Plan, details: Details, rows: int, columns: int
) -> Field | None:
    """(rows, columns), 0..1 opacity of all devices; None without any."""
    present = [slot for slot in DEVICES if study.has(slot)]
    if not present:
        return None
    canvas = Canvas(plan, rows, columns)
    for slot in present:
        _PAINTERS[slot](canvas, study[slot], plan, details[POSITION[slot]])
    return canvas.field()


def draw_device(
    study: Study, slot: str, plan: Plan, details: Details, rows: int, columns: int
) -> Field:
    """(rows, columns), 0..1 opacity of the one device of `slot`."""
    canvas = Canvas(plan, rows, columns)
    _PAINTERS[slot](canvas, study[slot], plan, details[POSITION[slot]])
    return canvas.field()


def _wires(canvas: Canvas, _state: str, _plan: Plan, u: Details) -> None:
    """Sternal cerclage wires: twisted loops one below the other."""
    for number in range(6):
        y = 0.24 + 0.075 * number + 0.006 * float(u[number])
        d = 0.006 * (float(u[number]) - 0.5)
        canvas.path([(d + right, y + down) for right, down in _WIRE], 0.008, 250)


def _gastric_tube(canvas: Canvas, _state: str, plan: Plan, u: Details) -> None:
    floor = plan.bases[1]
    swing = between(u[0], 0.13, 0.2)
    oesophagus = [(0.006, -0.1), (0.008, 0.2), (0.012, 0.5), (0.02, floor - 0.02)]
    stomach = [
        (0.07, floor + 0.08),
        (swing, floor + 0.13),
        (swing + 0.03, floor + 0.19),
    ]
    canvas.path([*oesophagus, *stomach], 0.0105, 225, spine=True)


def _tube(canvas: Canvas, state: str, _plan: Plan, u: Details) -> None:
    """An endotracheal tube with two walls; too low, it enters the right main bronchus."""
    if state == "low":
        end = [(-0.012, 0.36), (-0.06, between(u[0], 0.415, 0.44))]
    else:
        end = [(0.0, between(u[0], 0.24, 0.28))]
    path = [(0.004, -0.1), (0.0, 0.1), (0.0, 0.2), *end]
    # The wide tube first, then its hollow, then the opaque stripe of its wall.
    canvas.path(path, 0.027, 215)
    canvas.path(path, 0.012, 70)
    canvas.path([(d + 0.011, y) for d, y in path], 0.006, 250)


def _line(canvas: Canvas, state: str, _plan: Plan, u: Details) -> None:
    tip = between(u[0], 0.4, 0.46)
    cava = [(-0.034, 0.26), (-0.036, tip)]
    if state == "right jugular":
        vein = [(-0.085, -0.1), (-0.075, 0.03), (-0.055, 0.15)]
    else:
        vein = [(0.27, 0.235), (0.2, 0.165), (0.12, 0.158), (0.05, 0.19)]
        vein.append((-0.012, 0.225))
    canvas.path([*vein, *cava], 0.0105, 240)


def _picc(canvas: Canvas, state: str, _plan: Plan, u: Details) -> None:
    """A thin catheter from the arm, along the axilla, to the superior vena cava."""
    tip = between(u[0], 0.39, 0.45)
    side = -1.0 if state == "right" else 1.0
    inner = (-0.045, 0.2) if state == "right" else (0.0, 0.215)
    # From the arm inwards, below the clavicle.
    arm = [
        (side * 0.56, 0.36),
        (side * 0.46, 0.27),
        (side * 0.36, 0.205),
        (side * 0.24, 0.18),
        (side * 0.12, 0.175),
    ]
    canvas.path([*arm, inner, (-0.034, 0.27), (-0.036, tip)], 0.008, 235)


def _pacemaker(canvas: Canvas, state: str, plan: Plan, u: Details) -> None:
    """A generator below the clavicle with two leads.

    They go to the right atrium and to the apex of the right ventricle.
    """
    side = -1.0 if state == "right" else 1.0
    d = side * between(u[0], 0.27, 0.31)
    y = between(u[1], 0.25, 0.3)
    vein = [
        (side * 0.24, y - 0.075),
        (side * 0.13, 0.17),
        (side * 0.05 - 0.01, 0.21),
        (-0.034, 0.29),
        (-0.04, 0.42),
    ]
    heart = plan.heart
    floor = plan.bases[1]
    ventricle = [
        (-0.045, 0.54),
        (-0.01, floor - 0.1),
        (0.06, floor - 0.065),
        (0.13 * heart, floor - 0.075),
    ]
    atrium = [(-0.05, 0.53), (-0.03, 0.57), (-0.06 * heart, 0.55)]
    canvas.path([(d - side * 0.02, y - 0.045), *vein, *ventricle], 0.009, 240)
    canvas.path([(d - side * 0.005, y - 0.05), *vein, *atrium], 0.0075, 230)
    # The generator last: it covers the leads. Case, battery and connector.
    canvas.box((d, y), (0.052, 0.046), 0.02, 235)
    canvas.box((d, y + 0.008), (0.036, 0.026), 0.012, 205)
    canvas.box((d, y - 0.036), (0.026, 0.007), 0.005, 255)


_PAINTERS = {
    "wires": _wires,
    "gastric tube": _gastric_tube,
    "tube": _tube,
    "line": _line,
    "picc": _picc,
    "pacemaker": _pacemaker,
}
