"""The chest as fields over the image: distances, lungs, mediastinal silhouette, diaphragm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import (
    Patient,
    Pose,
    sample_patient,
    sample_pose,
)
from .shapes import (
    Field,
    Knots,
    curve,
    soft,
    unit,
)
from .studies import Study

BASE_SHIFT = {"normal": 0.0, "low": -0.13, "high": 0.055}
_HEART_SCALE = {"normal": 1.0, "mild": 1.26, "severe": 1.47}
_HEART_VOLUME = {"normal": 1.0, "low": 1.08, "high": 0.86}
_SIDES = {"right": -1.0, "left": 1.0}
_LATERAL_BORDER = (
    *((-0.06, 0.2), (0.0, 0.36), (0.03, 0.52), (0.08, 0.64)),
    *((0.18, 0.78), (0.35, 0.9), (0.6, 0.98), (0.85, 1)),
)
"""Depth below the apex and distance in half widths, as of `_MEDIAL_BORDER`."""
_MEDIAL_BORDER = (
    *((-0.06, 0.42), (0.0, 0.3), (0.03, 0.2)),
    *((0.08, 0.15), (0.2, 0.1), (0.4, 0.05)),
)


@dataclass(frozen=True)
class Plan:
    """The numbers that place the chest, and points of it in the image."""

    patient: Patient
    pose: Pose
    bend: float
    bases: tuple[float, float]
    dome: float
    heart: float

    def axis(self, y: Field) -> Field:
        """x of the chest's midline at the heights `y`, in chest coordinates."""
        line: Field = 0.5 + self.pose.tilt * (y - 0.5) + 0.4 * self.curvature(y)
        return line

    def curvature(self, y: Field) -> Field:
        """How far the spine is bent aside at `y`."""
        # Sums and products only: they round alike on every processor, and vessels are
        # looked up by this field.
        hump = np.maximum(1 - ((y - 0.45) / 0.47) ** 2, 0)
        bow: Field = np.float32(self.bend) * hump * hump
        return bow

    def to_image(self, d: Field, y: Field, spine: bool = False) -> tuple[Field, Field]:
        """Points `d` beside the midline at height `y`, in the image's inner unit square.

        With `spine`, beside the middle of the spine.
        """
        x = self.axis(y) + d + (0.6 * self.curvature(y) if spine else 0)
        left = (x - 0.5) * self.pose.zoom + 0.5 + self.pose.right
        top = (y - 0.5) * self.pose.zoom + 0.5 + self.pose.down
        return left, top


@dataclass(frozen=True)
class Chest:
    """Fields of (rows, columns) in chest coordinates."""

    plan: Plan
    y: Field
    """Height, which grows downwards."""
    d: Field
    """Distance beside the midline; the patient's left is at positive ones."""
    distance: Field
    """The same without its sign."""
    left: Field
    """1 on the patient's left."""
    lateral: Field
    """Distance of the lateral lung border from the midline."""
    across: Field
    """Distance in parts of the lateral border's."""
    depth: Field
    """Height below the apex: 0 there, 1 at a height of 0.8."""
    diaphragm: Field
    """Height of the diaphragm."""
    silhouette: Field
    """1 in the heart and mediastinum."""
    thorax: Field
    """1 between the lung borders."""
    lungs: Field
    """The same above the diaphragm."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.d.shape[0], self.d.shape[1]

    def side(self, name: str) -> Field:
        """1 on the half of the image that shows the patient's side `name`."""
        return self.left if name == "left" else 1 - self.left

    def rows(self, top: float, bottom: float) -> slice:
        """The rows between two heights, for shapes that need only a band of the image."""
        first, last = np.searchsorted(self.y[:, 0], (top, bottom))
        return slice(int(first), int(last))


def plan_of(study: Study) -> Plan:
    """The chest of `study`: its patient and pose, with the findings that move structures."""
    patient = sample_patient(study.seed, study.index)
    pose = sample_pose(study.seed, study.index)
    # Heights grow downwards: a raised dome has a smaller one.
    raised = {side: -0.115 * (study["diaphragm"] == side) for side in _SIDES}
    base = patient.base + BASE_SHIFT[study["volumes"]]
    bases = (base + raised["right"], base + patient.left_drop + raised["left"])
    flat = 0.45 if study["volumes"] == "high" else 1.0
    heart = patient.heart * _HEART_SCALE[study["heart"]]
    heart *= _HEART_VOLUME[study["volumes"]]
    bend = 0.075 * _SIDES.get(study["scoliosis"], 0.0)
    return Plan(patient, pose, bend, bases, patient.dome * flat, heart)


