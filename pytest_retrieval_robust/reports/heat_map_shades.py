"""Sensitivity maps in shades, as numbers and as a picture."""

from __future__ import annotations

from pathlib import Path

from ..core.searches import HeatMap

_SIDE = 256
"""Pixels along each side of a map's picture."""
_GREYS = 256


def shaded(heat: HeatMap, shades: int) -> list[list[int]]:
    """Each cell's shade, 0 for no fall (or a rise) to `shades` - 1 for the greatest fall."""
    greatest = max((max(row, default=0.0) for row in heat.rows), default=0.0)
    return [[_shade(fall, greatest, shades) for fall in row] for row in heat.rows]


def _shade(fall: float, greatest: float, shades: int) -> int:
    if greatest <= 0:
        return 0
    return min(shades - 1, int(shades * max(fall, 0.0) / greatest))


def save_map(heat: HeatMap, path: Path) -> None:
    """The map as a grey PNG, white for the greatest fall: it shows no image and no patient."""
    from PIL import Image

    shades = shaded(heat, _GREYS)
    picture = Image.new("L", (len(shades[0]), len(shades)))
    picture.putdata([shade for row in shades for shade in row])
    # Nearest: each cell stays one square of one grey.
    enlarged = picture.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    enlarged.save(path, format="PNG")
