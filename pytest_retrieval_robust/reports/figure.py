"""Curves for a paper, by matplotlib (extra `plots`).

A row for each k, a column for each data set and perturbation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..core.cases import DIRECTIONS, Direction, Family
from ..core.errors import NotOnThisMachineError, RobustError
from ..core.words import known_word
from ..retrieval.curve_plot import look
from ._text import short
from .series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Column: TypeAlias = tuple[str, Family, str]
_FORMATS = (".pdf", ".svg", ".png")
_UNDATED: dict[str, dict[str, Any]] = {
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
}
"""Metadata without a date: the same run gives the same bytes."""
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.parse_math": False,
    # Text stays text.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "pytest-retrieval-robust",
}
LEGEND: dict[str, Any] = {"frameon": False, "fontsize": 7, "handlelength": 3}
_PANEL = (2.3, 1.9)
"""Inches: three columns are a page's width."""


def draw_figure(
    series: Sequence[Series],
    path: Path,
    *,
    direction: Direction,
    ks: Sequence[int] = (),
) -> None:
    """Draw Recall@k over the level for all models, with 95 % bands, chance and ceiling.

    Args:
        series: Those of one run.
        path: `.pdf`, `.svg` or `.png`. The same run gives the same bytes.
        direction: Which of the two.
        ks: Which k; all that were measured, if none is given.

    Raises:
        NotOnThisMachineError: matplotlib is missing.
        RobustError: The run has none of these curves, or the direction or the format is
            unknown.
    """
    known_word("direction", direction, DIRECTIONS)
    drawn_ks = _checked_ks(series, ks)
    drawn = [
        line for line in series if line.direction == direction and line.k in drawn_ks
    ]
    sheet = _Sheet.of(drawn, drawn_ks)
    write_figure(path, lambda figure: _draw(figure, sheet), option="--out")


