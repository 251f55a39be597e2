"""Where things are: exact masks of the organs and of every finding, from the fields
that the picture is drawn with.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.datasets.synthetic_cxr.devices import DEVICES, draw_device
from pytest_retrieval_robust.datasets.synthetic_cxr.findings import (
    Details,
    opacities,
    pleural_air,
    sample_details,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.geometry import (
    Chest,
    Plan,
    build_chest,
    heart_height,
    plan_of,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.render import (
    check_size,
    open_field,
    spinal_column,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import SLOTS, Study

Mask = NDArray[np.bool_]
ORGANS = ("lungs", "heart", "mediastinum")
# An opacity or a device is there where it takes at least this share of the beam that
# air or tissue would let through.
_VISIBLE = 0.1
_HEART_TOP = 0.43


def masks(study: Study, rows: int, columns: int) -> dict[str, Mask]:
    """`lungs`, `heart`, `mediastinum`, then each finding and device of `study` by its
    slot's name: (rows, columns).

    The lungs are the fields that a radiologist would outline: beside heart and
    mediastinum, above the diaphragm, with whatever fluid, air or consolidation is in
    them. A finding that moves or widens a structure (heart, volumes, diaphragm,
    scoliosis) is that structure. Behind a margin that the collimator shut there is
    nothing. Raises `DatasetError` for a side that `render` would refuse.
    """
    check_size(rows, columns)
    plan = plan_of(study)
    chest = build_chest(plan, rows, columns)
    found = dict(zip(ORGANS, _organs(chest), strict=True))
    drawn = _findings(study, chest, found, sample_details(study))
    found |= {slot.name: drawn[slot.name] for slot in SLOTS if slot.name in drawn}
    field = open_field(plan.pose, rows, columns)
    return {name: _within(mask, field) for name, mask in found.items()}


def _within(mask: Mask, field: tuple[slice, slice]) -> Mask:
    seen = np.zeros_like(mask)
    seen[field] = mask[field]
    return seen


def _organs(chest: Chest) -> tuple[Mask, Mask, Mask]:
    silhouette, above = chest.silhouette > 0.5, chest.y < chest.diaphragm
    heart_rows = heart_height(chest.plan, chest.y) > _HEART_TOP
    lungs = (chest.lungs > 0.5) & ~silhouette
    return (
        lungs,
        silhouette & heart_rows & above,
        silhouette & ~heart_rows & (chest.y > chest.plan.patient.apex),
    )


def _findings(
    study: Study, chest: Chest, organs: dict[str, Mask], details: Details
) -> dict[str, Mask]:
    # Behind the heart an opacity is as good as invisible, as in the picture.
    field = chest.lungs * (1 - 0.93 * chest.silhouette)
    found = {
        slot: opacity * field > _VISIBLE
        for slot, opacity in opacities(study, chest, details)
    }
    pleura = pleural_air(study, chest, details)
    if pleura is not None:
        found["pneumothorax"] = np.maximum(*pleura) * field > _VISIBLE
    structures = {"heart": organs["heart"], "volumes": organs["lungs"]}
    found |= {slot: mask for slot, mask in structures.items() if study.has(slot)}
    if study.has("diaphragm"):
        found["diaphragm"] = _raised(study, chest)
    if study.has("scoliosis"):
        found["scoliosis"] = spinal_column(chest) > 0.5
    shape = chest.shape
    devices = [slot for slot in DEVICES if study.has(slot)]
    return found | {
        slot: draw_device(study, slot, chest.plan, details, *shape) > _VISIBLE
        for slot in devices
    }


def _raised(study: Study, chest: Chest) -> Mask:
    """What an elevated hemidiaphragm takes from its lung."""
    states = tuple(
        "level" if slot.name == "diaphragm" else state
        for slot, state in zip(SLOTS, study.states, strict=True)
    )
    level: Plan = plan_of(replace(study, states=states))
    before = build_chest(level, *chest.shape)
    taken: Mask = (
        (before.lungs > 0.5)
        & ~(chest.lungs > 0.5)
        & (chest.side(study["diaphragm"]) > 0.5)
    )
    return taken
