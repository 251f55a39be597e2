"""The smallest breaking occlusions and the sensitivity maps, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.searches import BreakingOutcome
from ...core.words import counted
from ...gate.breaking import breaking_bounds
from .._text import QUANTILES
from ..heat_map_shades import shaded
from .lines import Line, Span

_NAME_WIDTH = 18
_CELL_WIDTH = 7
_CONFIDENCE = 0.975
"""Of each bound: together they make a 95 % interval."""


def search_lines(
    searches: Sequence[BreakingOutcome], verbosity: int, blocks: str
) -> Iterator[Line]:
    """A table of the breaking shares' quantiles; with `-v` each model's sensitivity map too."""
    # Only searches of the same kind can be set side by side.
    kinds: dict[tuple[str, int, int, str], list[BreakingOutcome]] = {}
    for search in searches:
        kind = (search.dataset, search.k, search.grid, search.fill)
        kinds.setdefault(kind, []).append(search)
    for alike in kinds.values():
        yield from _table(alike)
        yield []
    if verbosity > 0:
        for search in searches:
            yield from _map(search, blocks)
            yield []


def _table(searches: Sequence[BreakingOutcome]) -> Iterator[Line]:
    first = searches[0]
    title = (
        f"{first.dataset}: smallest hidden area that pushes the report out of the top"
        f" {first.k}"
    )
    yield [Span(title, "bold")]
    cells = f"{first.grid} x {first.grid} cells, {first.fill}"
    yield [
        Span(
            f"in % of the image (upper bounds); {counted(first.images, 'image')}, {cells}"
        )
    ]
    yield [Span("found: images whose report is found with nothing hidden")]
    lowest = f"{100 * QUANTILES[0]:g} %"
    yield [Span(f"{lowest}: hiding this much is enough for {lowest} of those images")]
    heads = "".join(f"{f'{100 * share:g} %':>{_CELL_WIDTH}}" for share in QUANTILES)
    yield [Span(f"{'':{_NAME_WIDTH}}{heads}   found  encodings")]
    for search in searches:
        yield from _row(search)


def _row(search: BreakingOutcome) -> Iterator[Line]:
    name = search.model
    if len(name) >= _NAME_WIDTH:
        yield [Span(name)]
        name = ""
    values = "".join(_quantile(search, share) for share in QUANTILES)
    counts = f"{len(search.shares):>8}{search.encodings:>11.0f}"
    yield [Span(f"{name:{_NAME_WIDTH}}{values}{counts}")]
    bounds = "".join(_interval(search, share) for share in QUANTILES)
    yield [Span(f"{'':{_NAME_WIDTH}}{bounds}".rstrip())]


def _quantile(search: BreakingOutcome, share: float) -> str:
    quantile = search.quantile(share)
    if quantile is None:
        return f"{'n/a':>{_CELL_WIDTH}}"
    return f"{100 * quantile:>{_CELL_WIDTH}.2f}"


def _interval(search: BreakingOutcome, share: float) -> str:
    """The 95 % interval of a quantile, from the order of the images."""
    low, high = breaking_bounds(search, share, _CONFIDENCE)
    ends = f"{100 * low:.0f}-{100 * high:.0f}"
    return f"{ends:>{_CELL_WIDTH}}"


def _map(search: BreakingOutcome, blocks: str) -> Iterator[Line]:
    title = (
        f"{search.model} on {search.dataset}: mean fall of the right report's score by"
        " hidden cell"
    )
    yield [Span(title, "bold")]
    signs = " " + blocks
    for row in shaded(search.sensitivity, len(signs)):
        # Two signs per cell: a letter is about twice as high as it is wide.
        drawn = "".join(2 * signs[shade] for shade in row)
        yield [Span(f"  {drawn}")]
