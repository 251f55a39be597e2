"""From a study to a picture: tissue, lungs, bones, findings, devices, exposure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DatasetError
from .anatomy import (
    sample_exposure,
    sample_pose,
)
from .bones import (
    clavicles,
    ribs,
    shoulders,
    spine,
)
from .devices import draw_devices
from .exposure import collimate, expose
from .findings import (
    opacities,
    pleural_air,
    sample_details,
)
from .geometry import build_chest, plan_of
from .settings import LARGEST, SMALLEST
from .shapes import Field
from .studies import Study
from .tissue import (
    aerated_lung,
    clear_airways,
    soft_tissue,
)
from .vessels import draw_vessels

_METAL = np.float32(1.2)


def render(study: Study, rows: int, columns: int) -> NDArray[np.uint8]:
    """The radiograph of `study`: (rows, columns) grey levels 0..255.

    The patient's right is at the image's left. The chest fits the shorter side,
    undistorted. Raises `DatasetError` for a side outside `SMALLEST`..`LARGEST`.
    """
    check_size(rows, columns)
    pose = sample_pose(study.seed, study.index)
    exposure = sample_exposure(study.seed, study.index)
    return collimate(expose(density_of(study, rows, columns), exposure), pose)


def check_size(rows: int, columns: int) -> None:
    """Raise `DatasetError` for a side outside `SMALLEST`..`LARGEST`."""
    for name, side in (("rows", rows), ("columns", columns)):
        if not SMALLEST <= side <= LARGEST:
            nearest = min(max(side, SMALLEST), LARGEST)
            raise DatasetError(
                f"Expected an image size from {SMALLEST} to {LARGEST} pixels, got"
                f" {name}={side!r}; draw at {nearest} and resize the image."
            )


def density_of(study: Study, rows: int, columns: int) -> Field:
    """(rows, columns) opacity of the whole path through the body, before exposure.

    About 0 (air) to 1 (metal).
    """
    plan = plan_of(study)
    chest = build_chest(plan, rows, columns)
    details = sample_details(study)
    tissue = soft_tissue(chest)
    bones = ribs(chest)
    # The heart lies before the lungs: behind it little of them is to be seen.
    air = chest.lungs * (1 - 0.93 * chest.silhouette)
    lung = aerated_lung(study, chest, draw_vessels(study, chest))
    pleura = pleural_air(study, chest, details)
    if pleura is not None:
        gap, edge = pleura
        lung += gap * (0.03 - lung) + 0.22 * edge
    clear = np.ones_like(lung)
    for _, opacity in opacities(study, chest, details):
        lung += opacity * (np.float32(0.6) - lung)
        clear *= 1 - opacity
    density = tissue + air * (lung - tissue)
    # Bones stand out against air: behind an opacity they fade.
    visible_ribs = bones * (0.35 + 0.65 * clear)
    density += visible_ribs + spine(chest) + shoulders(chest) + clavicles(chest)
    clear_airways(chest, density)
    devices = draw_devices(study, plan, details, rows, columns)
    if devices is not None:
        density += devices * np.maximum(_METAL - density, 0)
    return density