def write_figure(path: Path, draw: Callable[[Figure], object], *, option: str) -> None:
    """Write what `draw` puts on an empty figure, in the package's style.

    Args:
        path: `.pdf`, `.svg` or `.png`. The same figure gives the same bytes.
        draw: Draws on the figure.
        option: Where the path was typed, for messages.

    Raises:
        NotOnThisMachineError: matplotlib is missing.
        RobustError: The format is unknown.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotOnThisMachineError.because(
            "matplotlib, which draws figures, is not installed: pip install"
            " 'pytest-retrieval-robust[plots]'"
        ) from error
    check_format(path, option=option)
    with rc_context(_STYLE):
        figure = Figure(layout="constrained")
        draw(figure)
        metadata = _UNDATED.get(path.suffix.lower())
        figure.savefig(path, dpi=300, bbox_inches="tight", metadata=metadata)


def check_format(path: Path, *, option: str) -> None:
    """Raise `RobustError` where a figure cannot be written in the format that the name
    of `path` ends with. `option` is where it was typed.
    """
    if path.suffix.lower() not in _FORMATS:
        raise RobustError(
            f"Expected a file that ends with one of {', '.join(_FORMATS)}, got "
            f"{option}={path.name!r}. Choose .pdf for a paper."
        )


def _checked_ks(series: Sequence[Series], ks: Sequence[int]) -> list[int]:
    measured = sorted({line.k for line in series})
    if not measured:
        raise RobustError(
            "Expected a run with curves to draw, got one in which no recall was"
            " measured. Measure first."
        )
    drawn = list(ks) or measured
    if not set(drawn) <= set(measured):
        raise RobustError(
            f"Expected k that were measured ({measured}), got k={drawn}. Give one of"
            " these to --k."
        )
    return drawn


@dataclass(frozen=True)
class _Sheet:
    """What is drawn where: rows of k, columns of data sets and perturbations."""

    series: Sequence[Series]
    ks: Sequence[int]
    columns: Sequence[_Column]
    """(data set, family, perturbation) each."""
    models: Sequence[str]
    """In the order of their looks, which are the same in every panel."""

    @classmethod
    def of(cls, series: Sequence[Series], ks: Sequence[int]) -> _Sheet:
        columns = dict.fromkeys(map(_column_of, series))
        models = dict.fromkeys(line.model for line in series)
        return cls(series, ks, tuple(columns), tuple(models))

    @property
    def size(self) -> tuple[float, float]:
        """In inches, with a row of the legend for each model."""
        width, height = _PANEL
        return (
            width * len(self.columns),
            height * len(self.ks) + 0.18 * len(self.models),
        )

    def panel(self, k: int, column: _Column) -> list[Series]:
        return [line for line in self.column(column) if line.k == k]

    def column(self, column: _Column) -> list[Series]:
        return [line for line in self.series if _column_of(line) == column]

    def title(self, column: _Column) -> str:
        dataset, _, occluder = column
        has_several_datasets = len({name for name, *_ in self.columns}) > 1
        return _safe(f"{dataset}, {occluder}" if has_several_datasets else occluder)


def _column_of(line: Series) -> _Column:
    return line.dataset, line.family, line.occluder


def _draw(figure: Figure, sheet: _Sheet) -> None:
    figure.set_size_inches(*sheet.size)
    grid = figure.subplots(
        len(sheet.ks), len(sheet.columns), squeeze=False, sharex="col", sharey="row"
    )
    for row, k in zip(grid, sheet.ks, strict=True):
        for axes, column in zip(row, sheet.columns, strict=True):
            _draw_panel(axes, sheet.panel(k, column), sheet.models)
        row[0].set_ylabel(f"Recall@{k} (%)")
    for axes, column in zip(grid[0], sheet.columns, strict=True):
        axes.set_title(sheet.title(column), fontsize=8)
    for axes, column in zip(grid[-1], sheet.columns, strict=True):
        axes.set_xlabel(_x_label(sheet.column(column)))
    handles = {}
    for axes in grid.flat:
        handles.update(_named_lines(axes))
    legend_columns = min(len(sheet.models), 2 * len(sheet.columns) - 1)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=max(1, legend_columns),
        **LEGEND,
    )


def _x_label(series: Sequence[Series]) -> str:
    if any(line.family != "occlusion" for line in series):
        return "severity (0 to 1)"
    is_severity = any(line.is_severity for line in series)
    return "severity (%)" if is_severity else "image area hidden (%)"


def _named_lines(axes: Axes) -> dict[str, Any]:
    """The lines of models. matplotlib's own convention: `_` starts what has no name."""
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    return {label: line for label, line in lines.items() if not label.startswith("_")}


def _draw_panel(axes: Axes, series: Sequence[Series], models: Sequence[str]) -> None:
    for line in series:
        _draw_line(axes, line, look(models.index(line.model)))
    if series:
        _draw_rule(axes, series[0].chance, ":")
        _draw_rule(axes, series[0].ceiling, "--")
    axes.set_ylim(bottom=0)


def _draw_line(axes: Axes, line: Series, style: Mapping[str, Any]) -> None:
    # Severities of corruptions and text noise go from 0 to 1, as they are named.
    scale = 100 if line.family == "occlusion" else 1
    levels = []
    recalls = []
    band = []
    for point in line.recall:
        if point.value is None:
            continue
        levels.append(scale * point.level)
        recalls.append(100 * point.value)
        if point.low is not None and point.high is not None:
            band.append((scale * point.level, 100 * point.low, 100 * point.high))
    axes.plot(
        levels, recalls, label=_safe(line.model), linewidth=1.1, markersize=3, **style
    )
    if len(band) > 1:
        band_levels, low, high = zip(*band, strict=True)
        axes.fill_between(
            band_levels, low, high, color=style["color"], alpha=0.15, linewidth=0
        )


def _draw_rule(axes: Axes, recall: float | None, dashes: str) -> None:
    """Chance, or the ceiling, as a thin line that the legend leaves out."""
    if recall is None:
        return
    axes.axhline(100 * recall, color="0.5", linewidth=0.6, linestyle=dashes, label="_")


def _safe(name: str) -> str:
    """A name that matplotlib does not leave out of the legend, and that has room there."""
    shown = short(name)
    return f" {shown}" if name.startswith("_") else shown
