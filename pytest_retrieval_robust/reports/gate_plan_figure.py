"""Power curves of planned gates, by matplotlib (extra `plots`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import RobustError
from ..gate.power.rows import GatePlan, PlannedRow
from ..retrieval.curve_plot import look
from ._text import short
from .figure import LEGEND, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LINES = 8
"""Gates that a figure shows: looks repeat after so many."""
_SIZE = (4.6, 2.8)
"""Inches, with a row of the legend for each gate beside it."""


def draw_plan(plan: GatePlan, path: Path, *, option: str) -> int:
    """Draw how likely each gate passes over the number of queries.

    Those that need the most queries are drawn if there are more than eight.

    Returns:
        How many gates were left out.

    Raises:
        NotOnThisMachineError: matplotlib is missing.
        RobustError: No gate has a power curve, or the format is unknown.
    """
    rows = [row for row in plan.gates if row.curve]
    if not rows:
        raise RobustError(
            "Expected a gate whose power is known, got none. See the table for the"
            f" reasons, and leave {option} out."
        )
    # What no number of queries does comes first.
    rows.sort(key=lambda row: -(row.queries or float("inf")))
    drawn = rows[:MOST_LINES]
    write_figure(path, lambda figure: _draw(figure, drawn, plan.power), option=option)
    return len(rows) - len(drawn)


def _draw(figure: Figure, rows: Sequence[PlannedRow], power: float) -> None:
    width, height = _SIZE
    figure.set_size_inches(width, height + 0.18 * len(rows))
    axes = figure.subplots()
    for place, row in enumerate(rows):
        queries = [point.queries for point in row.curve]
        passes = [100 * point.passes for point in row.curve]
        axes.plot(
            queries,
            passes,
            label=short(f"{row.gate}, {row.subject}".rstrip(", ")),
            linewidth=1.1,
            markersize=3,
            markevery=4,
            **look(place),
        )
        if row.today is not None and row.today.queries is not None:
            axes.axvline(
                row.today.queries, color="0.5", linewidth=0.6, linestyle=":", label="_"
            )
    axes.axhline(100 * power, color="0.5", linewidth=0.6, linestyle="--", label="_")
    axes.set_xscale("log")
    # The usual labels of such an axis are formulas, which the style leaves as text.
    axes.xaxis.set_major_formatter(lambda queries, _: f"{queries:,.0f}")
    axes.xaxis.set_minor_formatter("")
    axes.set_ylim(0, 102)
    axes.set_xlabel("queries")
    axes.set_ylabel("probability of passing (%)")
    figure.legend(loc="outside lower center", ncols=1, **LEGEND)
