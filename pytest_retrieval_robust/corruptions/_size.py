"""Lengths that were published for pictures of 224 x 224 pixels, at another size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .region import Region

PUBLISHED_SIDE = 224
"""The side for which the lengths of the presets hold, in pixels."""


def side_of(region: Region) -> float:
    """The side, in pixels, of a square with the area of the whole source."""
    height, width = region.source_size
    return float((height * width) ** 0.5)


def scale_of(region: Region) -> float:
    """How many pixels of the region one pixel of the published size is."""
    return side_of(region) / PUBLISHED_SIDE
