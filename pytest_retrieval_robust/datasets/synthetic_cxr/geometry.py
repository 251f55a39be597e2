"""The chest as fields over the image: distances, lungs, mediastinal silhouette, diaphragm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_retrieval_robust.datasets.synthetic_cxr.anatomy import (
    Patient,
    Pose,
    sample_patient,
    sample_pose,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.shapes import (
    Field,
    curve,
    soft,
    unit,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import Study

BASE_SHIFT = {"normal": 0.0, "low": -0.13, "high": 0.055}
_HEART_SCALE = {"normal": 1.0, "mild": 1.26, "severe": 1.47}
_HEART_VOLUME = {"normal": 1.0, "low": 1.08, "high": 0.86}
_SIDES = {"right": -1.0, "left": 1.0}


@dataclass(frozen=True)
class Plan:
    """The numbers that place the chest: points in chest coordinates to points in the
    image and back.
    """

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
        """Points `d` beside the midline (of the spine, if asked) at height `y`, in the
        image's inner unit square.
        """
        x = self.axis(y) + d + (0.6 * self.curvature(y) if spine else 0)
        return (x - 0.5) * self.pose.zoom + 0.5 + self.pose.right, (
            y - 0.5
        ) * self.pose.zoom + 0.5 + self.pose.down


@dataclass(frozen=True)
class Chest:
    """Fields of (rows, columns) in chest coordinates; the patient's left is at positive `d`."""

    plan: Plan
    y: Field
    d: Field
    distance: Field
    left: Field
    lateral: Field
    across: Field
    depth: Field
    diaphragm: Field
    silhouette: Field
    thorax: Field
    lungs: Field

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
    patient, pose = (
        sample_patient(study.seed, study.index),
        sample_pose(study.seed, study.index),
    )
    raised = {side: -0.115 * (study["diaphragm"] == side) for side in _SIDES}
    base = patient.base + BASE_SHIFT[study["volumes"]]
    bases = (base + raised["right"], base + patient.left_drop + raised["left"])
    flat = 0.45 if study["volumes"] == "high" else 1.0
    heart = (
        patient.heart * _HEART_SCALE[study["heart"]] * _HEART_VOLUME[study["volumes"]]
    )
    bend = 0.075 * _SIDES.get(study["scoliosis"], 0.0)
    return Plan(patient, pose, bend, bases, patient.dome * flat, heart)


def build_chest(plan: Plan, rows: int, columns: int) -> Chest:
    """The fields of an image of `rows` x `columns` pixels: the chest fits the shorter
    side, undistorted.
    """
    pose, patient, side = plan.pose, plan.patient, min(rows, columns)
    x = (
        (np.arange(columns)[None, :] + 0.5 - columns / 2) / side - pose.right
    ) / pose.zoom + 0.5
    y = (
        (np.arange(rows)[:, None] + 0.5 - rows / 2) / side - pose.down
    ) / pose.zoom + 0.5
    x, y = x.astype(np.float32), y.astype(np.float32)
    d = (x - plan.axis(y)).astype(np.float32)
    distance = np.abs(d)
    left = (d > 0).astype(np.float32)
    lateral, medial = _lung_borders(patient, y)
    across = distance / lateral
    diaphragm = _diaphragm(plan, distance, left)
    thorax = soft(lateral - distance, 0.016) * soft(distance - medial, 0.016)
    silhouette = _silhouette(plan, d, y)
    lungs = thorax * soft(diaphragm - y, 0.014)
    depth = (y - patient.apex) / (0.8 - patient.apex)
    return Chest(
        plan,
        y,
        d,
        distance,
        left,
        lateral,
        across,
        depth,
        diaphragm,
        silhouette,
        thorax,
        lungs,
    )


def _lung_borders(patient: Patient, y: Field) -> tuple[Field, Field]:
    """Distances of the lateral and the medial lung border from the midline at the heights `y`."""
    v, w = (y - patient.apex) / (0.8 - patient.apex), patient.half_width
    lateral = (
        (-0.06, 0.2),
        (0.0, 0.36),
        (0.03, 0.52),
        (0.08, 0.64),
        (0.18, 0.78),
        (0.35, 0.9),
        (0.6, 0.98),
        (0.85, 1),
    )
    medial = (
        (-0.06, 0.42),
        (0.0, 0.3),
        (0.03, 0.2),
        (0.08, 0.15),
        (0.2, 0.1),
        (0.4, 0.05),
    )
    return curve(v, lateral) * w, curve(v, medial) * w


def _diaphragm(plan: Plan, distance: Field, left: Field) -> Field:
    """Height of the diaphragm: a dome with a steep fall to the outer sulcus."""
    out = np.minimum(
        np.maximum((distance - 0.17) / np.float32(plan.patient.half_width - 0.17), 0),
        1.3,
    )
    inner = unit((0.17 - distance) / np.float32(0.17))
    base = plan.bases[0] + (plan.bases[1] - plan.bases[0]) * left
    dome: Field = (
        base
        + plan.dome * (out * out * (0.35 + 0.65 * out))
        + np.float32(0.3 * plan.dome) * inner * inner
    )
    return dome


def heart_height(plan: Plan, y: Field) -> Field:
    """The heights `y` as the heart sees them: it rises and sinks with the diaphragm under it."""
    height: Field = y - np.float32(0.5 * (plan.bases[1] - 0.755)) * unit(
        (y - 0.3) / np.float32(0.4)
    )
    return height


def _silhouette(plan: Plan, d: Field, y: Field) -> Field:
    """The heart and mediastinum: 1 inside, with the knob, the waist, the ventricle and
    the right atrium.
    """
    patient = plan.patient
    h, k = plan.heart, patient.knob
    right = (
        *(
            (0.0, 0.07),
            (0.1, 0.052),
            (0.2, 0.042),
            (0.34, 0.046),
            (0.43, 0.052),
            (0.5, 0.05 + 0.028 * h),
        ),
        *(
            (0.56, 0.098 * h),
            (0.62, 0.112 * h),
            (0.68, 0.112 * h),
            (0.75, 0.095 * h),
            (0.82, 0.07 * h),
        ),
    )
    left = (
        *(
            (0.0, 0.07),
            (0.1, 0.05),
            (0.22, 0.042),
            (0.265, 0.05 + 0.012 * k),
            (0.305, 0.05 + 0.025 * k),
        ),
        *(
            (0.345, 0.056),
            (0.39, 0.068),
            (0.44, 0.045 + 0.04 * h),
            (0.5, 0.145 * h),
            (0.56, 0.19 * h),
        ),
        *(
            (0.62, 0.22 * h),
            (0.68, 0.235 * h),
            (0.73, 0.23 * h),
            (0.78, 0.2 * h),
            (0.84, 0.12 * h),
        ),
    )
    at = heart_height(plan, y)
    bend = 0.35 * plan.curvature(y)
    edge = 0.014 + 0.01 * np.clip((y - 0.4) / 0.3, 0, 1)
    lean = np.float32(patient.heart_tilt) * np.clip((y - 0.45) / 0.2, 0, 1)
    # Of the two borders the nearer one decides: beyond either, the distance to it is
    # the greater of the two.
    outside = np.maximum(
        d - (bend + curve(at, left) + lean), (bend - curve(at, right) + lean) - d
    )
    return unit((0.5 - outside / edge).astype(np.float32))
