"""Soft tissue and lungs: chest wall, neck, heart and mediastinum, abdomen, breasts."""

from __future__ import annotations

import numpy as np

from .geometry import Chest
from .shapes import (
    Field,
    Knots,
    curve,
    disc,
    smooth,
    soft,
    texture,
)
from .studies import Study

_AERATION = {"low": 0.045, "normal": 0.0, "high": -0.05}


def soft_tissue(chest: Chest) -> Field:
    """Soft tissue without lungs: chest wall, neck, heart and mediastinum, abdomen, breasts."""
    y = chest.y
    edge = curve(y, _outline(chest))
    body = smooth(edge - chest.distance, 0.03)
    thickness = np.sqrt(np.clip(1 - (chest.distance / (edge + 0.02)) ** 2, 0, 1))
    wall = body * (0.3 + 0.27 * thickness)
    # The mediastinum is denser further down, the heart most.
    organ_density = 0.05 + 0.09 * soft(y - 0.1, 0.2) + 0.05 * soft(y - 0.45, 0.3)
    tissue = wall + chest.silhouette * body * organ_density
    # The liver is on the right: it is denser than what is on the left.
    belly_density = 0.17 - 0.02 * np.clip(chest.d * 12, -1, 1)
    belly = smooth(y - chest.diaphragm, 0.03) * body * belly_density
    tissue = np.maximum(tissue, belly + wall)
    return _without_gas(chest, tissue) + _breasts(chest)


def _outline(chest: Chest) -> Knots:
    """Height and half width of the body, from the neck downwards."""
    patient = chest.plan.patient
    rim = patient.half_width + patient.wall
    return (
        (-0.06, 0.14),
        (0.03, 0.16),
        (0.08, 0.26),
        (0.13, rim - 0.06),
        (0.2, rim + 0.06),
        (0.3, rim + 0.03),
        (0.45, rim),
        (0.8, rim - 0.005),
        (1.1, rim + 0.02),
    )


def _without_gas(chest: Chest, tissue: Field) -> Field:
    """`tissue`, changed in place, without the gas in the stomach under the left dome."""
    size = chest.plan.patient.bubble
    top = chest.plan.bases[1]
    if size > 0:
        rows = chest.rows(top, top + 0.2)
        centre = (0.15, top + 0.035 + 0.4 * size)
        radii = (0.05 + 0.5 * size, 0.02 + 0.35 * size)
        bubble = disc(chest.d[rows], chest.y[rows], centre, radii)
        tissue[rows] -= 0.16 * smooth(bubble, 0.9)
    return tissue


def _breasts(chest: Chest) -> Field:
    shade = disc(chest.distance, chest.y, (0.24, 0.62), (0.2, 0.2))
    covered = smooth(shade - np.float32(0.35), 0.7)
    breasts: Field = np.float32(chest.plan.patient.breast) * covered
    return breasts


def aerated_lung(study: Study, chest: Chest, vessels: Field) -> Field:
    """Aerated lung: parenchyma, vessels (thicker in oedema), hila."""
    patient = chest.plan.patient
    aeration = _AERATION[study["volumes"]]
    u = chest.plan.pose.right + 0.5
    lung: Field = np.float32(0.235 * patient.aeration + aeration) - 0.05 * chest.across
    lung = lung + 0.012 * texture("mesh", chest.shape, u, 0.3)
    lung = lung + 0.012 * texture("cloud", chest.shape, 0.5, u)
    lung += np.float32(0.2 * patient.vessels) * vessels
    # The left hilum is a little higher than the right one.
    height = chest.y + 0.012 * chest.left
    hilum = disc(chest.distance, height, (0.085, 0.43), (0.055, 0.09))
    lung += np.float32(0.16 * patient.hilum) * smooth(hilum, 1.8)
    return lung


def clear_airways(chest: Chest, density: Field) -> None:
    """Take the air of the trachea and the main bronchi out of `density`."""
    rows = chest.rows(-0.1, 0.48)
    distance = chest.distance[rows]
    y = chest.y[rows]
    trachea = soft(0.02 - np.abs(chest.d[rows] + 0.004), 0.012) * soft(0.37 - y, 0.03)
    slope = 0.95 - 0.25 * chest.left[rows]
    bronchi = soft(0.012 - 0.75 * np.abs(y - 0.36 - slope * distance), 0.012)
    bronchi = bronchi * soft(0.085 - distance, 0.03)
    density[rows] -= 0.1 * np.maximum(trachea, 0.7 * bronchi)
