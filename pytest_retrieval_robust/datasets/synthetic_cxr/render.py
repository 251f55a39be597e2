"""From a study to a picture: tissue, lungs, bones, findings, devices, exposure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.datasets.synthetic_cxr.anatomy import (
    Exposure,
    Pose,
    sample_exposure,
    sample_pose,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.devices import draw_devices
from pytest_retrieval_robust.datasets.synthetic_cxr.findings import (
    opacities,
    pleural_air,
    sample_details,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.geometry import (
    Chest,
    build_chest,
    plan_of,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.shapes import (
    Field,
    curve,
    disc,
    smooth,
    soft,
    texture,
    unit,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import Study
from pytest_retrieval_robust.datasets.synthetic_cxr.vessels import draw_vessels

SMALLEST, LARGEST = 64, 1024
_RIB_SAMPLES, _RIBS_ABOVE = 256, 2
# A little below the mean density of a normal study, so that metal is seldom cut off.
_TYPICAL = 0.41
_METAL = np.float32(1.2)


def _one_rib() -> Field:
    """A plateau with brighter margins in the middle of 1.6 units of phase: air on both
    sides, for moving it.
    """
    wave = np.cos((np.arange(1.6 * _RIB_SAMPLES) / _RIB_SAMPLES - 0.8) * 2 * np.pi)
    wave[np.abs(np.arange(len(wave)) / _RIB_SAMPLES - 0.8) > 0.5] = -1
    rib: Field = (
        np.clip(wave * 2.4 - 0.2, 0, 1) - 0.35 * np.clip(wave * 4 - 3, 0, 1)
    ).astype(np.float32)
    return rib


_RIB = _one_rib()


def render(study: Study, rows: int, columns: int) -> NDArray[np.uint8]:
    """The radiograph of `study`: (rows, columns) grey levels 0..255, the patient's
    right at the image's left.

    The chest fits the shorter side, undistorted. Raises `DatasetError` for a side
    outside `SMALLEST`..`LARGEST`.
    """
    check_size(rows, columns)
    pose = sample_pose(study.seed, study.index)
    density = density_of(study, rows, columns)
    return _collimate(_expose(density, sample_exposure(study.seed, study.index)), pose)


def check_size(rows: int, columns: int) -> None:
    """Raise `DatasetError` for a side outside `SMALLEST`..`LARGEST`."""
    for name, value in (("rows", rows), ("columns", columns)):
        if not SMALLEST <= value <= LARGEST:
            raise DatasetError(
                f"Expected an image size from {SMALLEST} to {LARGEST} pixels, got"
                f" {name}={value!r}; draw at {min(max(value, SMALLEST), LARGEST)} and"
                " resize the image."
            )


def density_of(study: Study, rows: int, columns: int) -> Field:
    """(rows, columns) opacity of the whole path through the body, about 0 (air) to 1
    (metal), before exposure.
    """
    plan = plan_of(study)
    chest = build_chest(plan, rows, columns)
    details = sample_details(study)
    tissue, bones = _tissue(chest), _ribs(chest)
    air = chest.lungs * (1 - 0.93 * chest.silhouette)
    lung = _lung(study, chest, draw_vessels(study, chest))
    pleura = pleural_air(study, chest, details)
    if pleura is not None:
        lung += pleura[0] * (0.03 - lung) + 0.22 * pleura[1]
    clear = np.ones_like(lung)
    for _, opacity in opacities(study, chest, details):
        lung += opacity * (np.float32(0.6) - lung)
        clear *= 1 - opacity
    density = tissue + air * (lung - tissue)
    # Bones stand out against air: behind an opacity they fade.
    density += (
        bones * (0.35 + 0.65 * clear)
        + _spine(chest)
        + _shoulders(chest)
        + _clavicles(chest)
    )
    _airways(chest, density)
    devices = draw_devices(study, plan, details, rows, columns)
    if devices is not None:
        density += devices * np.maximum(_METAL - density, 0)
    return density


def _tissue(chest: Chest) -> Field:
    """Soft tissue without lungs: chest wall, neck, heart and mediastinum, abdomen, breasts."""
    patient, y = chest.plan.patient, chest.y
    rim = patient.half_width + patient.wall
    neck = (
        (-0.06, 0.14),
        (0.03, 0.16),
        (0.08, 0.26),
        (0.13, rim - 0.06),
        (0.2, rim + 0.06),
    )
    edge = curve(
        y,
        (*neck, (0.3, rim + 0.03), (0.45, rim), (0.8, rim - 0.005), (1.1, rim + 0.02)),
    )
    body = smooth(edge - chest.distance, 0.03)
    thick = np.sqrt(np.clip(1 - (chest.distance / (edge + 0.02)) ** 2, 0, 1))
    wall = body * (0.3 + 0.27 * thick)
    wall += (
        chest.silhouette
        * body
        * (0.05 + 0.09 * soft(y - 0.1, 0.2) + 0.05 * soft(y - 0.45, 0.3))
    )
    belly = (
        smooth(y - chest.diaphragm, 0.03)
        * body
        * (0.17 - 0.02 * np.clip(chest.d * 12, -1, 1))
    )
    wall = np.maximum(wall, belly + body * (0.3 + 0.27 * thick))
    return _bubble(chest, wall) + _breasts(chest)


def _bubble(chest: Chest, wall: Field) -> Field:
    """Gas in the stomach under the left dome."""
    size, top = chest.plan.patient.bubble, chest.plan.bases[1]
    if size > 0:
        rows = chest.rows(top, top + 0.2)
        centre, radii = (
            (0.15, top + 0.035 + 0.4 * size),
            (0.05 + 0.5 * size, 0.02 + 0.35 * size),
        )
        shape = disc(chest.d[rows], chest.y[rows], centre, radii)
        wall[rows] -= 0.16 * smooth(shape, 0.9)
    return wall


def _breasts(chest: Chest) -> Field:
    shade = disc(chest.distance, chest.y, (0.24, 0.62), (0.2, 0.2))
    return np.float32(chest.plan.patient.breast) * smooth(shade - np.float32(0.35), 0.7)


def _lung(study: Study, chest: Chest, vessels: Field) -> Field:
    """Aerated lung: parenchyma, vessels (thicker in oedema), hila."""
    patient = chest.plan.patient
    aeration = {"low": 0.045, "normal": 0.0, "high": -0.05}[study["volumes"]]
    u = chest.plan.pose.right + 0.5
    lung: Field = np.float32(0.235 * patient.aeration + aeration) - 0.05 * chest.across
    lung = (
        lung
        + 0.012 * texture("mesh", chest.shape, u, 0.3)
        + 0.012 * texture("cloud", chest.shape, 0.5, u)
    )
    lung += np.float32(0.2 * patient.vessels) * vessels
    hilum = disc(
        chest.distance, chest.y + 0.012 * chest.left, (0.085, 0.43), (0.055, 0.09)
    )
    lung += np.float32(0.16 * patient.hilum) * smooth(hilum, 1.8)
    return lung


def _ribs(chest: Chest) -> Field:
    """Posterior arches that fall outwards and fainter anterior ones that fall inwards,
    with dense margins.
    """
    patient, u = chest.plan.patient, np.minimum(chest.across, 1.1)
    step, start = np.float32(patient.rib_step), 0.09 + 0.03 * patient.rib_start
    squared = u * u
    bow = (
        np.float32(0.035 * patient.rib_slope) * u
        + np.float32(0.085 * patient.rib_slope) * squared * squared
    )
    crowd = (
        chest.y
        - np.float32(0.3 * max(0.0, 0.75 - chest.plan.bases[0])) * unit(chest.y - 0.3)
        - np.float32(start)
    )
    posterior = _rib_profile((crowd - bow) / step, patient.ribs[:16]) * soft(
        chest.distance - 0.04, 0.03
    )
    fall = np.float32(0.16 + 0.05 * patient.rib_slope) * (1 - u) + np.float32(0.11)
    anterior = _rib_profile(
        (crowd - fall) / (np.float32(1.25) * step), patient.ribs[16:]
    ) * unit((u - 0.38) * 3)
    cage = soft(chest.lateral + 0.012 - chest.distance, 0.02) * soft(
        chest.y - patient.apex + 0.01, 0.05
    )
    cage = (
        cage
        * (1 - 0.75 * soft(chest.y - chest.diaphragm, 0.05))
        * (1 - 0.7 * chest.silhouette)
    )
    rim = soft(0.014 - np.abs(chest.lateral + 0.004 - chest.distance), 0.02) * soft(
        chest.y - 0.14, 0.05
    )
    bones: Field = (
        np.float32(patient.rib_density)
        * cage
        * (posterior + 0.5 * anterior + 0.5 * rim)
    )
    return bones


def _rib_profile(phase: Field, units: tuple[float, ...]) -> Field:
    """One rib in each unit of phase, each a little lower and paler than regular, by its
    two `units`.
    """
    ribs = []
    for height, paleness in zip(units[::2], units[1::2], strict=True):
        first = round(_RIB_SAMPLES * (0.3 + 0.2 * (height - 0.5)))
        ribs.append(
            _RIB[first : first + _RIB_SAMPLES] * np.float32(1.15 - 0.4 * paleness)
        )
    cell = np.minimum(
        np.maximum((phase + _RIBS_ABOVE) * np.float32(_RIB_SAMPLES), 0),
        len(ribs) * _RIB_SAMPLES - 1,
    )
    profile: Field = np.concatenate(ribs).take(cell.astype(np.int32))
    return profile


def _spine(chest: Chest) -> Field:
    """Vertebral bodies with dense end plates, seen through the mediastinum."""
    offset, column = np.abs(_beside_spine(chest)), spinal_column(chest)
    discs = np.clip(np.cos(chest.y * np.float32(2 * np.pi / 0.058)) * 2 - 0.9, 0, 1)
    bodies: Field = column * (0.05 - 0.03 * discs) + 0.015 * soft(
        0.006 - offset, 0.01
    ) * (1 - discs)
    return bodies


def spinal_column(chest: Chest) -> Field:
    """1 on the vertebral bodies and the discs between them."""
    return soft(
        np.float32(chest.plan.patient.spine) - np.abs(_beside_spine(chest)), 0.012
    )


def _beside_spine(chest: Chest) -> Field:
    return chest.d - np.float32(0.6) * chest.plan.curvature(chest.y)


def _shoulders(chest: Chest) -> Field:
    """Scapulae and humeral heads, mostly outside the lungs."""
    rows, patient = chest.rows(-0.1, 0.52), chest.plan.patient
    field: Field = np.zeros_like(chest.d)
    distance, y = chest.distance[rows], chest.y[rows]
    inner = np.float32(patient.half_width - 0.075) + 0.12 * np.abs(y - 0.26)
    blade = soft(distance - inner, 0.02) * soft(
        inner + 0.13 - 0.4 * (y - 0.12) - distance, 0.03
    )
    blade *= soft(y - 0.15, 0.05) * soft(0.44 - y, 0.08)
    head = disc(distance, y, (patient.half_width + 0.1, 0.16), (0.06, 0.055))
    field[rows] = 0.045 * blade + 0.08 * smooth(head, 0.7)
    return field


def _clavicles(chest: Chest) -> Field:
    rows, lift = chest.rows(0.03, 0.27), 0.1 * chest.plan.patient.clavicle
    distance, y = chest.distance[rows], chest.y[rows]
    t = np.clip(distance / 0.4, 0, 1)
    middle = 0.205 - np.float32(lift) * t * (1.25 - 0.45 * t) + 0.012 * np.sin(t * 6)
    depth = 0.0155 - 0.004 * np.sin(t * np.pi) - np.abs(y - middle)
    bone = soft(depth, 0.01) - 0.35 * soft(depth - 0.007, 0.008)
    field: Field = np.zeros_like(chest.d)
    field[rows] = (
        0.12 * bone * soft(distance - 0.035, 0.02) * soft(0.4 - distance, 0.05)
    )
    return field


def _airways(chest: Chest, density: Field) -> None:
    """Take the air of the trachea and the main bronchi out of `density`."""
    rows = chest.rows(-0.1, 0.48)
    distance, y = chest.distance[rows], chest.y[rows]
    trachea = soft(0.02 - np.abs(chest.d[rows] + 0.004), 0.012) * soft(0.37 - y, 0.03)
    slope = 0.95 - 0.25 * chest.left[rows]
    bronchi = soft(0.012 - 0.75 * np.abs(y - 0.36 - slope * distance), 0.012) * soft(
        0.085 - distance, 0.03
    )
    density[rows] -= 0.1 * np.maximum(trachea, 0.7 * bronchi)


def _expose(density: Field, exposure: Exposure) -> NDArray[np.uint8]:
    """Grey levels of `density`: automatic exposure, tone curve, window, noise.

    As in a detector, the gain follows from what the picture holds, so its mean says
    little about the findings; what is drawn for tone and window makes its histogram say
    little either. Only sums, products and quotients: they round alike on every
    processor.
    """
    rows, columns = density.shape
    fall = 1 + (np.arange(rows, dtype=np.float32)[:, None] / rows - 0.5) * np.float32(
        exposure.shading
    )
    signal = unit(
        density * fall * np.float32(_TYPICAL * exposure.gain / _mean(density))
    )
    signal = signal / (signal + np.float32(exposure.tone) * (1 - signal))
    signal = np.float32(exposure.black) + signal * np.float32(
        exposure.white - exposure.black
    )
    # Quantum noise: the less light came through, the grainier.
    grain = texture("grain", (rows, columns), *exposure.grain) * (0.7 + 0.8 * signal)
    signal += np.float32(exposure.noise) * grain
    grey: NDArray[np.uint8] = np.clip(signal * 235 + 8.5, 0, 255).astype(np.uint8)
    return grey


def _mean(density: Field) -> float:
    """The mean over the square in the middle that shows the chest, whatever the image's aspect."""
    rows, columns = density.shape
    side = min(rows, columns)
    top, left = (rows - side) // 2, (columns - side) // 2
    sample = density[top : top + side : 3, left : left + side : 3]
    # Whole numbers add up to the same sum in every order.
    return int((np.maximum(sample, 0) * 4096).astype(np.int64).sum()) / (
        4096 * sample.size
    )


def _collimate(picture: NDArray[np.uint8], pose: Pose) -> NDArray[np.uint8]:
    """Blacken the margins that the collimator shut."""
    kept = np.zeros_like(picture)
    field = open_field(pose, *picture.shape)
    kept[field] = picture[field]
    return kept


def open_field(pose: Pose, rows: int, columns: int) -> tuple[slice, slice]:
    """The rows and columns that the collimator left open."""
    left, right, top, bottom = (
        round(margin * min(rows, columns)) for margin in pose.margins
    )
    return slice(top, rows - bottom), slice(left, columns - right)
