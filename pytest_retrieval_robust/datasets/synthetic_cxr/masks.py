"""Where things are: exact masks of the organs and of every finding.

They come from the fields that the picture is drawn with.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .bones import spinal_column
from .devices import DEVICES, draw_device
from .exposure import open_field
from .findings import (
    Details,
    opacities,
    pleural_air,
    sample_details,
)
from .geometry import (
    Chest,
    Plan,
    build_chest,
    heart_height,
    plan_of,
)
from .render import check_size
from .studies import SLOTS, Study

Mask = NDArray[np.bool_]
ORGANS = ("lungs", "heart", "mediastinum")
_VISIBLE = 0.1
"""An opacity or a device is in a pixel if it takes at least this share of the beam that
air or tissue would let through.
"""
_HEART_TOP = 0.43
"""The height that parts the heart from the mediastinum above it."""


def masks(study: Study, rows: int, columns: int) -> dict[str, Mask]:
    """`lungs`, `heart`, `mediastinum`, then each finding and device by its slot's name.

    Each is (rows, columns). The lungs are the fields that a radiologist would outline:
    beside heart and mediastinum, above the diaphragm, with whatever fluid, air or
    consolidation is in them. A finding that moves or widens a structure (heart,
    volumes, diaphragm, scoliosis) is that structure. Behind a margin that the
    collimator shut there is nothing. Raises `DatasetError` for a side that `render`
    would refuse.
    """
    check_size(rows, columns)
    plan = plan_of(study)
    chest = build_chest(plan, rows, columns)
    region_masks = _organs(chest)
    finding_masks = _findings(study, chest, region_masks, sample_details(study))
    for slot in SLOTS:
        if slot.name in finding_masks:
            region_masks[slot.name] = finding_masks[slot.name]
    field = open_field(plan.pose, rows, columns)
    return {name: _within(mask, field) for name, mask in region_masks.items()}


def _within(mask: Mask, field: tuple[slice, slice]) -> Mask:
    visible = np.zeros_like(mask)
    visible[field] = mask[field]
    return visible


def _organs(chest: Chest) -> dict[str, Mask]:
    silhouette = chest.silhouette > 0.5
    is_below_top = heart_height(chest.plan, chest.y) > _HEART_TOP
    is_above_diaphragm = chest.y < chest.diaphragm
    is_below_apex = chest.y > chest.plan.patient.apex
    lungs = (chest.lungs > 0.5) & ~silhouette
    heart = silhouette & is_below_top & is_above_diaphragm
    mediastinum = silhouette & ~is_below_top & is_below_apex
    return dict(zip(ORGANS, (lungs, heart, mediastinum), strict=True))


def _findings(
    study: Study, chest: Chest, organs: dict[str, Mask], details: Details
) -> dict[str, Mask]:
    # Behind the heart an opacity is as good as invisible, as in the picture.
    field = chest.lungs * (1 - 0.93 * chest.silhouette)
    masks_by_slot: dict[str, Mask] = {}
    for slot, opacity in opacities(study, chest, details):
        masks_by_slot[slot] = opacity * field > _VISIBLE
    pleura = pleural_air(study, chest, details)
    if pleura is not None:
        masks_by_slot["pneumothorax"] = np.maximum(*pleura) * field > _VISIBLE
    # A finding that changes a structure is that structure.
    if study.has("heart"):
        masks_by_slot["heart"] = organs["heart"]
    if study.has("volumes"):
        masks_by_slot["volumes"] = organs["lungs"]
    if study.has("diaphragm"):
        masks_by_slot["diaphragm"] = _raised(study, chest)
    if study.has("scoliosis"):
        masks_by_slot["scoliosis"] = spinal_column(chest) > 0.5
    for slot in DEVICES:
        if study.has(slot):
            device = draw_device(study, slot, chest.plan, details, *chest.shape)
            masks_by_slot[slot] = device > _VISIBLE
    return masks_by_slot


def _raised(study: Study, chest: Chest) -> Mask:
    """What an elevated hemidiaphragm takes from its lung."""
    states = tuple(
        "level" if slot.name == "diaphragm" else state
        for slot, state in zip(SLOTS, study.states, strict=True)
    )
    level: Plan = plan_of(replace(study, states=states))
    before = build_chest(level, *chest.shape)
    is_on_side = chest.side(study["diaphragm"]) > 0.5
    taken: Mask = (before.lungs > 0.5) & ~(chest.lungs > 0.5) & is_on_side
    return taken
