"""What each gate could have seen, and how much the layout of masks matters, as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core.cases import DIRECTIONS
from ..core.verdict import Verdict
from ..gate.seed_spread import LayoutVariation
from .lines import Line, Span


def power_lines(verdicts: Sequence[Verdict]) -> Iterable[Line]:
    """Each gate's limit, bounds and smallest detectable loss."""
    known = [verdict for verdict in verdicts if verdict.detectable_loss is not None]
    if not known:
        return
    yield [
        Span(
            "gates: observed [bounds] against the limit; the smallest loss that would"
            " be seen (power 0.8)",
            "bold",
        )
    ]
    for verdict in known:
        colour = "yellow" if verdict.weak else ""
        yield [Span(f"{verdict.gate}, {verdict.case}")]
        low, high = verdict.bounds or (float("nan"), float("nan"))
        yield [
            Span(
                f"  {verdict.observed:.3f} [{low:.3f}, {high:.3f}] against"
                f" {verdict.limit:.3f}, decided by {verdict.decided_by}; loss seen from"
                f" {verdict.detectable_loss:.3f}",
                colour,
            )
        ]
    yield []


def layout_lines(layouts: Sequence[LayoutVariation], verbosity: int) -> Iterable[Line]:
    """Several seeds: the spread between mask layouts beside the error that comes from
    the queries, in points.
    """
    if not layouts:
        return
    most = max(found.k for found in layouts)
    shown = [
        f
        for f in layouts
        if verbosity > 0 or (f.k == most and f.direction == DIRECTIONS[0])
    ]
    yield [
        Span(
            "mask layouts: mean Recall over the seeds, in points; spread between"
            " layouts, error by queries",
            "bold",
        )
    ]
    for found in shown:
        yield [
            Span(
                f"{found.model} on {found.dataset}, {found.occluder} at level"
                f" {found.level:g}, {found.direction} R@{found.k}"
            )
        ]
        yield [
            Span(
                f"  {100 * found.mean:.1f} over {found.seeds} layouts; layouts sd"
                f" {100 * found.layouts:.2f}, queries se {100 * found.queries:.2f}"
            )
        ]
    yield []
