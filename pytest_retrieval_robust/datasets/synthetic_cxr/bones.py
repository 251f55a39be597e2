"""Ribs, spine, shoulders and clavicles: what bone adds to the opacity of the chest."""

from __future__ import annotations

import numpy as np

from .geometry import Chest
from .shapes import (
    Field,
    disc,
    smooth,
    soft,
    unit,
)

_RIB_SAMPLES = 256
"""Samples of a rib's profile per unit of phase."""
_RIBS_ABOVE = 2
"""Ribs above the one at phase 0."""


def _one_rib() -> Field:
    """A plateau with brighter margins, in the middle of 1.6 units of phase.

    The air on both sides is for moving it.
    """
    phase = np.arange(1.6 * _RIB_SAMPLES) / _RIB_SAMPLES - 0.8
    wave = np.cos(phase * 2 * np.pi)
    wave[np.abs(phase) > 0.5] = -1
    plateau = np.clip(wave * 2.4 - 0.2, 0, 1)
    hollow = 0.35 * np.clip(wave * 4 - 3, 0, 1)
    rib: Field = (plateau - hollow).astype(np.float32)
    return rib


_RIB = _one_rib()


def ribs(chest: Chest) -> Field:
    """Posterior arches that fall outwards, and fainter anterior ones that fall inwards."""
    patient = chest.plan.patient
    u = np.minimum(chest.across, 1.1)
    step = np.float32(patient.rib_step)
    start = np.float32(0.09 + 0.03 * patient.rib_start)
    # Ribs crowd if the diaphragm is high.
    crowding = np.float32(0.3 * max(0.0, 0.75 - chest.plan.bases[0]))
    height = chest.y - crowding * unit(chest.y - 0.3) - start

    # Powers as products, which round alike on every processor.
    squared = u * u
    slight = np.float32(0.035 * patient.rib_slope) * u
    bow = slight + np.float32(0.085 * patient.rib_slope) * squared * squared
    posterior = _rib_profile((height - bow) / step, patient.ribs[:16])
    posterior = posterior * soft(chest.distance - 0.04, 0.03)

    fall = np.float32(0.16 + 0.05 * patient.rib_slope) * (1 - u) + np.float32(0.11)
    wide_step = np.float32(1.25) * step
    anterior = _rib_profile((height - fall) / wide_step, patient.ribs[16:])
    anterior = anterior * unit((u - 0.38) * 3)

    # The cage ends at the chest wall and the apex, and fades behind heart and abdomen.
    outer = soft(chest.lateral + 0.012 - chest.distance, 0.02)
    cage = outer * soft(chest.y - patient.apex + 0.01, 0.05)
    below = 1 - 0.75 * soft(chest.y - chest.diaphragm, 0.05)
    cage = cage * below * (1 - 0.7 * chest.silhouette)
    edge = soft(0.014 - np.abs(chest.lateral + 0.004 - chest.distance), 0.02)
    rim = edge * soft(chest.y - 0.14, 0.05)
    arches = posterior + 0.5 * anterior + 0.5 * rim
    bones: Field = np.float32(patient.rib_density) * cage * arches
    return bones


def _rib_profile(phase: Field, units: tuple[float, ...]) -> Field:
    """One rib in each unit of phase, a little lower and paler by its two `units`."""
    profiles = []
    for height, paleness in zip(units[::2], units[1::2], strict=True):
        first = round(_RIB_SAMPLES * (0.3 + 0.2 * (height - 0.5)))
        rib = _RIB[first : first + _RIB_SAMPLES]
        profiles.append(rib * np.float32(1.15 - 0.4 * paleness))
    last = len(profiles) * _RIB_SAMPLES - 1
    sample = (phase + _RIBS_ABOVE) * np.float32(_RIB_SAMPLES)
    cell = np.minimum(np.maximum(sample, 0), last)
    profile: Field = np.concatenate(profiles).take(cell.astype(np.int32))
    return profile


def spine(chest: Chest) -> Field:
    """Vertebral bodies with dense end plates, seen through the mediastinum."""
    discs = np.clip(np.cos(chest.y * np.float32(2 * np.pi / 0.058)) * 2 - 0.9, 0, 1)
    vertebrae = spinal_column(chest) * (0.05 - 0.03 * discs)
    processes = 0.015 * soft(0.006 - np.abs(_beside_spine(chest)), 0.01)
    bodies: Field = vertebrae + processes * (1 - discs)
    return bodies


def spinal_column(chest: Chest) -> Field:
    """1 on the vertebral bodies and the discs between them."""
    half_width = np.float32(chest.plan.patient.spine)
    return soft(half_width - np.abs(_beside_spine(chest)), 0.012)


def _beside_spine(chest: Chest) -> Field:
    beside: Field = chest.d - np.float32(0.6) * chest.plan.curvature(chest.y)
    return beside


def shoulders(chest: Chest) -> Field:
    """Scapulae and humeral heads, mostly outside the lungs."""
    rows = chest.rows(-0.1, 0.52)
    half_width = chest.plan.patient.half_width
    field: Field = np.zeros_like(chest.d)
    distance = chest.distance[rows]
    y = chest.y[rows]
    inner = np.float32(half_width - 0.075) + 0.12 * np.abs(y - 0.26)
    outer = inner + 0.13 - 0.4 * (y - 0.12)
    blade = soft(distance - inner, 0.02) * soft(outer - distance, 0.03)
    blade *= soft(y - 0.15, 0.05) * soft(0.44 - y, 0.08)
    head = disc(distance, y, (half_width + 0.1, 0.16), (0.06, 0.055))
    field[rows] = 0.045 * blade + 0.08 * smooth(head, 0.7)
    return field


def clavicles(chest: Chest) -> Field:
    rows = chest.rows(0.03, 0.27)
    lift = 0.1 * chest.plan.patient.clavicle
    distance = chest.distance[rows]
    y = chest.y[rows]
    t = np.clip(distance / 0.4, 0, 1)
    middle = 0.205 - np.float32(lift) * t * (1.25 - 0.45 * t) + 0.012 * np.sin(t * 6)
    depth = 0.0155 - 0.004 * np.sin(t * np.pi) - np.abs(y - middle)
    bone = soft(depth, 0.01) - 0.35 * soft(depth - 0.007, 0.008)
    field: Field = np.zeros_like(chest.d)
    inner_end = soft(distance - 0.035, 0.02)
    field[rows] = 0.12 * bone * inner_end * soft(0.4 - distance, 0.05)
    return field
