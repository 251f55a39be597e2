"""The patient and the exposure: what varies between studies whatever their findings are."""

from __future__ import annotations

from dataclasses import dataclass

from .streams import between, uniforms


@dataclass(frozen=True)
class Patient:
    """A body's measures in chest coordinates, and densities on a 0..1 scale.

    In chest coordinates the image is about 1 x 1.
    """

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
    ribs: tuple[float, ...]


@dataclass(frozen=True)
class Pose:
    """Where the chest lies in the image.

    Moves, tilt and the collimator's margins in widths of the image; magnification.
    """

    right: float
    down: float
    tilt: float
    zoom: float
    margins: tuple[float, float, float, float]


@dataclass(frozen=True)
class Exposure:
    """How the picture was taken and windowed.

    Gain about the automatic one, tone, window, noise, and where the noise starts.
    """

    gain: float
    tone: float
    black: float
    white: float
    noise: float
    grain: tuple[float, float]
    shading: float


def sample_patient(seed: int, index: int) -> Patient:
    """The body of study (`seed`, `index`)."""
    # Each measure has its own number: a new one goes at the end, or all bodies change.
    u = uniforms("anatomy", seed, index, 52).tolist()
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
        aeration=between(u[19], 0.85, 1.1),
        ribs=tuple(u[20:52]),
    )


def sample_pose(seed: int, index: int) -> Pose:
    """The position of study (`seed`, `index`) in its image."""
    u = uniforms("pose", seed, index, 8).tolist()
    return Pose(
        right=between(u[0], -0.03, 0.03),
        down=between(u[1], -0.025, 0.03),
        tilt=between(u[2], -0.05, 0.05),
        zoom=between(u[3], 0.96, 1.1),
        # Half of all sides show no margin.
        margins=(_margin(u[4]), _margin(u[5]), _margin(u[6]), _margin(u[7])),
    )


def _margin(unit: float) -> float:
    return max(0.0, between(unit, -0.04, 0.04))


def sample_exposure(seed: int, index: int) -> Exposure:
    """The exposure of study (`seed`, `index`)."""
    u = uniforms("exposure", seed, index, 8).tolist()
    return Exposure(
        gain=between(u[0], 0.78, 1.22),
        tone=between(u[1], 0.5, 1.9),
        black=between(u[2], 0.0, 0.14),
        white=between(u[3], 0.78, 1.0),
        noise=between(u[4], 0.01, 0.035),
        grain=(u[5], u[6]),
        shading=between(u[7], -0.08, 0.08),
    )
