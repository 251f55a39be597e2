"""Soft shapes, smooth curves and cached textures, all in relative coordinates."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Computed in float32 throughout; the wider type spares a cast after every scalar factor.
Field = NDArray[np.floating[Any]]
Knots = tuple[tuple[float, float], ...]
"""(position, value) of points that a curve goes through."""

_TILE = 896
_CURVE_POINTS = 256
_BANDS = {
    "grain": (0.0, 1e9),
    "cloud": (6.0, 16.0),
    "mottle": (14.0, 40.0),
    "mesh": (40.0, 90.0),
}
"""Texture -> the lowest and the highest of its frequencies, in periods per image."""


def soft(depth: Field, width: float) -> Field:
    """A soft step, 0..1, from half a `width` outside to half a `width` inside.

    It is 0.5 where the signed `depth` is 0.
    """
    step = depth * np.float32(1 / width)
    step += np.float32(0.5)
    return unit(step)


def unit(values: Field) -> Field:
    """`values` limited to 0..1, in place."""
    values.clip(0, 1, out=values)
    return values


def smooth(depth: Field, width: float) -> Field:
    """Like `soft` with rounded shoulders."""
    step = soft(depth, width)
    rounded: Field = step * step * (3 - 2 * step)
    return rounded


def disc(
    x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float]
) -> Field:
    """One minus the squared elliptical distance: 1 at `centre`, 0 on the rim, negative outside."""
    across = (x - np.float32(centre[0])) / np.float32(radii[0])
    down = (y - np.float32(centre[1])) / np.float32(radii[1])
    field: Field = 1 - across * across - down * down
    return field


def curve(at: Field, knots: Knots) -> Field:
    """A Catmull-Rom curve through `knots`, evaluated at `at`; constant beyond the ends."""
    # Knots move with the patient, their positions do not: the basis is cached by these.
    grid, basis = _basis(tuple(position for position, _ in knots))
    on_grid = basis @ np.array([value for _, value in knots])
    values: Field = np.interp(at, grid, on_grid).astype(np.float32)
    return values


@lru_cache(maxsize=32)
def _basis(positions: tuple[float, ...]) -> tuple[Field, Field]:
    """(points,) a fine grid, and (points, knots) what each knot's value adds there.

    The curve is linear in its values.
    """
    x = np.array(positions)
    values = np.eye(len(positions))
    grid = np.linspace(x[0], x[-1], _CURVE_POINTS)
    rises = np.diff(values, axis=0) / np.diff(x)[:, None]
    slopes = np.concatenate([rises[:1], 0.5 * (rises[1:] + rises[:-1]), rises[-1:]])
    cell = np.clip(np.searchsorted(x, grid) - 1, 0, len(x) - 2)
    span = (x[cell + 1] - x[cell])[:, None]
    t = (grid - x[cell])[:, None] / span
    rest = 1 - t
    ends = values[cell] * (1 + 2 * t) * rest**2 + values[cell + 1] * (3 - 2 * t) * t**2
    return grid, ends + span * t * rest * (slopes[cell] * rest - slopes[cell + 1] * t)


@lru_cache(maxsize=len(_BANDS))
def _base(kind: str) -> Image.Image:
    """A texture of zero mean and unit variance that repeats at its borders."""
    key = 977 + sorted(_BANDS).index(kind)
    white = np.random.Generator(np.random.Philox(key=key)).random((_TILE, _TILE)) - 0.5
    low, high = _BANDS[kind]
    down = np.fft.fftfreq(_TILE)[:, None]
    across = np.fft.rfftfreq(_TILE)[None, :]
    radius = np.hypot(down, across) * _TILE / 2
    below = np.exp(-((radius / high) ** 2))
    above = 1 - np.exp(-((radius / max(low, 1e-6)) ** 2))
    band = below * above
    pattern = np.fft.irfft2(np.fft.rfft2(white) * band, s=white.shape)
    return Image.fromarray((pattern / pattern.std()).astype(np.float32))


@lru_cache(maxsize=8)
def _tile(kind: str, rows: int, columns: int) -> Field:
    """The texture at twice the image's shorter side, repeated to (2 rows, 2 columns)."""
    side = 2 * min(rows, columns)
    stretched = _base(kind).resize((side, side), Image.Resampling.BILINEAR)
    tile = np.asarray(stretched, dtype=np.float32)
    tile = np.pad(tile, ((0, 2 * rows - side), (0, 2 * columns - side)), mode="wrap")
    # Shared by all pictures of this size.
    tile.flags.writeable = False
    return tile


def texture(kind: str, shape: tuple[int, int], left: float, top: float) -> Field:
    """A view of the texture `kind` of `shape` (rows, columns).

    It is moved by `left` and `top`, in [0, 1) of an image.
    """
    rows, columns = shape
    y = int(top * rows)
    x = int(left * columns)
    return _tile(kind, rows, columns)[y : y + rows, x : x + columns]