def build_chest(plan: Plan, rows: int, columns: int) -> Chest:
    """The fields of an image of `rows` x `columns` pixels.

    The chest fits the shorter side, undistorted.
    """
    pose = plan.pose
    patient = plan.patient
    side = min(rows, columns)
    # In double precision up to here: pixels' centres in chest coordinates.
    right = (np.arange(columns)[None, :] + 0.5 - columns / 2) / side
    down = (np.arange(rows)[:, None] + 0.5 - rows / 2) / side
    x = ((right - pose.right) / pose.zoom + 0.5).astype(np.float32)
    y = ((down - pose.down) / pose.zoom + 0.5).astype(np.float32)
    d = (x - plan.axis(y)).astype(np.float32)
    distance = np.abs(d)
    left = (d > 0).astype(np.float32)
    lateral, medial = _lung_borders(patient, y)
    diaphragm = _diaphragm(plan, distance, left)
    thorax = soft(lateral - distance, 0.016) * soft(distance - medial, 0.016)
    return Chest(
        plan=plan,
        y=y,
        d=d,
        distance=distance,
        left=left,
        lateral=lateral,
        across=distance / lateral,
        depth=(y - patient.apex) / (0.8 - patient.apex),
        diaphragm=diaphragm,
        silhouette=_silhouette(plan, d, y),
        thorax=thorax,
        lungs=thorax * soft(diaphragm - y, 0.014),
    )


def _lung_borders(patient: Patient, y: Field) -> tuple[Field, Field]:
    """Distances of the lateral and the medial lung border from the midline at the heights `y`."""
    depth = (y - patient.apex) / (0.8 - patient.apex)
    lateral = curve(depth, _LATERAL_BORDER) * patient.half_width
    medial = curve(depth, _MEDIAL_BORDER) * patient.half_width
    return lateral, medial


def _diaphragm(plan: Plan, distance: Field, left: Field) -> Field:
    """Height of the diaphragm: a dome with a steep fall to the outer sulcus."""
    half_width = np.float32(plan.patient.half_width - 0.17)
    out = np.minimum(np.maximum((distance - 0.17) / half_width, 0), 1.3)
    inner = unit((0.17 - distance) / np.float32(0.17))
    base = plan.bases[0] + (plan.bases[1] - plan.bases[0]) * left
    outer_fall = plan.dome * (out * out * (0.35 + 0.65 * out))
    inner_fall = np.float32(0.3 * plan.dome) * inner * inner
    height: Field = base + outer_fall + inner_fall
    return height


def heart_height(plan: Plan, y: Field) -> Field:
    """The heights `y` as the heart sees them: it moves with the diaphragm under it."""
    drop = np.float32(0.5 * (plan.bases[1] - 0.755))
    height: Field = y - drop * unit((y - 0.3) / np.float32(0.4))
    return height


def _silhouette(plan: Plan, d: Field, y: Field) -> Field:
    """The heart and mediastinum: 1 inside."""
    right, left = _heart_borders(plan)
    height = heart_height(plan, y)
    bend = 0.35 * plan.curvature(y)
    edge = 0.014 + 0.01 * np.clip((y - 0.4) / 0.3, 0, 1)
    tilt = np.float32(plan.patient.heart_tilt)
    lean = tilt * np.clip((y - 0.45) / 0.2, 0, 1)
    beyond_left = d - (bend + curve(height, left) + lean)
    beyond_right = (bend - curve(height, right) + lean) - d
    # The nearer border decides: beyond it, the distance to it is the greater of the two.
    outside = np.maximum(beyond_left, beyond_right)
    return unit((0.5 - outside / edge).astype(np.float32))


def _heart_borders(plan: Plan) -> tuple[Knots, Knots]:
    """The right and the left border of heart and mediastinum, from the neck downwards.

    Right: great veins, right atrium. Left: aortic knob, waist, left ventricle.
    """
    heart = plan.heart
    knob = plan.patient.knob
    right = (
        (0.0, 0.07),
        (0.1, 0.052),
        (0.2, 0.042),
        (0.34, 0.046),
        (0.43, 0.052),
        (0.5, 0.05 + 0.028 * heart),
        (0.56, 0.098 * heart),
        (0.62, 0.112 * heart),
        (0.68, 0.112 * heart),
        (0.75, 0.095 * heart),
        (0.82, 0.07 * heart),
    )
    left = (
        (0.0, 0.07),
        (0.1, 0.05),
        (0.22, 0.042),
        (0.265, 0.05 + 0.012 * knob),
        (0.305, 0.05 + 0.025 * knob),
        (0.345, 0.056),
        (0.39, 0.068),
        (0.44, 0.045 + 0.04 * heart),
        (0.5, 0.145 * heart),
        (0.56, 0.19 * heart),
        (0.62, 0.22 * heart),
        (0.68, 0.235 * heart),
        (0.73, 0.23 * heart),
        (0.78, 0.2 * heart),
        (0.84, 0.12 * heart),
    )
    return right, left
