"""Curves for a paper, by matplotlib (extra `plots`): a row for each k, a column for
each data set and occluder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.cases import DIRECTIONS, Direction
from ..core.errors import NotOnThisMachineError, RobustError
from ..core.words import known_word
from ._text import short
from .series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (
    "#0067a5",
    "#c65000",
    "#008060",
    "#a8326f",
    "#8f6b00",
    "#4a4f55",
    "#3a8fbf",
    "#6a4fb3",
)
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_MARKERS = "os^Dvx+d"
_FORMATS = (".pdf", ".svg", ".png")
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "pytest-retrieval-robust",
}
_LEGEND: dict[str, Any] = {"frameon": False, "fontsize": 7, "handlelength": 3}
_PANEL = (2.3, 1.9)
"""Inches: three columns are a page's width."""


def draw_figure(
    series: Sequence[Series],
    path: Path,
    *,
    direction: Direction,
    ks: Sequence[int] = (),
) -> None:
    """Draw Recall@k over the level for all models, with 95 % bands, chance and ceiling;
    the suffix says the format.

    Args:
        series: Those of one run.
        path: `.pdf`, `.svg` or `.png`. The same run gives the same bytes.
        direction: Which of the two.
        ks: Which k; all that were measured, if none is given.

    Raises:
        NotOnThisMachineError: matplotlib is missing.
        RobustError: Nothing of the run is asked for, or the direction or the format is another.
    """
    known_word("direction", direction, DIRECTIONS)
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotOnThisMachineError.because(
            "matplotlib, which draws figures, is not installed: pip install"
            " 'pytest-retrieval-robust[plots]'"
        ) from error
    known = sorted({one.k for one in series})
    wanted = list(ks) or known
    drawn = [one for one in series if one.direction == direction and one.k in wanted]
    if not series:
        raise RobustError(
            "Expected a run with curves to draw, got one in which no recall was"
            " measured. Measure first."
        )
    if not drawn or set(wanted) - set(known):
        raise RobustError(
            f"Expected k that were measured ({known}), got k={wanted}. Give one of"
            " these to --k."
        )
    if path.suffix.lower() not in _FORMATS:
        raise RobustError(
            f"Expected a file that ends with one of {', '.join(_FORMATS)}, got "
            f"--out={path.name!r}. Choose .pdf for a paper."
        )
    with rc_context(_STYLE):
        figure = _figure(Figure, drawn, wanted)
        dated = path.suffix.lower() in (".pdf", ".svg")
        metadata = (
            {"Date" if path.suffix.lower() == ".svg" else "CreationDate": None}
            if dated
            else None
        )
        figure.savefig(path, dpi=300, bbox_inches="tight", metadata=metadata)


def _figure(kind: type[Figure], drawn: Sequence[Series], ks: Sequence[int]) -> Figure:
    places = list(dict.fromkeys((one.dataset, one.occluder) for one in drawn))
    models = list(dict.fromkeys(one.model for one in drawn))
    size = (_PANEL[0] * len(places), _PANEL[1] * len(ks) + 0.18 * len(models))
    figure = kind(figsize=size, layout="constrained")
    grid = figure.subplots(
        len(ks), len(places), squeeze=False, sharex="col", sharey="row"
    )
    for row, k in zip(grid, ks, strict=True):
        for axes, (dataset, occluder) in zip(row, places, strict=True):
            inside = [
                one
                for one in drawn
                if (one.k, one.dataset, one.occluder) == (k, dataset, occluder)
            ]
            _panel(axes, inside, models)
        row[0].set_ylabel(f"Recall@{k} (%)")
    several = len({dataset for dataset, _ in places}) > 1
    for axes, (dataset, occluder) in zip(grid[0], places, strict=True):
        axes.set_title(
            _safe(f"{dataset}, {occluder}" if several else occluder), fontsize=8
        )
    severe = {(one.dataset, one.occluder) for one in drawn if one.is_severity}
    for axes, place in zip(grid[-1], places, strict=True):
        axes.set_xlabel("severity (%)" if place in severe else "image area hidden (%)")
    handles = {
        line.get_label(): line
        for axes in grid.flat
        for line in axes.get_lines()
        if not _is_unnamed(line)
    }
    columns = max(1, min(len(models), 2 * len(places) - 1))
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=columns,
        **_LEGEND,
    )
    return figure


def _is_unnamed(line: object) -> bool:
    return str(line.get_label()).startswith("_")  # type: ignore[attr-defined]


def _panel(axes: Axes, series: Sequence[Series], models: Sequence[str]) -> None:
    for one in series:
        place = models.index(one.model)
        look = {
            "color": _COLOURS[place % 8],
            "linestyle": _DASHES[place % 4],
            "marker": _MARKERS[place % 8],
        }
        points = [point for point in one.recall if point.value is not None]
        levels = [100 * point.level for point in points]
        values = [100 * point.value for point in points if point.value is not None]
        axes.plot(
            levels,
            values,
            label=_safe(one.model),
            linewidth=1.1,
            markersize=3,
            **look,  # type: ignore[arg-type]
        )
        banded = [
            (100 * p.level, 100 * p.low, 100 * p.high)
            for p in points
            if p.low is not None and p.high is not None
        ]
        if len(banded) > 1:
            axes.fill_between(
                *zip(*banded, strict=True),  # type: ignore[arg-type]
                color=look["color"],
                alpha=0.15,
                linewidth=0,
            )
    for value, dashes in (
        ((series[0].chance, ":"), (series[0].ceiling, "--")) if series else ()
    ):
        if value is not None:
            axes.axhline(
                100 * value, color="0.5", linewidth=0.6, linestyle=dashes, label="_"
            )
    axes.set_ylim(bottom=0)


def _safe(name: str) -> str:
    """A name that matplotlib does not leave out of the legend, and that has room there."""
    return (" " if name.startswith("_") else "") + short(name)
