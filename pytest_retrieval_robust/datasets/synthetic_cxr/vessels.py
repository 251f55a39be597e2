"""Pulmonary vessels: a tree from each hilum, drawn as tapering lines."""

from __future__ import annotations

import numpy as np

from pytest_retrieval_robust.datasets.synthetic_cxr.geometry import Plan
from pytest_retrieval_robust.datasets.synthetic_cxr.lines import Canvas
from pytest_retrieval_robust.datasets.synthetic_cxr.shapes import Field
from pytest_retrieval_robust.datasets.synthetic_cxr.streams import uniforms

_TRUNKS, _POINTS, _TWIGS, _TWIG_POINTS = 9, 5, 3, 4
_FAN = np.linspace(-1.35, 1.45, _TRUNKS, dtype=np.float32)
_STEPS = {points: np.linspace(0, 1, points, dtype=np.float32) for points in (_POINTS, _TWIG_POINTS)}
_TAPER = np.array([1, 0.8, 0.55, 0.35], dtype=np.float32)
_ODD = np.array([[False], [True], [False]])
_REACH = np.array([[0.62], [0.5], [0.38]], dtype=np.float32)
_TWIG_TAPER = np.array([[0.55, 0.35, 0.15], [0.45, 0.3, 0.15], [0.35, 0.25, 0.15]], dtype=np.float32)


def draw_vessels(plan: Plan, seed: int, index: int, rows: int, columns: int) -> Field:
    """(rows, columns), 0..1: the trees of both lungs, the same for every finding of the study."""
    canvas = Canvas(plan, rows, columns)
    units = uniforms("vessels", seed, index, 2 * 8 * _TRUNKS * (1 + _TWIGS)).astype(np.float32)
    for side, chunk in zip((-1.0, 1.0), units.reshape(2, 8, -1), strict=True):
        _tree(canvas, side, chunk)
    return canvas.field()


def _tree(canvas: Canvas, side: float, units: Field) -> None:
    trunk, twig = units[:, :_TRUNKS], units[:, _TRUNKS:]
    fan = _FAN + 0.25 * (trunk[0] - 0.5)
    root_y = 0.42 - 0.012 * side + 0.05 * np.sin(fan)
    length = (0.25 + 0.08 * trunk[1]) * (1 + 0.25 * np.maximum(np.sin(fan), 0))
    base = 0.0085 + 0.006 * trunk[2] * (0.6 + np.maximum(np.sin(fan), 0))
    d, y, heading = _grow(np.full_like(fan, 0.065), root_y, fan, length, 0.7 * (trunk[3] - 0.5), _POINTS)
    canvas.segments(side * d, y, base[:, None] * _TAPER, 235)
    _twigs(canvas, side, twig, (d, y, heading, base, length))


def _twigs(canvas: Canvas, side: float, units: Field, trunks: tuple[Field, Field, Field, Field, Field]) -> None:
    """All twigs of a tree at once: the arrays are (twig, trunk), then flat."""
    d, y, heading, base, length = trunks
    u = units.reshape(8, _TRUNKS, _TWIGS).transpose(0, 2, 1)
    turn = np.where((u[0] > 0.5) ^ _ODD, 1, -1) * (0.45 + 0.4 * u[1])
    reach = length * _REACH * (0.7 + 0.5 * u[2])
    starts = [field.T[1 : _TWIGS + 1] for field in (d, y, heading)]
    flat = [field.reshape(-1) for field in (starts[0], starts[1], starts[2] + turn, reach, 0.5 * (u[3] - 0.5))]
    td, ty, _ = _grow(flat[0], flat[1], flat[2], flat[3], flat[4], _TWIG_POINTS)
    widths = base[None, :, None] * _TWIG_TAPER[:, None, :]
    canvas.segments(side * td, ty, widths.reshape(-1, _TWIG_POINTS - 1), 190)


def _grow(d: Field, y: Field, angle: Field, length: Field, bend: Field, points: int) -> tuple[Field, Field, Field]:
    """(lines, points) coordinates and headings of lines that start at (d, y) and bend as they go."""
    steps = _STEPS[points]
    heading = angle[:, None] + bend[:, None] * steps
    stride = (length / (points - 1))[:, None] * (steps > 0)
    along_d = d[:, None] + np.cumsum(stride * np.cos(heading), axis=1)
    along_y = y[:, None] + np.cumsum(stride * np.sin(heading), axis=1)
    return along_d, along_y, heading
