"""View positions of radiographs, as data sets spell them, to `frontal` and `lateral`."""

from __future__ import annotations

_FRONTAL = (
    "PA",
    "AP",
    "AP_HORIZONTAL",
    "FRONTAL",
    "POSTEROANTERIOR",
    "POSTERO_ANTERIOR",
    "ANTEROPOSTERIOR",
    "ANTERO_POSTERIOR",
)
_LATERAL = ("L", "LL", "RL", "LAT", "LATERAL", "LARGE LATERAL")


def view_of(written: str) -> str:
    """`frontal`, `lateral`, or "" for a blank or other position.

    Others are obliques, swimmer's views and expiratory films.
    """
    position = written.strip().upper()
    if position in _FRONTAL:
        return "frontal"
    return "lateral" if position in _LATERAL else ""
