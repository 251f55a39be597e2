"""What the findings of a study add to its lungs.

Each is a map of opacity, 0 (none) to 1 (as dense as soft tissue).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from .geometry import Chest
from .shapes import (
    Field,
    disc,
    smooth,
    soft,
    texture,
    unit,
)
from .streams import between, uniforms
from .studies import (
    POSITION,
    SLOTS,
    Study,
)

_SIGN = {"right": -1.0, "left": 1.0}
_LEVEL = {"small": 0.085, "moderate": 0.19, "large": 0.36}
_GAP = {"small": 0.05, "large": 0.15}
_NODULE_HEIGHT = {"upper": 0.24, "mid": 0.44, "lower": 0.62}
_NODULE_RADIUS = {"small": 0.026, "large": 0.05}
_LOBES = {
    ("right", "upper"): ((0.19, 0.235), (0.17, 0.17)),
    ("right", "middle"): ((0.14, 0.565), (0.15, 0.1)),
    ("right", "lower"): ((0.265, 0.645), (0.125, 0.15)),
    ("left", "upper"): ((0.19, 0.26), (0.16, 0.18)),
    ("left", "lower"): ((0.275, 0.64), (0.12, 0.15)),
}
"""(side, lobe): centre beside the midline and height, radii."""

Details = NDArray[np.float64]


def sample_details(study: Study) -> Details:
    """(slots, 6) numbers in [0, 1): the exact place and shape of each finding.

    They do not depend on the other findings of the study.
    """
    slots = len(SLOTS)
    return uniforms("details", study.seed, study.index, 6 * slots).reshape(slots, 6)


def opacities(
    study: Study, chest: Chest, details: Details
) -> Iterator[tuple[str, Field]]:
    """(slot, opacity map) of every finding that fills air spaces, in drawing order."""
    for slot, painter in _PAINTERS.items():
        if study.has(slot):
            yield slot, painter(study, chest, details[POSITION[slot]])


def pleural_air(
    study: Study, chest: Chest, details: Details
) -> tuple[Field, Field] | None:
    """(air, line): where a pneumothorax has pushed the lung away, and the lung's edge.

    None without a pneumothorax.
    """
    if not study.has("pneumothorax"):
        return None
    side, size = study["pneumothorax"].split()
    u = details[POSITION["pneumothorax"]]
    # Air rises: the gap is widest at the apex.
    widening = 1.15 - 0.55 * np.clip(chest.depth, 0, 1)
    gap = _GAP[size] * between(u[0], 0.9, 1.15) * widening
    wall = chest.lateral - gap - chest.distance
    top = 0.9 * (chest.y - chest.plan.patient.apex - 0.8 * _GAP[size])
    # The nearer of both borders of the lung, with a rounded corner between them.
    corner = 0.04 * np.clip(1 - np.abs(wall - top) / 0.16, 0, 1) ** 2
    rim = np.minimum(wall, top) - corner
    field = chest.thorax * chest.side(side)
    edge = np.clip(1 - np.abs(rim) / 0.008, 0, 1)
    line = edge * field * soft(chest.diaphragm - chest.y, 0.014)
    air = soft(-rim, 0.01) * field
    return air.astype(np.float32), line.astype(np.float32)


def _effusion(study: Study, chest: Chest, side: str, u: Details) -> Field:
    """Fluid in the sulcus with a meniscus that climbs the chest wall."""
    level = _LEVEL[study[f"effusion {side}"]] * between(u[0], 0.88, 1.12)
    floor = chest.plan.bases[side == "left"] + 0.75 * chest.plan.dome
    climb = np.clip(chest.across, 0, 1) ** 3
    top = np.float32(floor - 0.72 * level) - np.float32(0.36 * level + 0.03) * climb
    fluid: Field = 0.96 * smooth(chest.y - top, 0.05) * chest.side(side)
    return fluid


def _consolidation(study: Study, chest: Chest, side: str, u: Details) -> Field:
    """A lobe filled with exudate, with a trace of air bronchograms.

    Its edges are fluffy, but sharp at a fissure.
    """
    lobe = study[f"consolidation {side}"]
    (d, y), radii = _LOBES[side, lobe]
    y += 0.5 * (chest.plan.bases[side == "left"] - 0.74)
    grow = between(u[0], 0.9, 1.15)
    centre = (_SIGN[side] * d, y)
    body = disc(chest.d, chest.y, centre, (radii[0] * grow, radii[1] * grow))
    cloud = texture("cloud", chest.shape, u[1], u[2])
    mottle = texture("mottle", chest.shape, u[2], u[3])
    fluff = smooth(body + 0.16 * cloud - 0.1, 1.1) * (0.8 + 0.05 * mottle)
    fissure = _fissure(chest, lobe) if side == "right" else np.float32(1)
    filled: Field = np.clip(fluff * fissure, 0, 0.9) * chest.side(side)
    return filled


def _fissure(chest: Chest, lobe: str) -> Field:
    """1 on the lobe's side of the horizontal fissure.

    It cuts the right upper lobe off below and the middle lobe above.
    """
    if lobe == "lower":
        return np.ones_like(chest.d)
    above = 0.445 + 0.05 * chest.distance - chest.y
    return soft(above if lobe == "upper" else -above - 0.01, 0.02)


def _oedema(study: Study, chest: Chest, u: Details) -> Field:
    """Fluid around both hila in the shape of a bat's wings, with fine reticular lines.

    It fades to the periphery.
    """
    core, veil = {"mild": (0.36, 0.08), "severe": (0.78, 0.14)}[study["oedema"]]
    strength = between(u[0], 0.92, 1.08)
    cloud = texture("cloud", chest.shape, u[1], u[2])
    wing = disc(chest.distance, chest.y, (0.145, 0.45), (0.165, 0.22))
    hollow = disc(chest.distance, chest.y, (0.03, 0.72), (0.14, 0.2))
    haze = smooth(wing + 0.14 * cloud - 0.5 * np.maximum(hollow, 0), 1.6)
    mottle = texture("mottle", chest.shape, u[3], u[4])
    fine = texture("mesh", chest.shape, u[4], u[5])
    mesh = 1 + 0.07 * mottle + 0.04 * fine
    opacity = np.float32(veil) + np.float32(core) * haze
    wet: Field = np.float32(strength) * opacity * mesh
    return unit(wet + _septa(chest, core * strength))


def _septa(chest: Chest, strength: float) -> Field:
    """Short horizontal septal lines at the outer bases."""
    comb = np.clip(np.cos(chest.y * np.float32(2 * np.pi / 0.022)) * 3 - 2, 0, 1)
    base = soft(0.15 - np.abs(chest.depth - 0.8), 0.1)
    outer = soft(chest.across - 0.86, 0.05) * base
    lines: Field = np.float32(0.5 * strength) * comb * outer
    return lines


def _nodule(study: Study, chest: Chest, u: Details) -> Field:
    """A round opacity with a fairly sharp rim."""
    side, zone = study["nodule"].split()
    radius = _NODULE_RADIUS[study["nodule size"]] * between(u[0], 0.9, 1.1)
    d = between(u[1], 0.17, 0.25) if zone == "upper" else between(u[1], 0.22, 0.3)
    if (side, zone) == ("left", "lower"):
        # Beside the heart, not behind it.
        d = max(d, min(0.225 * chest.plan.heart + 0.6 * radius, 0.335))
    y = _NODULE_HEIGHT[zone] + between(u[2], -0.025, 0.025)
    # It moves with the diaphragm, less than that itself.
    y += 0.4 * (chest.plan.bases[side == "left"] - 0.74)
    radii = (radius, radius * between(u[3], 0.85, 1.1))
    shape = disc(chest.d, chest.y, (_SIGN[side] * d, y), radii)
    return 0.95 * smooth(shape, 1.0)


def _atelectasis(study: Study, chest: Chest, u: Details) -> Field:
    """Two or three thin plates above the diaphragm, slightly oblique."""
    plates: Field = np.zeros_like(chest.d)
    for number, side in enumerate(("right", "left")):
        if study["atelectasis"] not in (side, "both"):
            continue
        for plate in range(2 + int(u[number] > 0.5)):
            plates += _plate(chest, side, plate, u)
    return np.clip(plates, 0, 0.8)


def _plate(chest: Chest, side: str, plate: int, u: Details) -> Field:
    base = chest.plan.bases[side == "left"]
    start = base - 0.03 - 0.042 * plate - 0.015 * float(u[2 + plate])
    rows = chest.rows(start - 0.09, start + 0.07)
    slope = (0.12, -0.16, 0.22)[plate] * between(u[4], 0.6, 1.2)
    # On the left beside the heart, not behind it.
    middle = max(0.25, 0.225 * chest.plan.heart - 0.01) if side == "left" else 0.25
    distance = chest.distance[rows]
    rise = np.float32(slope) * (distance - np.float32(middle))
    offset = np.abs(chest.y[rows] - start - rise)
    beside = np.abs(distance - np.float32(middle - 0.02 * plate))
    length = soft(0.095 - 0.012 * plate - beside, 0.04)
    field: Field = np.zeros_like(chest.d)
    field[rows] = 0.85 * soft(0.0095 - offset, 0.01) * length * chest.side(side)[rows]
    return field


_PAINTERS: dict[str, Callable[[Study, Chest, Details], Field]] = {
    "oedema": _oedema,
    "consolidation right": lambda study, chest, u: _consolidation(
        study, chest, "right", u
    ),
    "consolidation left": lambda study, chest, u: _consolidation(
        study, chest, "left", u
    ),
    "nodule": _nodule,
    "atelectasis": _atelectasis,
    "effusion right": lambda study, chest, u: _effusion(study, chest, "right", u),
    "effusion left": lambda study, chest, u: _effusion(study, chest, "left", u),
}
