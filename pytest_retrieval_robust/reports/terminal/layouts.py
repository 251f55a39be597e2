"""How much the layout of masks matters, where several seeds were measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.cases import DIRECTIONS, level_word
from ...core.words import counted
from ...gate.seed_spread import LayoutVariation
from .lines import Line, Span

_TITLE = "mean Recall over mask layouts (one per seed) in %, its SD and SE in points"


def layout_lines(layouts: Sequence[LayoutVariation], verbosity: int) -> Iterator[Line]:
    """The spread between mask layouts beside the error that comes from the queries."""
    if not layouts:
        return
    k = max(layout.k for layout in layouts)
    shown = [
        layout
        for layout in layouts
        if verbosity > 0 or (layout.direction, layout.k) == (DIRECTIONS[0], k)
    ]
    yield [Span(_TITLE, "bold")]
    for layout in shown:
        subject = f"{layout.model} on {layout.dataset}, {layout.occluder}"
        recall = f"{layout.direction} R@{layout.k}"
        where = f"{level_word(layout.family)} {layout.level:g}"
        yield [Span(f"{subject} at {where}, {recall}")]
        mean = f"{100 * layout.mean:.1f} over {counted(layout.seeds, 'layout')}"
        between = f"SD between layouts {100 * layout.layouts:.2f}"
        error = f"SE from queries {100 * layout.queries:.2f}"
        yield [Span(f"  {mean}; {between}, {error}")]
    yield []
