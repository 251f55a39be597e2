"""The patient and the exposure: what varies between studies whatever their findings are."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_retrieval_robust.datasets.synthetic_cxr.streams import between, uniforms


@dataclass(frozen=True)
class Patient:
    """Body measures in chest coordinates (the image is about 1 x 1) and densities on a 0..1 scale."""

    half_width: float
    wall: float
    apex: float
    base: float
    left_drop: float
    dome: float
    heart: float
    heart_tilt: float
    knob: float
    spine: float
    rib_step: float
    rib_start: float
    rib_slope: float
    rib_density: float
    clavicle: float
    breast: float
    bubble: float
    hilum: float
    vessels: float
    aeration: float


@dataclass(frozen=True)
class Pose:
    """Where the chest lies in the image: moves and tilt in image widths, and magnification."""

    right: float
    down: float
    tilt: float
    zoom: float


@dataclass(frozen=True)
class Exposure:
    """How the picture was taken: contrast, brightness, gamma, noise and where its grain starts."""

    contrast: float
    offset: float
    gamma: float
    noise: float
    grain: tuple[float, float]
    shading: float


def sample_patient(seed: int, index: int) -> Patient:
    """The body of study (`seed`, `index`)."""
    u = uniforms("anatomy", seed, index, 20).tolist()
    return Patient(
        half_width=between(u[0], 0.355, 0.395),
        wall=between(u[1], 0.045, 0.085),
        apex=between(u[2], 0.075, 0.105),
        base=between(u[3], 0.715, 0.755),
        left_drop=between(u[4], 0.01, 0.035),
        dome=between(u[5], 0.09, 0.13),
        heart=between(u[6], 0.93, 1.06),
        heart_tilt=between(u[7], -0.02, 0.02),
        knob=between(u[8], 0.8, 1.3),
        spine=between(u[9], 0.03, 0.038),
        rib_step=between(u[10], 0.064, 0.074),
        rib_start=between(u[11], 0.0, 1.0),
        rib_slope=between(u[12], 0.7, 1.3),
        rib_density=between(u[13], 0.06, 0.1),
        clavicle=between(u[14], 0.6, 1.4),
        breast=max(0.0, between(u[15], -0.08, 0.09)),
        bubble=max(0.0, between(u[16], -0.06, 0.16)),
        hilum=between(u[17], 0.7, 1.2),
        vessels=between(u[18], 0.8, 1.15),
        aeration=between(u[19], 0.9, 1.05),
    )


def sample_pose(seed: int, index: int) -> Pose:
    """The position of study (`seed`, `index`) in its image."""
    u = uniforms("pose", seed, index, 4).tolist()
    return Pose(
        between(u[0], -0.03, 0.03), between(u[1], -0.025, 0.03), between(u[2], -0.05, 0.05), between(u[3], 0.96, 1.1)
    )


def sample_exposure(seed: int, index: int) -> Exposure:
    """The exposure of study (`seed`, `index`)."""
    u = uniforms("exposure", seed, index, 7).tolist()
    return Exposure(
        contrast=between(u[0], 0.9, 1.15),
        offset=between(u[1], -0.05, 0.05),
        gamma=between(u[2], 0.8, 1.25),
        noise=between(u[3], 0.012, 0.035),
        grain=(u[4], u[5]),
        shading=between(u[6], -0.08, 0.08),
    )
