"""Curves as lines by matplotlib (extra `plots`), and the looks that tell lines apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.cases import DIRECTIONS, Direction
from ..core.errors import ArgumentError, NotOnThisMachineError
from ..core.plain_text import plain
from ..core.words import known_word, measured_k

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .curve import Curve

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
"""Told apart on white paper, also by most who are colour-blind; dashes and markers help."""
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_MARKERS = "os^Dvx+d"


def look(place: int) -> Mapping[str, Any]:
    """How line number `place` is drawn: every look repeats after eight lines."""
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linestyle": _DASHES[place % len(_DASHES)],
        "marker": _MARKERS[place % len(_MARKERS)],
    }


def draw_curves(
    curves: Sequence[Curve],
    labels: Sequence[str],
    k: int | None,
    direction: Direction,
    axes: Axes | None,
) -> Axes:
    """Draw Recall@k of each curve in one pair of axes, in %, and return it.

    Raises:
        NotOnThisMachineError: matplotlib is missing.
        ArgumentError: There is nothing to draw, or no such direction, k or axes.
    """
    known_word("direction", direction, DIRECTIONS)
    drawn_k = _common_k(curves, k)
    if axes is not None and not hasattr(axes, "fill_between"):
        raise ArgumentError(
            "Expected axes of matplotlib, got axes of type"
            f" {type(axes).__name__}. Leave axes out for a new figure."
        )
    rc_context, new_axes = _matplotlib()
    # A dollar sign in a name is no formula.
    with rc_context({"text.parse_math": False}):
        drawn = new_axes() if axes is None else axes
        for place, (curve, label) in enumerate(zip(curves, labels, strict=True)):
            _draw_line(drawn, curve, label, drawn_k, direction, look(place))
        _draw_chance(drawn, curves, drawn_k, direction)
        drawn.set_xlabel(_axis_label(curves))
        drawn.set_ylabel(f"Recall@{drawn_k} (%)")
        drawn.set_title(plain(_title(curves, direction)))
        drawn.set_ylim(bottom=0)
        drawn.legend()
    return drawn


def _axis_label(curves: Sequence[Curve]) -> str:
    families = {curve.family for curve in curves}
    if families == {"occlusion"}:
        return "level: share of the image hidden (%)"
    if "occlusion" not in families:
        return "severity (%)"
    return "level: share of the image hidden (%), or severity (%)"


def _common_k(curves: Sequence[Curve], k: int | None) -> int:
    """`k`, or the largest that every curve has."""
    if not curves:
        raise ArgumentError(
            "Expected curves to draw, got none. Measure first, or see `failures`."
        )
    common = set.intersection(*(set(curve.ks) for curve in curves))
    if k is not None:
        return measured_k(k, common)
    if not common:
        raise ArgumentError(
            "Expected curves that have a k in common, got none. Draw them one by one."
        )
    return max(common)


def _matplotlib() -> tuple[Any, Any]:
    """matplotlib's `rc_context`, and what makes axes in a new figure."""
    try:
        from matplotlib import rc_context
        from matplotlib.pyplot import subplots
    except ImportError:
        reason = (
            "matplotlib, which draws curves, is not installed: pip install"
            " 'pytest-retrieval-robust[plots]'"
        )
    else:
        return rc_context, lambda: subplots(layout="constrained")[1]
    raise NotOnThisMachineError.because(reason)


def _draw_line(
    axes: Axes,
    curve: Curve,
    label: str,
    k: int,
    direction: Direction,
    style: Mapping[str, Any],
) -> None:
    levels = [100 * level for level in curve.levels]
    recalls = [100 * value for value in curve.recall(k, direction).values()]
    # An underscore in front would leave a line out of the legend.
    shown = plain(label)
    if shown.startswith("_"):
        shown = f" {shown}"
    axes.plot(levels, recalls, label=shown, linewidth=1.2, markersize=4, **style)
    bounds = [
        outcome.scores(direction).recall_interval.get(k) for outcome in curve.outcomes
    ]
    if len(levels) < 2 or None in bounds:
        return
    low = [100 * bound[0] for bound in bounds if bound is not None]
    high = [100 * bound[1] for bound in bounds if bound is not None]
    axes.fill_between(levels, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _draw_chance(
    axes: Axes, curves: Sequence[Curve], k: int, direction: Direction
) -> None:
    """A thin dotted line for each chance that there is, without a place in the legend."""
    chances = {curve.clean.scores(direction).chance.get(k) for curve in curves}
    for chance in chances - {None}:
        axes.axhline(
            100 * float(chance or 0),
            color="0.5",
            linewidth=0.6,
            linestyle=":",
            label="_",
        )


def _title(curves: Sequence[Curve], direction: Direction) -> str:
    """What the lines have in common."""
    cases = [curve.clean.case for curve in curves]
    datasets = {case.dataset for case in cases}
    occluders = {case.occluder for case in cases}
    common = [
        *(datasets if len(datasets) == 1 else ()),
        *(occluders if len(occluders) == 1 else ()),
    ]
    return ", ".join([*common, direction])
